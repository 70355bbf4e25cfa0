//! What can be asked of officers, and the act each comes to.

use appliance_wire::{KeyEnd, Scope};
use hsm_types::KeyLabel;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Act,
    acts::{RENEWAL, clock, install, nothing, on_key, on_pending, release, unfreeze, veto},
};
use crate::{
    policy::Quorum,
    refusal::Refusal,
    state::{Bindings, State},
};

/// An act, as it is asked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ActRequest {
    /// A policy comes in.
    InstallPolicy {
        /// The document.
        document: String,
    },
    /// A policy comes in by the custodians' shares: the officers are too few.
    RenewOfficers {
        /// The document.
        document: String,
    },
    /// A policy that waits never comes into force.
    VetoPolicy {
        /// Its version.
        version: u64,
    },
    /// A request that waits may be signed.
    Approve {
        /// Index of the entry that waits.
        pending: u64,
    },
    /// A request that waits ends.
    Reject {
        /// Index of the entry that waits.
        pending: u64,
    },
    /// A freeze ends.
    Unfreeze {
        /// What of.
        what: Scope,
        /// Why.
        reason: String,
    },
    /// The wall clock is right.
    Clock {
        /// What time it is, by the officers' own clocks.
        time: Timestamp,
        /// Time in which the machine was off, credited to service time, in milliseconds.
        #[serde(default)]
        credit_ms: u64,
    },
    /// What a lapsed withdrawal holds is free again.
    Release {
        /// Who asked for it.
        watcher: String,
        /// The request.
        request_id: String,
    },
    /// A key signs nothing more, and may be destroyed after the delay.
    DestroyKey {
        /// Which.
        key: KeyLabel,
        /// Why.
        reason: String,
    },
    /// A key that was to be destroyed is kept.
    KeepKey {
        /// Which.
        key: KeyLabel,
    },
}

impl ActRequest {
    /// How many officers it takes.
    #[must_use]
    pub fn quorum(&self, quorum: &Quorum, loosens: bool) -> u64 {
        match self {
            Self::InstallPolicy { .. } if loosens => quorum.loosen,
            Self::InstallPolicy { .. } => quorum.policy,
            // It empties windows, as a looser limit would.
            Self::Clock { credit_ms, .. } if *credit_ms > 0 => quorum.unfreeze.max(quorum.loosen),
            Self::Unfreeze { .. } | Self::Clock { .. } | Self::Release { .. } | Self::DestroyKey { .. } => {
                quorum.unfreeze
            }
            // What keeps things as they are takes one, but see [`State::veto_quorum`]. A renewal is signed by no officer at all.
            Self::VetoPolicy { .. }
            | Self::Approve { .. }
            | Self::Reject { .. }
            | Self::KeepKey { .. }
            | Self::RenewOfficers { .. } => 1,
        }
    }

    /// The act it comes to, as the log stands.
    ///
    /// # Errors
    /// There is nothing it could be done to.
    pub fn act<B: Bindings>(&self, state: &State, log: &B) -> Result<Act, Refusal>
    where
        B::Error: std::fmt::Display,
    {
        match self {
            Self::InstallPolicy { document } => install(state, document, "chancery-policy", "install policy"),
            Self::RenewOfficers { document } => install(state, document, RENEWAL, "renew the officers by policy"),
            Self::VetoPolicy { version } => veto(state, log, *version),
            Self::Approve { pending } => on_pending(state, log, *pending, "chancery-approve", "approve"),
            Self::Reject { pending } => on_pending(state, log, *pending, "chancery-reject", "reject"),
            Self::Unfreeze { what, reason } => unfreeze(state, log, what, reason),
            Self::Clock { time, credit_ms } => Ok(clock(state, *time, *credit_ms)),
            Self::Release { watcher, request_id } => release(log, watcher, request_id),
            Self::DestroyKey { key, reason } => {
                let mut act = on_key(state, key, None, "chancery-key", "destroy key")?;
                act.facts.push(("reason", reason.clone()));
                Ok(act)
            }
            Self::KeepKey { key } => {
                let ends = matches!(state.key_ends.get(key), Some(KeyEnd::PendingDestroy(_)));
                if !ends {
                    return Err(nothing(format!("key {key} is not waiting to be destroyed")));
                }
                on_key(state, key, state.key_ends.get(key), "chancery-key", "keep key")
            }
        }
    }
}
