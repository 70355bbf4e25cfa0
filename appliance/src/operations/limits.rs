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
        let keys: Vec<_> = granted.iter().filter(|key| limit.keys.contains(key)).collect();
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

/// One sum of a limit.
#[derive(Clone, Debug)]
pub struct LimitUse {
    /// What it is a sum for; none where there is one for all.
    pub of: Option<(Per, String)>,
    /// The limit and what is left of it.
    pub answer: LimitAnswer,
    /// What is used, in hundredths of its maximum.
    pub percent: f64,
}

/// The sums of all limits.
#[derive(Clone, Debug, Default)]
pub struct LimitUses {
    /// In the order of the policy; of destinations the fullest.
    pub sums: Vec<LimitUse>,
    /// How many were left out, of whichever limit.
    pub left_out: usize,
}

/// Every limit for every key and watcher it has a sum for; of limits per destination the fullest sums. Looks at so many at
/// most: whoever asks must not hold up the writer.
pub(super) fn all_limits(state: &State, moment: Moment) -> LimitUses {
    let Some(policy) = state.policy.as_deref() else { return LimitUses::default() };
    let mut uses = LimitUses::default();
    for (place, limit) in policy.limits.iter().enumerate() {
        let (scopes, left_out) = scopes(policy, state, place, limit, moment);
        uses.left_out += left_out;
        for scope in scopes {
            if uses.sums.len() >= MOST_SUMS {
                uses.left_out += 1;
                continue;
            }
            let answer = answer(policy, state, place, limit, &scope, moment);
            let percent = percent(&answer);
            uses.sums.push(LimitUse { of: limit.per.map(|per| (per, scope)), answer, percent });
        }
    }
    uses
}

/// What a limit has sums for, and how many of them are not told.
fn scopes(policy: &Policy, state: &State, place: usize, limit: &Limit, moment: Moment) -> (Vec<String>, usize) {
    match named_scopes(policy, limit) {
        Some(scopes) => (scopes, 0),
        None => state.usage.fullest(place, moment.elapsed, MOST_DESTINATIONS, MOST_LOOKED_AT),
    }
}

/// What a limit has sums for, where the policy alone says it; destinations it does not.
pub(super) fn named_scopes(policy: &Policy, limit: &Limit) -> Option<Vec<String>> {
    match limit.per {
        None => Some(vec![String::new()]),
        Some(Per::Key) => Some(limit.keys.iter().map(ToString::to_string).collect()),
        Some(Per::Watcher) => {
            let is_about = |name: &str| limit.keys.iter().any(|key| policy.grants(name, key));
            let watchers = policy.watchers.iter().map(|watcher| watcher.name.clone());
            Some(watchers.filter(|name| is_about(name)).collect())
        }
        Some(Per::Destination) => None,
    }
}

fn percent(answer: &LimitAnswer) -> f64 {
    let number = |text: &str| text.parse::<f64>().unwrap_or(0.0);
    let (used, most) = (number(&answer.used), number(&answer.max));
    if used >= most { 100.0 } else { used / most * 100.0 }
}

const MOST_SUMS: usize = 100;
const MOST_DESTINATIONS: usize = 3;
const MOST_LOOKED_AT: usize = 1_000;

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
