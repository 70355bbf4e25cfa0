//! What each act says: the facts it is about, as the log has them, so that its text serves once, here.

use appliance_wire::{Body, Entry, KeyEnd, ProblemCode, Scope, canonical, tree::leaf_hash};
use hsm_types::KeyLabel;
use jiff::Timestamp;

use super::{Act, Content, act::Needs, agreement::CLOCK};
use crate::{
    policy::{Loosening, Policy},
    refusal::Refusal,
    state::{Binding, BindingKey, Bindings, Outcome, State},
};

impl Act {
    /// Goes on from a copy of the log that ends so.
    #[must_use]
    pub fn recover(entries: u64, root: &str, reason: &str) -> Self {
        let facts = vec![
            ("entries of the copy", entries.to_string()),
            ("root of the copy", root.to_owned()),
            ("reason", reason.to_owned()),
        ];
        let title = "recover the audit log from a copy".to_owned();
        Self { namespace: "chancery-recover", title, facts, needs: Needs::Unfreeze, content: Content::Days(DAYS) }
    }

    /// Lets another token hold the log that ends so.
    #[must_use]
    pub fn replace_token(name: &str, serial: &str, log_key: &str, end: (u64, &str), reason: &str) -> Self {
        let facts = vec![
            ("serial", serial.to_owned()),
            ("log key", log_key.to_owned()),
            ("entries of the log", end.0.to_string()),
            ("root of the log", end.1.to_owned()),
            ("reason", reason.to_owned()),
        ];
        let title = format!("let token {name} hold the log");
        Self { namespace: "chancery-token", title, facts, needs: Needs::Unfreeze, content: Content::Days(DAYS) }
    }

    /// A policy follows the one in force, and loosens so much.
    #[must_use]
    pub fn install(state: &State, in_force: &Policy, candidate: &Policy, loosens: &[Loosening]) -> Self {
        let (title, needs) = (format!("install policy version {}", candidate.version), Needs::Policy);
        let needs = if loosens.is_empty() { needs } else { Needs::Loosen };
        let (facts, content) = (install_facts(state, in_force, candidate, loosens), Content::Days(DAYS_FOR_A_POLICY));
        Self { namespace: "chancery-policy", title, facts, needs, content }
    }

    /// The same by custodians, whose one signature it takes.
    #[must_use]
    pub fn renew(state: &State, in_force: &Policy, candidate: &Policy, loosens: &[Loosening]) -> Self {
        let title = format!("renew the officers by policy version {}", candidate.version);
        let (facts, content) = (install_facts(state, in_force, candidate, loosens), Content::Days(DAYS_FOR_A_POLICY));
        Self { namespace: RENEWAL, title, facts, needs: Needs::One, content }
    }
}

fn install_facts(
    state: &State,
    in_force: &Policy,
    candidate: &Policy,
    loosens: &[Loosening],
) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("after", format!("version {}, sha256 {}", in_force.version, in_force.sha256)),
        ("sha256", candidate.sha256.clone()),
        ("policies so far", state.policy_entries.to_string()),
    ];
    facts.extend(loosens.iter().take(MOST_LISTED).map(|loosening| ("loosens", loosening.to_string())));
    if loosens.is_empty() {
        facts.push(("loosens", "nothing".to_owned()));
    } else if loosens.len() > MOST_LISTED {
        facts.push(("loosens", format!("and {} more, see `chancery policy diff`", loosens.len() - MOST_LISTED)));
    }
    facts
}

pub(super) fn veto<B: Bindings>(state: &State, log: &B, version: u64) -> Result<Act, Refusal>
where
    B::Error: std::fmt::Display,
{
    let waiting = state.waiting_policy.as_ref().filter(|waiting| waiting.policy.version == version);
    let waiting = waiting.ok_or_else(|| nothing(format!("no policy version {version} waits to come into force")))?;
    let (_, leaf) = entry(log, waiting.entry)?;
    let facts = vec![("entry", waiting.entry.to_string()), ("leaf", leaf), ("sha256", waiting.policy.sha256.clone())];
    let title = format!("veto policy version {version}");
    // What custodians bring, because the officers are too few, is not for one who is left to prevent.
    let needs = if waiting.by_custodians { Needs::Policy } else { Needs::One };
    Ok(Act { namespace: "chancery-veto", title, facts, needs, content: Content::Days(DAYS) })
}

/// Bound to the entry that waits: its leaf hash has a salt, so nothing else has it.
pub(super) fn on_pending<B: Bindings>(
    state: &State,
    log: &B,
    pending: u64,
    namespace: &'static str,
    verb: &str,
) -> Result<Act, Refusal>
where
    B::Error: std::fmt::Display,
{
    let waiting = state.pending.get(&pending).ok_or_else(|| {
        nothing(format!(
            "nothing waits under {pending}: it was decided, withdrawn, replaced or expired, or never waited"
        ))
    })?;
    let (found, leaf) = entry(log, pending)?;
    let Body::Pending(body) = found.body else { return Err(nothing(format!("entry {pending} is nothing that waits"))) };
    let mut facts = vec![
        ("entry", pending.to_string()),
        ("leaf", leaf),
        ("key", body.request.key.to_string()),
        ("signatures", body.request.items.len().to_string()),
        (
            "amounts",
            if body.request.amounts_verified { "read by the appliance" } else { "as the watcher says" }.to_owned(),
        ),
    ];
    let paid = body.request.payments.iter();
    facts.extend(paid.map(|pay| ("pays", format!("{} {} to {}", pay.amount, pay.asset, pay.destination))));
    if body.request.payments.is_empty() {
        facts.push(("pays", "nobody".to_owned()));
    }
    facts.extend(body.request.fee.iter().map(|fee| ("fee", format!("{} {}", fee.amount, fee.asset))));
    facts.extend(body.wanted.iter().map(|wanted| ("because", wanted.because.clone())));
    let title = format!("{verb} request {} of watcher {}", waiting.request_id, waiting.watcher);
    Ok(Act { namespace, title, facts, needs: Needs::One, content: Content::Until(waiting.expires_at) })
}

