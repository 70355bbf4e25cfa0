//! Watchers, officers and their quorum.

use super::super::{Officer, Policy, Quorum, Watcher, duration};

pub(super) fn loosenings(in_force: &Policy, candidate: &Policy) -> Vec<String> {
    let mut found: Vec<String> = candidate.watchers.iter().flat_map(|watcher| of_watcher(in_force, watcher)).collect();
    if in_force.officers.is_empty() {
        // Where nobody is asked, everything is open to whoever operates the appliance.
        return found;
    }
    if candidate.officers.is_empty() {
        found.push("there are no officers any more: whoever operates the appliance decides alone".to_owned());
        return found;
    }
    found.extend(candidate.officers.iter().flat_map(|officer| of_officer(in_force, officer)));
    if let (Some(before), Some(after)) = (&in_force.quorum, &candidate.quorum) {
        found.extend(of_quorum(before, after));
    }
    found
}

fn of_watcher(in_force: &Policy, watcher: &Watcher) -> Vec<String> {
    let name = &watcher.name;
    let Some(before) = in_force.watchers.iter().find(|before| before.name == *name) else {
        return vec![format!("watcher \"{name}\" is new")];
    };
    let new = watcher.public_keys_sha256.iter().filter(|hash| !before.public_keys_sha256.contains(hash));
    new.map(|hash| format!("watcher \"{name}\" gains a certificate key, {}", hex::encode(hash))).collect()
}

fn of_officer(in_force: &Policy, officer: &Officer) -> Vec<String> {
    let name = &officer.name;
    let Some(before) = in_force.officer(name) else { return vec![format!("officer \"{name}\" is new")] };
    let new = officer.ssh_keys.iter().filter(|key| !before.ssh_keys.contains(key));
    new.map(|key| format!("officer \"{name}\" gains a key, {}", key.text())).collect()
}

fn of_quorum(before: &Quorum, after: &Quorum) -> Vec<String> {
    let numbers = [
        ("policy", before.policy, after.policy),
        ("loosen", before.loosen, after.loosen),
        ("unfreeze", before.unfreeze, after.unfreeze),
    ];
    let lower = numbers.into_iter().filter(|(_, before, after)| after < before);
    let mut found: Vec<String> =
        lower.map(|(name, before, after)| format!("quorum.{name} is {after} instead of {before}")).collect();
    if after.loosen_delay_ms < before.loosen_delay_ms {
        let (before, after) = (duration::words(before.loosen_delay_ms), duration::words(after.loosen_delay_ms));
        found.push(format!("quorum.loosen_delay is {after} instead of {before}"));
    }
    found
}
