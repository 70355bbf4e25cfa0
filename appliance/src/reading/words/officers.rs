//! What officers did, in one line.

use appliance_wire::{
    ClockEntry, KeyChange, KeyEnd, OfficerSignature, Pending, PolicyEntry, PolicyStanding, Released, Withdrawn,
};
use hsm_types::KeyLabel;

use super::{accepted_in_words, listed};

pub(super) fn policy(policy: &PolicyEntry) -> String {
    let PolicyEntry { version, sha256, loosens, signatures, .. } = policy;
    let by = by(signatures);
    match policy.standing {
        PolicyStanding::InForce => format!("policy version {version} installed{by}, sha256 {sha256}"),
        PolicyStanding::WaitsUntil(until) => format!(
            "policy version {version} waits until service time {until} ms{by}, sha256 {sha256}; loosens: {}",
            listed(loosens.iter())
        ),
        PolicyStanding::Vetoed => format!("policy version {version} VETOED{by}, sha256 {sha256}"),
    }
}

pub(super) fn key_change(name: &KeyLabel, change: &KeyChange) -> String {
    let by = by(&change.signatures);
    match change.to {
        KeyEnd::PendingDestroy(from) => {
            format!("{name}: to be DESTROYED from service time {from} ms on{by}: {}", change.reason)
        }
        KeyEnd::Kept => format!("{name}: is kept after all{by}"),
        KeyEnd::Destroyed => format!("{name}: DESTROYED, its token has it no more"),
    }
}

pub(super) fn pending(pending: &Pending) -> String {
    let wanted = pending.wanted.iter();
    let wanted = wanted.map(|wanted| format!("{} of {} ({})", wanted.approve, wanted.of.join(", "), wanted.because));
    format!("{}; WAITS until {} for {}", accepted_in_words(&pending.request), pending.waits_until, listed(wanted))
}

pub(super) fn withdrawn(withdrawn: &Withdrawn) -> String {
    let Withdrawn { watcher, request_id, replaced_by, .. } = withdrawn;
    let by = replaced_by.as_ref().map(|by| format!(", replaced by {by}")).unwrap_or_default();
    format!("{watcher} {request_id}: withdrawn{by}")
}

pub(super) fn released(released: &Released) -> String {
    let Released { watcher, request_id, signatures, .. } = released;
    format!("{watcher} {request_id}: what it held is free again{}", by(signatures))
}

pub(super) fn clock(clock: &ClockEntry) -> String {
    let credit = if clock.credited == 0 { String::new() } else { format!(", {} s credited", clock.credited / 1_000) };
    format!("the wall clock is accepted{credit}{}", by(&clock.signatures))
}

/// The officers who signed; where nobody had to, who did it.
pub(super) fn named(by: &str, signatures: &[OfficerSignature]) -> String {
    let officers = signatures.iter().map(|signature| signature.officer.as_str());
    if signatures.is_empty() { by.to_owned() } else { listed(officers) }
}

fn by(signatures: &[OfficerSignature]) -> String {
    if signatures.is_empty() { String::new() } else { format!(", by {}", named("", signatures)) }
}
