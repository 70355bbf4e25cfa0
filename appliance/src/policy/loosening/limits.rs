//! Limits: each of the policy in force must be held by one of the candidate that never lets more through.

use hsm_types::KeyLabel;

use super::super::{KeyState, Level, Limit, Max, Per, Policy, duration, exposure::spends};

pub(super) fn loosenings(in_force: &Policy, candidate: &Policy) -> Vec<String> {
    let needed = in_force.limits.iter().filter(|limit| is_needed(candidate, limit));
    needed.filter_map(|limit| of_limit(in_force, candidate, limit)).collect()
}

/// Whether the candidate signs anything that the limit counts.
fn is_needed(candidate: &Policy, limit: &Limit) -> bool {
    candidate.keys.iter().any(|key| {
        let is_counted = limit.keys.contains(&key.name) && is_read(candidate, limit, &key.name);
        let is_paid = limit
            .asset
            .as_ref()
            .is_none_or(|name| candidate.asset(name).is_some_and(|asset| spends(candidate, key, asset)));
        let signs = candidate.watchers.iter().any(|watcher| candidate.grants(&watcher.name, &key.name));
        is_counted && is_paid && signs && key.state != KeyState::Disabled
    })
}

/// Whether it can count anything of the key: what a blind key pays is not known.
fn is_read(policy: &Policy, limit: &Limit, key: &KeyLabel) -> bool {
    let is_blind = policy.key(key).is_some_and(|key| key.evidence == Level::Blind);
    !is_blind || matches!(limit.max, Max::Signatures(_))
}

fn of_limit(in_force: &Policy, candidate: &Policy, limit: &Limit) -> Option<String> {
    let shortfalls = |other: &Limit| shortfalls(in_force, candidate, limit, other);
    if candidate.limits.iter().any(|other| shortfalls(other).is_empty()) {
        return None;
    }
    let name = &limit.name;
    let namesake = candidate.limits.iter().find(|other| other.name == *name);
    Some(match namesake {
        Some(namesake) => format!("limit \"{name}\": {}", shortfalls(namesake).join("; ")),
        None => format!("limit \"{name}\" of {} is gone, and no other is as strict", most(in_force, limit)),
    })
}

/// Where `other` may let through what `limit` does not.
fn shortfalls(in_force: &Policy, candidate: &Policy, limit: &Limit, other: &Limit) -> Vec<String> {
    let is_alike = limit.asset == other.asset
        && matches!(
            (limit.max, other.max),
            (Max::Amount(_), Max::Amount(_)) | (Max::Signatures(_), Max::Signatures(_))
        );
    if !is_alike {
        return vec![format!("counts up to {} instead of {}", most(candidate, other), most(in_force, limit))];
    }
    let mut found = Vec::new();
    if other.most() > limit.most() {
        found.push(format!("{} instead of {}", most(candidate, other), most(in_force, limit)));
    }
    if !lasts_as_long(limit, other) {
        found.push(format!("a window of {} instead of {}", window(other), window(limit)));
    }
    found.extend(keys_not_counted(in_force, candidate, limit, other));
    found.extend(sums(limit, other));
    found.extend(beyond(limit, other));
    found
}

/// Whether what counts under `limit` still counts under `other`. A window is up to 1/256 longer than it says, so a
/// slightly longer one may let go of something earlier.
fn lasts_as_long(limit: &Limit, other: &Limit) -> bool {
    let rounded = limit.window_ms.saturating_add((limit.window_ms / 256).max(1));
    other.window_ms == limit.window_ms || other.is_lifetime() || other.window_ms.saturating_add(1) >= rounded
}

/// What a key that is not counted signed before is forgotten with it, and leaves room to the others.
fn keys_not_counted(in_force: &Policy, candidate: &Policy, limit: &Limit, other: &Limit) -> Option<String> {
    let shares_a_sum = limit.per != Some(Per::Key);
    let counts = |key: &&KeyLabel| is_read(in_force, limit, key) && (shares_a_sum || candidate.key(key).is_some());
    let missing: Vec<_> = limit.keys.iter().filter(counts).filter(|key| !other.keys.contains(key)).collect();
    let names: Vec<String> = missing.iter().map(|key| format!("\"{key}\"")).collect();
    let gone = missing.iter().any(|key| candidate.key(key).is_none());
    let what_to_do = if gone { " (a key that is disabled instead of taken out still counts)" } else { "" };
    (!names.is_empty()).then(|| format!("no longer counts {}{what_to_do}", names.join(", ")))
}

fn sums(limit: &Limit, other: &Limit) -> Option<String> {
    let has_one_key = limit.keys.len() == 1;
    let is_as_strict = match (limit.per, other.per) {
        (before, after) if before == after => true,
        // A replacement's fee may count under `per = "destination"` later than the payment it replaces counts elsewhere.
        (Some(Per::Destination), None) => other.is_lifetime(),
        (_, None) => true,
        (None | Some(Per::Watcher), Some(Per::Key)) => has_one_key,
        _ => false,
    };
    (!is_as_strict).then(|| format!("{} instead of {}", sum(other), sum(limit)))
}

fn beyond(limit: &Limit, other: &Limit) -> Option<String> {
    match (&limit.beyond, &other.beyond) {
        (_, None) => None,
        (None, Some(after)) => Some(format!("{} can approve what is beyond it", after.words())),
        (Some(before), Some(after)) if after.demand_as_much_as(before) => None,
        (Some(before), Some(after)) => {
            Some(format!("beyond it, {} instead of {}", after.words_with_times(), before.words_with_times()))
        }
    }
}

fn most(policy: &Policy, limit: &Limit) -> String {
    let unit = limit.asset.as_deref().unwrap_or("signatures");
    format!("{} {unit} in {}", limit.most().to_decimal(policy.decimals_of(limit)), window(limit))
}

fn window(limit: &Limit) -> String {
    if limit.is_lifetime() { "its lifetime".to_owned() } else { duration::words(limit.window_ms) }
}

fn sum(limit: &Limit) -> &'static str {
    match limit.per {
        None => "one sum for all",
        Some(Per::Key) => "a sum for each key",
        Some(Per::Watcher) => "a sum for each watcher",
        Some(Per::Destination) => "a sum for each destination",
    }
}
