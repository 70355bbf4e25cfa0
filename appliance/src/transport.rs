//! The listeners: everything here knows a wire protocol, nothing else does, and no decision is made here.
//!
//! [`Https`] serves watchers, [`Admin`] the people on the box, [`Monitor`] the monitoring. Each hands what it read to
//! [`Operations`](crate::operations::Operations) and sends what comes back; a further transport is one more file.

mod admin;
mod admin_client;
mod answers;
mod certificates;
mod connections;
mod error;
mod https;
mod limits;
mod monitor;
pub mod openapi;
mod problem;
mod served;
#[cfg(test)]
mod testing;
mod tls;
mod watcher_api;

pub use admin::Admin;
pub use admin_client::{AdminError, call};
pub use certificates::{Certificates, ClientCertificate};
pub use error::TransportError;
pub use https::Https;
pub use limits::Limits;
pub use monitor::Monitor;
pub use tls::{Expiry, TlsFiles};
