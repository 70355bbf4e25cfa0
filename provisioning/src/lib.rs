//! Makes what an appliance starts from: token, keys, certificates, configuration, first policy.
//!
//! The one room that creates keys. It knows the token's ceremony calls and the files of the other programs, not their
//! code: where it needs the appliance or the watcher it runs the programs that lie beside its own.
//!
//! [`init::initialise`] is the whole way in one function: PINs, token, keys, certificates, files, each kept where it is
//! there already. Nothing here overwrites a key or a PIN ([`files`] has no call for it), so every run can be repeated
//! and finishes what an interrupted one began. [`quickstart::run`] goes on from there to a signed withdrawal.

pub mod appliance_config;
pub mod ceremony;
pub mod cli;
pub mod environment;
pub mod error;
pub mod files;
pub mod init;
pub mod pki;
pub mod plan;
pub mod programs;
pub mod quickstart;
pub mod report;
pub mod secret;
pub mod shares;
pub mod templates;
pub mod token;
pub mod words;

pub use error::Error;
