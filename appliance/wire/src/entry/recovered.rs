//! What a log that went on from an older copy says of what it lost.

use serde::{Deserialize, Serialize};

use super::{Accepted, Body, Entry, OfficerSignature, Signed};
use crate::RequestId;

/// A part of a recovery.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Recovered {
    /// The log goes on from an older copy: from here on every limit counts as full for one window.
    Log(RecoveredLog),
    /// A request that receipts prove, and the copy does not know.
    Request(RecoveredRequest),
}

/// The log goes on from an older copy, which ends before this entry.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RecoveredLog {
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What the officers signed; none in profile `development` without officers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<OfficerSignature>,
    /// What is known of the log that was lost.
    pub known: Vec<KnownLog>,
}

/// A log that somebody vouched for, and that this one does not begin with, or not any more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KnownLog {
    /// Who: `token anchor`, `checkpoint`, `receipts`.
    pub by: String,
    /// Number of its entries.
    pub size: u64,
    /// Its root, hexadecimal.
    pub root: String,
}

/// A request of the log that was lost, bound again. It can be answered, and not be replaced.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RecoveredRequest {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// Index of its acceptance in this log: in the copy, or this entry itself. Absent where only its signatures are
    /// proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<u64>,
    /// Entries of the lost log.
    pub proven: Vec<ProvenEntry>,
}

/// An entry of another log, with the proof that it was in it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProvenEntry {
    /// The entry; its canonical form is the leaf.
    pub entry: Entry,
    /// Inclusion proof (RFC 9162), base64 hashes.
    pub proof: Vec<String>,
    /// A signed note of the log key.
    pub checkpoint: String,
}

impl RecoveredRequest {
    /// Its acceptance, where a receipt of that was at hand.
    #[must_use]
    pub fn accepted(&self) -> Option<&Accepted> {
        self.bodies().find_map(|body| if let Body::Accepted(accepted) = body { Some(accepted) } else { None })
    }

    /// Its signatures, likewise.
    #[must_use]
    pub fn signed(&self) -> Option<&Signed> {
        self.bodies().find_map(|body| if let Body::Signed(signed) = body { Some(signed) } else { None })
    }

    fn bodies(&self) -> impl Iterator<Item = &Body> {
        self.proven.iter().map(|proven| &proven.entry.body)
    }
}

impl Body {
    /// What was asked for, where this accepts it, proves that it was accepted, or makes it wait.
    #[must_use]
    pub fn asked_for(&self) -> Option<&Accepted> {
        if let Self::Pending(pending) = self { Some(&pending.request) } else { self.accepted() }
    }

    /// The acceptance this is, or proves.
    #[must_use]
    pub fn accepted(&self) -> Option<&Accepted> {
        match self.lost_request() {
            Some(request) => request.accepted(),
            None => {
                if let Self::Accepted(accepted) = self {
                    Some(accepted)
                } else {
                    None
                }
            }
        }
    }

    /// The signatures these are, or prove.
    #[must_use]
    pub fn signed(&self) -> Option<&Signed> {
        match self.lost_request() {
            Some(request) => request.signed(),
            None => {
                if let Self::Signed(signed) = self {
                    Some(signed)
                } else {
                    None
                }
            }
        }
    }

    /// The request of a lost log that this binds again.
    #[must_use]
    pub fn lost_request(&self) -> Option<&RecoveredRequest> {
        if let Self::Recovered(Recovered::Request(request)) = self { Some(request) } else { None }
    }
}