pub(super) fn unfreeze<B: Bindings>(state: &State, log: &B, what: &Scope, reason: &str) -> Result<Act, Refusal>
where
    B::Error: std::fmt::Display,
{
    let since = state.frozen.get(what);
    let since = since.ok_or_else(|| nothing(format!("{what} is not frozen; `chancery status` lists what is")))?;
    let (_, leaf) = entry(log, *since)?;
    let facts = vec![("frozen by entry", since.to_string()), ("leaf", leaf), ("reason", reason.to_owned())];
    let (title, needs) = (format!("unfreeze {what}"), Needs::Unfreeze);
    Ok(Act { namespace: "chancery-unfreeze", title, facts, needs, content: Content::Days(DAYS) })
}

pub(super) fn clock(state: &State, time: Timestamp, credit_ms: u64) -> Act {
    let mut facts = vec![("time", time.to_string()), ("clock of entry", state.clock_entry.to_string())];
    if credit_ms > 0 {
        facts.push(("credit", format!("{} s in which the machine was off count as passed", credit_ms / 1_000)));
    }
    let title = "accept the wall clock".to_owned();
    // A credit empties windows, as a looser limit would.
    let needs = if credit_ms > 0 { Needs::UnfreezeAndLoosen } else { Needs::Unfreeze };
    Act { namespace: CLOCK, title, facts, needs, content: Content::Days(DAYS) }
}

pub(super) fn release<B: Bindings>(log: &B, watcher: &str, request_id: &str) -> Result<Act, Refusal>
where
    B::Error: std::fmt::Display,
{
    let read = |key: &BindingKey| log.binding(key).map_err(Refusal::log_unavailable);
    let accepted = lapsed(log, watcher, request_id)?;
    let (found, leaf) = entry(log, accepted)?;
    let of_withdrawal = found.body.accepted().filter(|found| found.variant.is_none());
    if of_withdrawal.is_none() || read(&BindingKey::withdrawal(accepted))?.is_some() {
        let detail =
            format!("request {request_id} is one of several variants, or was released before: it holds what they hold");
        return Err(nothing(detail));
    }
    let holds =
        of_withdrawal.and_then(|found| found.transaction.as_ref()).map(|transaction| transaction.holds.join(", "));
    let holds = holds.ok_or_else(|| nothing(format!("request {request_id} holds nothing")))?;
    let facts = vec![("entry", accepted.to_string()), ("leaf", leaf), ("frees", holds)];
    let title = format!("release what request {request_id} of watcher {watcher} holds");
    Ok(Act { namespace: "chancery-release", title, facts, needs: Needs::Unfreeze, content: Content::Days(DAYS) })
}

/// Index of the acceptance of a request that lapsed.
///
/// # Errors
/// It has not.
pub(crate) fn lapsed<B: Bindings>(log: &B, watcher: &str, request_id: &str) -> Result<u64, Refusal>
where
    B::Error: std::fmt::Display,
{
    let bound = log.binding(&BindingKey::request(watcher, request_id)).map_err(Refusal::log_unavailable)?;
    match bound {
        Some(Binding { accepted, outcome: Outcome::Lapsed(_) }) => Ok(accepted),
        _ => Err(nothing(format!(
            "request {request_id} of watcher {watcher} has not lapsed: only what can never be signed is released"
        ))),
    }
}

pub(super) fn on_key(state: &State, key: &KeyLabel, end: Option<&KeyEnd>, title: &str) -> Result<Act, Refusal> {
    let bound = state.keys.get(key).ok_or_else(|| nothing(format!("the log knows no key {key}")))?;
    if end.is_none() && state.key_ends.contains_key(key) {
        return Err(nothing(format!("key {key} is on its way to be destroyed, or is destroyed")));
    }
    let mut facts = vec![
        ("public key", bound.public_key.clone()),
        ("algorithm", bound.algorithm.to_string()),
        ("ended so often", state.key_changes.to_string()),
    ];
    if let Some(KeyEnd::PendingDestroy(at)) = end {
        facts.push(("destroyed from service time", at.to_string()));
    }
    // To keep it takes one.
    let needs = if end.is_some() { Needs::One } else { Needs::Unfreeze };
    Ok(Act { namespace: "chancery-key", title: format!("{title} {key}"), facts, needs, content: Content::Days(DAYS) })
}

/// An entry with its leaf hash.
fn entry<B: Bindings>(log: &B, index: u64) -> Result<(Entry, String), Refusal>
where
    B::Error: std::fmt::Display,
{
    let entry = log.entry(index).map_err(Refusal::log_unavailable)?;
    let bytes = canonical(&entry).map_err(Refusal::log_unavailable)?;
    Ok((entry, hex::encode(leaf_hash(&bytes))))
}

pub(super) fn nothing(detail: String) -> Refusal {
    Refusal::new(ProblemCode::Malformed, detail)
}

/// The namespace of what custodians sign with the key made of their shares.
pub(crate) const RENEWAL: &str = "chancery-renewal";
/// A text serves the day it is made on and the next.
const DAYS: i64 = 1;
/// Officers read a policy first.
const DAYS_FOR_A_POLICY: i64 = 7;
const MOST_LISTED: usize = 20;
