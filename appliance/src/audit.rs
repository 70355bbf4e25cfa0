//! The audit log: the only truth, and the one place where decisions become facts.
//!
//! A request reaches the writer thread through [`Audit`]; the writer decides, appends, syncs, and only then answers.
//! What readers see ([`Log`]) is durable: nothing is published before the sync that holds it has returned.

mod anchor;
mod append;
mod archive;
mod ballast;
mod decided;
mod device_log;
mod draft;
mod entry_rate;
mod evidence_files;
mod export;
mod follower;
mod genesis;
#[cfg(any(test, feature = "testing-hooks"))]
mod grow;
mod handle;
mod in_place;
mod installed;
mod intent;
mod job;
mod journal;
mod log;
mod log_keys;
mod mirror;
mod open;
mod read_entry;
mod rebuild;
mod recover;
mod replay;
mod scrub;
mod standing;
mod start;
mod store;
mod tile_reader;
mod tiles;
mod token_anchor;
mod unreadable;
mod verify;
mod writer;

pub use archive::{Archive, ArchiveError, Archived, KEPT_AT_LEAST, archive};
pub use ballast::{BALLAST_BYTES, Ballast};
pub use decided::{Acted, Incoming, Install, Installed, Settled};
pub use device_log::{DeviceLogReading, RecordedDeviceLog};
pub use export::{Export, ExportError, Exported, export};
pub use genesis::{FirstEntries, create};
#[cfg(any(test, feature = "testing-hooks"))]
pub use grow::grow;
pub use handle::Audit;
pub use in_place::set_checkpoint_aside;
pub use installed::{InstalledPolicy, installed_policy};
pub use intent::{Attempt, Failure, Intent, VerifiedSignatures};
pub(crate) use journal::{Lines, Next};
pub use journal::{check_room, free_bytes};
pub use log::{Log, Tip};
pub use mirror::{Mirror, MirrorError, MirrorStatus, check_mirror};
pub use open::{LogError, Opened, open};
pub use rebuild::{RebuildError, RebuildFrom, Rebuilt, rebuild};
pub use recover::{Consent, Recovery, RecoveryReport, recover};
pub use replay::{Flip, Replay, replay};
pub use scrub::ScrubStatus;
pub use standing::{Admission, Allocated, LookUp, Standing};
pub use start::BootFacts;
pub use token_anchor::{Anchored, NotAnchored, Run, TokenAnchor, UNANCHORED_PERCENT, compare, new_run};
pub use unreadable::Unreadable;
pub(crate) use verify::read_public_key;
pub use verify::{Finding, LogCopy, Subject, Verification, verify};
pub use writer::AnchorDue;
