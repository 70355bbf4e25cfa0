//! Keys on their way out of use, as officers decided. The appliance destroys none: it sees that a token has one no more.

use appliance_wire::KeyEnd;
use hsm_types::{Algorithm, KeyLabel};
use serde::Serialize;

use super::{Operations, keys::state_of};
use crate::{refusal::Refusal, state::State};

/// A key of the log.
#[derive(Clone, Debug, Serialize)]
pub struct KeyStatus {
    /// Its name.
    pub name: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// `verified`, `declared` or `blind`, for ever.
    pub evidence: String,
    /// Compressed SEC1 or 32-byte Ed25519, hexadecimal.
    pub public_key: String,
    /// `active`, `retiring`, `disabled`, `pending-destroy`, `destroyed`, or `unused` where the policy does not name it.
    pub state: &'static str,
    /// Seconds of service time until it may be destroyed in its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_be_destroyed_in_s: Option<u64>,
}

impl Operations {
    /// Every key of the log.
    ///
    /// # Errors
    /// `audit-log-unavailable`.
    pub async fn key_statuses(&self) -> Result<Vec<KeyStatus>, Refusal> {
        self.audit.query(|state, moment| key_statuses(state, moment.elapsed)).await
    }

    /// Looks whether what was due to be destroyed is gone from every token, and records it.
    pub(super) async fn look_for_destroyed_keys(&self) {
        let due = self.audit.query(|state, moment| due(state, moment.elapsed)).await.unwrap_or_default();
        for key in due {
            if self.is_gone(&key).await
                && let Err(refusal) = self.audit.record_destroyed(key.clone()).await
            {
                tracing::warn!(%key, detail = refusal.problem.detail, "a destroyed key is not recorded");
            }
        }
    }

    async fn is_gone(&self, key: &KeyLabel) -> bool {
        for token in self.tokens.all() {
            if self.tokens.lacks(token.name(), key).await != Ok(true) {
                return false;
            }
        }
        true
    }
}

fn due(state: &State, elapsed: u64) -> Vec<KeyLabel> {
    let is_due = |end: &KeyEnd| matches!(end, KeyEnd::PendingDestroy(from) if elapsed >= *from);
    state.key_ends.iter().filter(|(_, end)| is_due(end)).map(|(key, _)| key.clone()).collect()
}

pub(super) fn key_statuses(state: &State, elapsed: u64) -> Vec<KeyStatus> {
    let policy = state.policy.as_deref();
    let status = |(name, entry): (&KeyLabel, &appliance_wire::KeyEntry)| {
        let end = state.key_ends.get(name);
        let named = policy.and_then(|policy| policy.key(name)).map(|key| state_of(key, end));
        let unnamed = match end {
            Some(KeyEnd::PendingDestroy(_)) => "pending-destroy",
            Some(KeyEnd::Destroyed) => "destroyed",
            Some(KeyEnd::Kept) | None => "unused",
        };
        KeyStatus {
            name: name.to_string(),
            algorithm: entry.algorithm,
            evidence: entry.evidence.clone(),
            public_key: entry.public_key.clone(),
            state: named.unwrap_or(unnamed),
            may_be_destroyed_in_s: match end {
                Some(KeyEnd::PendingDestroy(from)) => Some(from.saturating_sub(elapsed).div_ceil(1_000)),
                Some(KeyEnd::Kept | KeyEnd::Destroyed) | None => None,
            },
        }
    };
    state.keys.iter().map(status).collect()
}
