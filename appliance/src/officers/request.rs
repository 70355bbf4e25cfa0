//! What can be asked of officers, and the act each comes to.

use appliance_wire::{Body, Entry, KeyEnd, ProblemCode, Scope, canonical, tree::leaf_hash};
use hsm_types::KeyLabel;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Act, Content, agreement::CLOCK};
use crate::{
    policy::{Policy, Quorum, loosenings},
    refusal::Refusal,
    state::{Binding, BindingKey, Bindings, Outcome, State},
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

/// A policy, as it would follow the one in force.
fn install(state: &State, document: &str, namespace: &'static str, title: &str) -> Result<Act, Refusal> {
    let candidate =
        Policy::parse(document).map_err(|mistakes| Refusal::new(ProblemCode::Malformed, mistakes.to_string()))?;
    let in_force = state.policy.as_deref().ok_or_else(|| nothing("no policy is in force to follow".to_owned()))?;
    let loosens = loosenings(in_force, &candidate);
    let mut facts = vec![
        ("after", format!("version {}, sha256 {}", in_force.version, in_force.sha256)),
        ("sha256", candidate.sha256.clone()),
        ("policies so far", state.policy_entries.to_string()),
    ];
    let first = loosens.iter().take(MOST_LISTED).map(|loosening| ("loosens", loosening.to_string()));
    facts.extend(first);
    if loosens.is_empty() {
        facts.push(("loosens", "nothing".to_owned()));
    } else if loosens.len() > MOST_LISTED {
        facts.push(("loosens", format!("and {} more, see `chancery policy diff`", loosens.len() - MOST_LISTED)));
    }
    let title = format!("{title} version {}", candidate.version);
    Ok(Act { namespace, title, facts, content: Content::Days(DAYS_FOR_A_POLICY) })
}

fn veto<B: Bindings>(state: &State, log: &B, version: u64) -> Result<Act, Refusal>
where
    B::Error: std::fmt::Display,
{
    let waiting = state.waiting_policy.as_ref().filter(|waiting| waiting.policy.version == version);
    let waiting = waiting.ok_or_else(|| nothing(format!("no policy version {version} waits to come into force")))?;
    let (_, leaf) = entry(log, waiting.entry)?;
    let facts = vec![("entry", waiting.entry.to_string()), ("leaf", leaf), ("sha256", waiting.policy.sha256.clone())];
    let title = format!("veto policy version {version}");
    Ok(Act { namespace: "chancery-veto", title, facts, content: Content::Days(DAYS) })
}

/// Bound to the entry that waits: its leaf hash has a salt, so nothing else has it.
fn on_pending<B: Bindings>(
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
    Ok(Act { namespace, title, facts, content: Content::Until(waiting.expires_at) })
}

fn unfreeze<B: Bindings>(state: &State, log: &B, what: &Scope, reason: &str) -> Result<Act, Refusal>
where
    B::Error: std::fmt::Display,
{
    let since = state.frozen.get(what);
    let since = since.ok_or_else(|| nothing(format!("{what} is not frozen; `chancery status` lists what is")))?;
    let (_, leaf) = entry(log, *since)?;
    let facts = vec![("frozen by entry", since.to_string()), ("leaf", leaf), ("reason", reason.to_owned())];
    Ok(Act { namespace: "chancery-unfreeze", title: format!("unfreeze {what}"), facts, content: Content::Days(DAYS) })
}

fn clock(state: &State, time: Timestamp, credit_ms: u64) -> Act {
    let mut facts = vec![("time", time.to_string()), ("clock of entry", state.clock_entry.to_string())];
    if credit_ms > 0 {
        facts.push(("credit", format!("{} s in which the machine was off count as passed", credit_ms / 1_000)));
    }
    let title = "accept the wall clock".to_owned();
    Act { namespace: CLOCK, title, facts, content: Content::Days(DAYS) }
}

fn release<B: Bindings>(log: &B, watcher: &str, request_id: &str) -> Result<Act, Refusal>
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
    Ok(Act { namespace: "chancery-release", title, facts, content: Content::Days(DAYS) })
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

fn on_key(
    state: &State,
    key: &KeyLabel,
    end: Option<&KeyEnd>,
    namespace: &'static str,
    title: &str,
) -> Result<Act, Refusal> {
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
    Ok(Act { namespace, title: format!("{title} {key}"), facts, content: Content::Days(DAYS) })
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

fn nothing(detail: String) -> Refusal {
    Refusal::new(ProblemCode::Malformed, detail)
}

/// The namespace of what custodians sign with the key made of their shares.
pub(crate) const RENEWAL: &str = "chancery-renewal";
/// A text serves the day it is made on and the next.
const DAYS: i64 = 1;
/// Officers read a policy first.
const DAYS_FOR_A_POLICY: i64 = 7;
const MOST_LISTED: usize = 20;
