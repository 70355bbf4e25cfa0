//! The audit log: the only truth, and the one place where decisions become facts.
//!
//! A request reaches the writer thread through [`Audit`]; the writer decides, appends, syncs, and only then answers.
//! What readers see ([`Log`]) is durable: nothing is published before the sync that holds it has returned.

mod anchor;
mod draft;
mod follower;
mod genesis;
mod handle;
mod intent;
mod journal;
mod log;
mod open;
mod refusals;
mod start;
mod store;
mod tiles;
mod verify;
mod writer;

pub use genesis::{FirstEntries, create};
pub use handle::{Admission, Attempt, Audit, Standing};
pub use intent::{Failure, Intent, VerifiedSignatures};
pub use journal::free_bytes;
pub use log::{Log, Tip, Unreadable};
pub use open::{LogError, Opened, open};
pub use start::BootFacts;
pub(crate) use verify::read_public_key;
pub use verify::{Finding, Subject, Verification, verify};
