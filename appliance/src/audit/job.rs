//! What the writer can be asked.

use appliance_wire::{Addresses, RequestId, Scope};
use bytes::Bytes;
use hsm_types::KeyLabel;
use tokio::sync::oneshot;

use super::{
    decided::{Acted, Install, Installed, Settled},
    device_log::{DeviceLogReading, RecordedDeviceLog},
    intent::{Failure, Intent, VerifiedSignatures},
    standing::{Allocated, Verdict},
};
use crate::{
    clock::Moment, command::SignCommand, evidence::Facts, officers::ActRequest, refusal::Refusal, state::State,
};

pub(super) type Reply<T> = oneshot::Sender<Result<T, Refusal>>;
type Question = Box<dyn FnOnce(&State, Moment) + Send>;

/// What the writer is asked.
pub(super) enum Job {
    /// `down` is the refusal of what would otherwise ask a token that cannot answer.
    Admit {
        watcher: String,
        command: Box<SignCommand>,
        facts: Box<Facts>,
        down: Option<Refusal>,
        reply: Reply<Verdict>,
    },
    Deny {
        watcher: String,
        request_id: RequestId,
        content: String,
        refusal: Refusal,
        reply: Reply<Refusal>,
    },
    Resume {
        accepted: u64,
        reply: Reply<Verdict>,
    },
    /// `policy` is the version under which the addresses were made.
    Allocate {
        allocation: Addresses,
        policy: u64,
        reply: Reply<Allocated>,
    },
    Signed {
        intent: Intent,
        verified: VerifiedSignatures,
        reply: Reply<Bytes>,
    },
    Failed {
        intent: Intent,
        failure: Failure,
        reply: Reply<Refusal>,
    },
    Freeze {
        what: Scope,
        by: String,
        reason: String,
        reply: Reply<()>,
    },
    /// Officers' signatures for what they ask.
    Act {
        request: Box<ActRequest>,
        signatures: Vec<String>,
        reply: Reply<Acted>,
    },
    Withdraw {
        watcher: String,
        request_id: RequestId,
        reply: Reply<u64>,
    },
    /// Its tokens have a key no more that was to be destroyed.
    Destroyed {
        key: KeyLabel,
        reply: Reply<()>,
    },
    /// Time has passed, or officers agreed.
    Settle {
        reply: Reply<Settled>,
    },
    DeviceLog {
        reading: Box<DeviceLogReading>,
        reply: Reply<RecordedDeviceLog>,
    },
    Install {
        install: Box<Install>,
        reply: Reply<Installed>,
    },
    /// The token's anchor covers so many entries; without `size`, why it cannot be written.
    Anchored {
        size: Result<u64, String>,
        reply: Reply<()>,
    },
    Query(Question),
    Probe {
        reply: Reply<()>,
    },
    Stop {
        reply: Reply<()>,
    },
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}
