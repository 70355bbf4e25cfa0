//! The keys a watcher may use.

use appliance_wire::{KeyAnswer, KeyEnd, KeyEntry, KeysAnswer, ProblemCode};

use super::Operations;
use crate::{
    audit::read_public_key,
    policy::{Policy, PolicyKey},
    principal::Peer,
    refusal::Refusal,
    state::address_of,
};

impl Operations {
    /// Every key granted to the caller.
    ///
    /// # Errors
    /// `unauthenticated`, `audit-log-unavailable`.
    pub async fn keys(&self, peer: &Peer) -> Result<KeysAnswer, Refusal> {
        let principal = self.principal(peer)?;
        let watcher = principal.watcher().to_owned();
        let mut answer = self
            .audit
            .query(move |state, _| {
                let policy = state.policy.as_deref();
                let granted =
                    policy.iter().flat_map(|policy| policy.granted_keys(&watcher).map(move |key| (policy, key)));
                let keys = granted.filter_map(|(policy, key)| {
                    Some(key_answer(policy, key, state.keys.get(&key.name)?, state.key_ends.get(&key.name)))
                });
                KeysAnswer { keys: keys.collect() }
            })
            .await?;
        for key in &mut answer.keys {
            let label = key.name.parse().map_err(Refusal::log_unavailable)?;
            if self.freezes.check(principal.watcher(), &label).is_err() {
                key.state = "frozen".to_owned();
            }
        }
        Ok(answer)
    }

    /// One granted key.
    ///
    /// # Errors
    /// `unknown-key`.
    pub async fn key(&self, peer: &Peer, name: &str) -> Result<KeyAnswer, Refusal> {
        let keys = self.keys(peer).await?.keys;
        keys.into_iter()
            .find(|key| key.name == name)
            .ok_or_else(|| Refusal::new(ProblemCode::UnknownKey, format!("no key {name:?} is granted to this watcher")))
    }
}

fn key_answer(policy: &Policy, key: &PolicyKey, entry: &KeyEntry, end: Option<&KeyEnd>) -> KeyAnswer {
    KeyAnswer {
        name: key.name.to_string(),
        algorithm: entry.algorithm,
        public_key: entry.public_key.clone(),
        address: read_public_key(entry.algorithm, &entry.public_key)
            .ok()
            .and_then(|public_key| address_of(policy, key, &public_key)),
        evidence: key.evidence.name().to_owned(),
        state: state_of(key, end).to_owned(),
        children: key.children,
        chain_code: entry.chain_code.clone().filter(|_| key.children),
        attestation: entry.attestation.clone(),
    }
}

/// How far a key is still in use.
pub(super) fn state_of(key: &PolicyKey, end: Option<&KeyEnd>) -> &'static str {
    match end {
        Some(KeyEnd::PendingDestroy(_)) => "pending-destroy",
        Some(KeyEnd::Destroyed) => "destroyed",
        Some(KeyEnd::Kept) | None => key.state.name(),
    }
}
