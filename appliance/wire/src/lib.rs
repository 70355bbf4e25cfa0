//! What travels between watcher, appliance and auditor, and nothing else: no I/O, no clock, no device.
//!
//! The appliance writes the audit log with the same [`tree`] and [`Checkpoint`] code by which watchers and auditors
//! verify it, so the two cannot drift apart.

mod add_checkpoint;
mod amount;
mod answer;
mod canonical;
pub mod ceremony;
mod chain;
mod checkpoint;
mod cosignature;
mod entry;
mod event;
mod explanation;
mod fork;
mod format;
mod note_key;
#[cfg(feature = "openapi")]
pub mod openapi;
mod problem;
mod receipt;
mod request;
pub mod transaction;
pub mod tree;

pub use add_checkpoint::{AddCheckpoint, BadAddCheckpoint};
pub use amount::{Amount, BadDecimal, Decimal};
pub use answer::{
    Address, AddressesAnswer, AddressesRequest, EntryAnswer, ItemSignature, KeyAnswer, KeysAnswer, LimitAnswer,
    LimitsAnswer, ProofAnswer, RequestStatus, SignatureAnswer,
};
pub use canonical::{NotCanonical, canonical, from_canonical, sha256_hex};
pub use chain::{AddressType, BadDestination, Chain, UnknownAddressType, UnknownChain};
pub use checkpoint::{BadCheckpoint, Checkpoint, LogKey, UnsignedCheckpoint};
pub use cosignature::{BadWitnessKey, Cosignature, WitnessKey, cosigned_text};
pub use entry::{
    Accepted, Addresses, Approval, Approved, Asked, Body, Boot, BootToken, CUSTODIANS, CallFacts, Change, ChangeTo,
    Charged, ClockEntry, Denied, DeviceLogRecord, Entry, Failed, Fee, Frozen, Genesis, GenesisCeremony, KeyChange,
    KeyEnd, KeyEntry, KnownLog, Lapsed, LogToken, OfficerSignature, Payment, Pending, PolicyEntry, PolicyStanding,
    ProvenEntry, Recovered, RecoveredLog, RecoveredRequest, Rejected, Released, Scope, Signed, TokenEntry, TokenEvent,
    TransactionFacts, TransactionOutput, Unfrozen, Variant, Wanted, Withdrawn,
};
pub use event::{Event, EventApprovals, EventChildren, EventKind, EventsAnswer};
pub use explanation::{
    ExplainedAmount, ExplainedHold, ExplainedLimit, ExplainedOutcome, ExplainedPayment, ExplainedRule, Explanation,
};
pub use fork::{BadFork, Fork, ProvenFork};
pub use format::{Format, NewerFormat};
pub use problem::{Problem, ProblemCode, Retry};
pub use receipt::{BadReceipt, Receipt, decode_hashes};
pub use request::{BadRequestId, Evidence, Item, MessageHex, Output, RequestId, SignatureRequest, Transfer};
