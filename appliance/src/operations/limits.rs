//! What is left in each window that can apply to the caller.

use appliance_wire::{Amount, LimitAnswer, LimitsAnswer};

use super::Operations;
use crate::{
    clock::Moment,
    policy::{Limit, Per, Policy},
    principal::Peer,
    refusal::Refusal,
    state::State,
};

impl Operations {
    /// Limits of the policy over keys granted to the caller. A limit per key is one line a key; one per destination
    /// has no single sum and is left out.
    ///
    /// # Errors
    /// `unauthenticated`, `audit-log-unavailable`.
    pub async fn limits(&self, peer: &Peer) -> Result<LimitsAnswer, Refusal> {
        let watcher = self.principal(peer)?.watcher().to_owned();
        self.audit.query(move |state, moment| LimitsAnswer { limits: limits(state, &watcher, moment) }).await
    }
}

fn limits(state: &State, watcher: &str, moment: Moment) -> Vec<LimitAnswer> {
    let Some(policy) = state.policy.as_deref() else { return Vec::new() };
    let granted: Vec<_> = policy.granted_keys(watcher).map(|key| key.name.clone()).collect();
    let mut answers = Vec::new();
    for (place, limit) in policy.limits.iter().enumerate() {
        let keys: Vec<_> = granted.iter().filter(|key| limit.keys.is_empty() || limit.keys.contains(key)).collect();
        let scopes: Vec<String> = match limit.per {
            _ if keys.is_empty() => continue,
            None => vec![String::new()],
            Some(Per::Key) => keys.into_iter().map(ToString::to_string).collect(),
            Some(Per::Watcher) => vec![watcher.to_owned()],
            Some(Per::Destination) => continue,
        };
        answers.extend(scopes.iter().map(|scope| answer(policy, state, place, limit, scope, moment)));
    }
    answers
}

fn answer(policy: &Policy, state: &State, place: usize, limit: &Limit, scope: &str, moment: Moment) -> LimitAnswer {
    let (used, frees_at) = state.usage.used(place, scope, moment.elapsed);
    let (max, decimals) = (limit.most(), policy.decimals_of(limit));
    let text = |amount: Amount| amount.to_decimal(decimals).as_str().to_owned();
    let frees_at = frees_at.and_then(|at| moment.wall_time_at(at));
    LimitAnswer {
        name: limit.name.clone(),
        window_seconds: if limit.is_lifetime() { 0 } else { limit.window_ms / 1_000 },
        asset: limit.asset.clone(),
        max: text(max),
        used: text(used),
        remaining: text(max.checked_sub(used).unwrap_or(Amount::ZERO)),
        frees_at: frees_at.map(|at| at.to_string()),
    }
}
