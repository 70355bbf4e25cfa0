//! What can be asked of officers, and the act each comes to.

use appliance_wire::{KeyEnd, ProblemCode, Scope};
use hsm_types::KeyLabel;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Act,
    acts::{clock, nothing, on_key, on_pending, release, unfreeze, veto},
};
use crate::{
    policy::{Loosening, Policy, loosenings},
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
    /// The act it comes to, as the log stands.
    ///
    /// # Errors
    /// There is nothing it could be done to.
    pub fn act<B: Bindings>(&self, state: &State, log: &B) -> Result<Act, Refusal>
    where
        B::Error: std::fmt::Display,
    {
        match self {
            Self::InstallPolicy { document } => following(state, document, Act::install),
            Self::RenewOfficers { document } => following(state, document, Act::renew),
            Self::VetoPolicy { version } => veto(state, log, *version),
            Self::Approve { pending } => on_pending(state, log, *pending, "chancery-approve", "approve"),
            Self::Reject { pending } => on_pending(state, log, *pending, "chancery-reject", "reject"),
            Self::Unfreeze { what, reason } => unfreeze(state, log, what, reason),
            Self::Clock { time, credit_ms } => Ok(clock(state, *time, *credit_ms)),
            Self::Release { watcher, request_id } => release(log, watcher, request_id),
            Self::DestroyKey { key, reason } => {
                let mut act = on_key(state, key, None, "destroy key")?;
                act.facts.push(("reason", reason.clone()));
                Ok(act)
            }
            Self::KeepKey { key } => {
                let ends = matches!(state.key_ends.get(key), Some(KeyEnd::PendingDestroy(_)));
                if !ends {
                    return Err(nothing(format!("key {key} is not waiting to be destroyed")));
                }
                on_key(state, key, state.key_ends.get(key), "keep key")
            }
        }
    }
}

/// The act of a policy, as it would follow the one in force.
fn following(
    state: &State,
    document: &str,
    act: fn(&State, &Policy, &Policy, &[Loosening]) -> Act,
) -> Result<Act, Refusal> {
    let candidate =
        Policy::parse(document).map_err(|mistakes| Refusal::new(ProblemCode::Malformed, mistakes.to_string()))?;
    let in_force = state.policy.as_deref().ok_or_else(|| nothing("no policy is in force to follow".to_owned()))?;
    Ok(act(state, in_force, &candidate, &loosenings(in_force, &candidate)))
}
