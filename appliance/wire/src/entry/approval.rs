//! What officers decide, as the log has it.

use serde::{Deserialize, Serialize};

use super::Accepted;
use crate::RequestId;

/// What an officer signed, so that anybody can verify it again (`ssh-keygen -Y verify`; OpenSSH, PROTOCOL.sshsig).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OfficerSignature {
    /// The officer.
    pub officer: String,
    /// The key it verified under, as OpenSSH writes it.
    pub key: String,
    /// The text, byte for byte.
    pub text: String,
    /// The signature, in its armour.
    pub signature: String,
}

/// A request that waits for officers. It holds its id and what it uses up, and no budget.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pending {
    /// What it would be accepted as.
    #[serde(flatten)]
    pub request: Box<Accepted>,
    /// Who must agree: all of these.
    pub wanted: Vec<Wanted>,
    /// Until when, by the wall clock (RFC 3339).
    pub waits_until: String,
    /// What of the things it uses up nobody held before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
}

/// Officers who must agree, and why.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Wanted {
    /// The rule or limit that asks for them.
    pub because: String,
    /// So many.
    pub approve: u64,
    /// Of these.
    pub of: Vec<String>,
}

/// What an acceptance was approved by.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Approval {
    /// Index of the entry that waited.
    pub pending: u64,
    /// The officers.
    pub officers: Vec<String>,
}

/// An officer agrees.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Approved {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// Index of the entry that waits.
    pub pending: u64,
    /// What the officer signed.
    pub signature: OfficerSignature,
}

/// An officer refuses: the request ends.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rejected {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// Index of the entry that waited.
    pub pending: u64,
    /// What the officer signed.
    pub signature: OfficerSignature,
}

/// The watcher takes a request back that waited.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Withdrawn {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// Index of the entry that waited.
    pub pending: u64,
    /// The request that takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<RequestId>,
}

/// Officers set free what a lapsed withdrawal holds: it will never be signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Released {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// Index of its acceptance.
    pub accepted: u64,
    /// What the officers signed.
    pub signatures: Vec<OfficerSignature>,
}

/// Officers accept what the wall clock says, and may credit time in which the machine was off.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ClockEntry {
    /// The kernel's boot id.
    pub boot_id: String,
    /// CLOCK_BOOTTIME at this entry, in milliseconds.
    pub boot_time: u64,
    /// Wall time less CLOCK_BOOTTIME, in milliseconds: trusted from here on.
    pub wall_offset: i64,
    /// What time it was by the officers' own clocks (RFC 3339).
    pub said: String,
    /// Service time credited with this entry, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub credited: u64,
    /// What the officers signed.
    pub signatures: Vec<OfficerSignature>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
