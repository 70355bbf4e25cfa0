//! What travels between watcher, appliance and auditor, and nothing else: no I/O, no clock, no device.
//!
//! The appliance writes the audit log with the same [`tree`] and [`Checkpoint`] code by which watchers and auditors
//! verify it, so the two cannot drift apart.

mod amount;
mod answer;
mod canonical;
mod checkpoint;
mod entry;
mod problem;
mod receipt;
mod request;
pub mod tree;

pub use amount::{Amount, BadDecimal, Decimal};
pub use answer::{
    Address, EntryAnswer, ItemSignature, KeyAnswer, KeysAnswer, LimitAnswer, LimitsAnswer, ProofAnswer, RequestStatus,
    SignatureAnswer,
};
pub use canonical::{NotCanonical, canonical, from_canonical, sha256_hex};
pub use checkpoint::{BadCheckpoint, Checkpoint, LogKey, UnsignedCheckpoint};
pub use entry::{
    Accepted, Body, Boot, BootToken, Denied, Entry, Failed, Fee, Frozen, Genesis, KeyEntry, Lapsed, Payment,
    PolicyEntry, Scope, Signed, Unfrozen,
};
pub use problem::{Problem, ProblemCode, Retry};
pub use receipt::{BadReceipt, Receipt, decode_hashes};
pub use request::{BadRequestId, Evidence, Item, MessageHex, Output, RequestId, SignatureRequest, Transfer};
