//! The signing appliance.
//!
//! One request, walked ([`operations`], `sign.rs`):
//!
//! 1. The [`transport`] proves who connects and hands over a [`principal::Peer`] and bytes.
//! 2. [`principal`] finds the watcher in the policy; [`command`] decodes the body.
//! 3. [`audit`] looks the id up: a stored result answers at once.
//! 4. [`evidence`] establishes what the request pays.
//! 5. The audit log's writer decides ([`admission`]: freeze, grant, rules, limits, references), appends the acceptance,
//!    and syncs. Only then there is an [`audit::Intent`].
//! 6. [`tokens`] has the intent's items signed in a worker process, and verifies every signature.
//! 7. The writer appends the signatures and syncs. Only then there is an answer.
//!
//! What must not happen does not compile: a token is asked with an intent, an intent comes from the writer alone, and
//! what the log records are verified signatures.

pub mod admission;
pub mod audit;
pub mod call_notes;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
mod console;
pub mod error_chain;
pub mod evidence;
pub mod freezes;
pub mod genesis;
pub mod log_writer;
pub mod metrics;
pub mod officers;
pub mod operations;
mod own_file;
pub mod policy;
pub mod principal;
mod reading;
pub mod recovery;
pub mod refusal;
pub mod serve;
pub mod state;
mod state_format;
mod supervision;
mod testing_only;
pub mod tokens;
pub mod toml_document;
pub mod transport;
