//! The watcher's side of the signer: asks for signatures, believes none, holds no key that could.
//!
//! ```no_run
//! # async fn pay(request: appliance_wire::SignatureRequest) -> Result<(), watcher_client::Error> {
//! use watcher_client::{Client, Config};
//!
//! let config = Config::load("/etc/chancery/watcher.toml".as_ref())?;
//! let client = Client::new(&config)?;
//! let id = "wd-1042".parse().expect("in the grammar");
//! let answer = client.sign(&id, &request).await?; // the same id and content gives the same bytes, for ever
//! let receipt = client.wait_for_receipt(&id, std::time::Duration::from_secs(10)).await?;
//! # Ok(()) }
//! ```
//!
//! What [`Client::sign`] returns was verified: each signature under the public key that was remembered when the key was
//! first seen. Every checkpoint, also those inside receipts, must be of the log that was remembered. Both memories live
//! in the state directory; a contradiction is an error that says ALARM, and nothing is forgotten because of it.
//!
//! A transaction is best signed by [`Unsigned`]: it computes the items as the signer does, and puts the signatures in.
//! Children are derived here from the chain code, so no address is believed either.
//!
//! A lost reply is asked for again under the same id, so a payment may be retried without fear of a second one.

mod address_form;
mod answer_check;
pub mod chains;
pub mod cli;
mod client;
mod config;
mod descriptor;
mod error;
pub mod flows;
mod fork_files;
mod formats;
pub mod journal;
mod known_keys;
mod last_checkpoint;
mod private_file;
mod receipt_check;
pub mod retry;
pub mod run;
mod signature_check;
mod state_directory;
#[cfg(test)]
mod testing;
mod transport;
mod unsigned;
mod witness;

pub use client::{Client, Options};
pub use config::{
    ApiTls, ChainAsset, ChainConfig, Config, ConfigError, Network, OtherWitness, RunConfig, Strategy, WebhookConfig,
    WitnessConfig,
};
pub use error::Error;
pub use fork_files::ForkFile;
pub use last_checkpoint::Standing;
pub use receipt_check::{Proven, ProvenSignature, verify_receipt};
pub use signature_check::Outcome;
pub use transport::TransportError;
pub use unsigned::{Owner, SignedTransaction, Unsigned};
pub use witness::{Round, Witness};
