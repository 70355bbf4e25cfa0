//! The decision: may this be signed? Pure: looks at state, policy and request, does no I/O but look-ups in the log.
//!
//! The same function decides for the writer, and again for every auditor who replays the log.

use std::collections::{BTreeMap, btree_map::Entry};

use appliance_wire::{self as wire, Accepted, ProblemCode};

use crate::{
    clock::Moment,
    command::SignCommand,
    evidence::Facts,
    policy::{Action, Policy, PolicyKey},
    refusal::Refusal,
    state::{Binding, BindingKey, Bindings, Bound, Charge, Outcome, Spent, State, charges_of},
};

mod again;
mod approval;
mod explain;
mod owners;
mod payments;
mod rules;
mod standing;
mod stop;
mod withdrawal;

use approval::{Asked, Because};
use stop::Stop;

pub use again::{accept_again, ask_again};
pub use approval::{Approval, Wants};
pub use explain::explain;
pub use payments::Payments;
pub(crate) use standing::frozen_refusal;

/// A request with who asks and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Application<'a> {
    /// The watcher's name.
    pub watcher: &'a str,
    /// What it asks.
    pub command: &'a SignCommand,
    /// What is known of it.
    pub facts: &'a Facts,
    /// What officers agreed to, where it waited for them.
    pub approval: Option<Approval<'a>>,
}

/// What was decided.
#[derive(Clone, Debug)]
pub enum Decision {
    /// The id is bound to this very content already.
    Bound(Binding),
    /// May be signed, once this is in the log.
    Accepted(Box<Allowed>),
    /// May be signed once officers agree.
    Pending(Box<Allowed>, Wants),
    /// May not.
    Refused(Refusal),
}

/// What may be signed.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// As it enters the log.
    pub accepted: Accepted,
    /// Index of a request that waits, and is withdrawn by this one.
    pub withdraws: Option<u64>,
    /// What of the things it uses up nobody holds.
    pub free_holds: Vec<String>,
}

/// Decides an application at a moment.
///
/// # Errors
/// The log cannot be read: nothing is known, so nothing may be decided.
pub fn decide<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
    moment: Moment,
) -> Result<Decision, B::Error> {
    let decision = Stop::settle(consider(state, bindings, application, moment))?;
    Ok(decision.unwrap_or_else(Decision::Refused))
}

/// Every question in its order; the first no ends it.
fn consider<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
    moment: Moment,
) -> Result<Decision, Stop<B::Error>> {
    standing::not_frozen(state, application)?;
    if let Some(binding) = existing(bindings, application)? {
        return Ok(Decision::Bound(binding));
    }
    let policy = state.policy.as_deref().ok_or_else(standing::no_policy)?;
    let (mut accepted, mut asked) = allowed(state, policy, bindings, application, moment)?;
    let replaced = withdrawal::replaced(state, bindings, application, &accepted)?;
    accepted.variant = replaced.variant;
    accepted.replaces = application.command.request.replaces.clone().filter(|_| accepted.variant.is_none());
    asked.extend(within_limits(state, policy, &accepted, moment)?.1);
    withdrawal::references_free(bindings, application, &accepted)?;
    let own = [replaced.withdraws, application.approval.map(|approval| approval.pending)];
    let free_holds = withdrawal::holds_free(state, bindings, application, &accepted, own)?;
    let unmet = approval::unmet(&asked, application.approval, moment.elapsed);
    if unmet.is_some() && !moment.wall_trusted {
        return Err(approval::clock_untrusted().into());
    }
    let allowed = Box::new(Allowed { accepted, withdraws: replaced.withdraws, free_holds });
    Ok(match unmet {
        None => Decision::Accepted(allowed),
        Some(wants) => Decision::Pending(allowed, wants),
    })
}

/// Looks again before another attempt at an accepted request: grant, rules, freeze and expiry, never budget, which was
/// spent at acceptance.
///
/// # Errors
/// The log cannot be read. Within: the refusal by which the request lapses.
pub fn still_allowed<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
    moment: Moment,
) -> Result<Result<(), Refusal>, B::Error> {
    Stop::settle(allowed_still(state, bindings, application, moment))
}

fn allowed_still<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
    moment: Moment,
) -> Result<(), Stop<B::Error>> {
    standing::not_frozen(state, application)?;
    let policy = state.policy.as_deref().ok_or_else(standing::no_policy)?;
    let (_, asked) = allowed(state, policy, bindings, application, moment)?;
    match approval::unmet(&asked, application.approval, moment.elapsed) {
        None => Ok(()),
        Some(wants) => {
            let by = wants.wanted.first().map_or("a rule", |wanted| wanted.because.as_str());
            let detail = format!("it would need officers' approval by now ({by})");
            Err(Refusal::new(ProblemCode::Denied, detail).rule("approval").into())
        }
    }
}

/// What a refused request would have paid, where it is known and short.
///
/// # Errors
/// The log cannot be read.
pub fn asked<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
) -> Result<Option<wire::Asked>, B::Error> {
    let Some(policy) = state.policy.as_deref() else { return Ok(None) };
    let Some(key) = policy.key(&application.command.key) else { return Ok(None) };
    let Ok(payments) = Stop::settle(payments(state, bindings, policy, key, application.facts))? else {
        return Ok(None);
    };
    let asked = wire::Asked {
        key: key.name.clone(),
        items: application.command.inputs.len() as u64,
        payments: payments.for_entry(),
        fee: payments.fee_for_entry(),
    };
    // A refusal costs nothing to make, so what it writes is bounded.
    Ok((asked.payments.len() <= MOST_PAYMENTS_OF_A_REFUSAL).then_some(asked))
}

const MOST_PAYMENTS_OF_A_REFUSAL: usize = 8;

/// Is the id bound already? To the same content: that answer stands, for ever. To other content: a conflict, for ever.
fn existing<B: Bindings>(bindings: &B, application: &Application<'_>) -> Result<Option<Binding>, Stop<B::Error>> {
    let request_id = application.command.request_id.as_str();
    let key = BindingKey::request(application.watcher, request_id);
    let Some(binding) = bindings.binding(&key).map_err(Stop::Unreadable)? else { return Ok(None) };
    if application.approval.is_some_and(|approval| approval.pending == binding.accepted) {
        return Ok(None); // what waited is decided now
    }
    let bound = Bound::read(bindings, binding).map_err(Stop::Unreadable)?;
    if bound.is_for(&application.command.content, &application.command.request) {
        return Ok(Some(binding));
    }
    let detail = format!(
        "request {request_id} is bound to other content since entry {}: take a new id for a new withdrawal, or send \
         the same content again",
        binding.accepted
    );
    Err(Refusal::new(ProblemCode::RequestConflict, detail).held_by(request_id).into())
}

/// Grant, expiry, amounts and rules; and whom the rules ask for.
fn allowed<'p, B: Bindings>(
    state: &State,
    policy: &'p Policy,
    bindings: &B,
    application: &Application<'_>,
    moment: Moment,
) -> Result<(Accepted, Vec<Asked<'p>>), Stop<B::Error>> {
    let key = standing::granted(state, policy, application)?;
    standing::check_expiry(application.command, moment)?;
    standing::check_inputs(key, application.command)?;
    let payments = payments(state, bindings, policy, key, application.facts)?;
    let rules = rules::decide(policy, application.watcher, key, &payments, moment)?;
    let asked = rules.iter().filter_map(|rule| match &rule.action {
        Action::Approve(approvers) => Some(Asked { because: Because::Rule(&rule.name), approvers }),
        Action::Sign | Action::Deny => None,
    });
    let names = rules.iter().map(|rule| rule.name.clone()).collect();
    Ok((acceptance(application, key, &payments, names), asked.collect()))
}

/// The acceptance a request comes to by these rules.
fn acceptance(application: &Application<'_>, key: &PolicyKey, payments: &Payments, rules: Vec<String>) -> Accepted {
    let command = application.command;
    Accepted {
        watcher: application.watcher.to_owned(),
        request_id: command.request_id.clone(),
        content: command.content.clone(),
        key: command.key.clone(),
        evidence: key.evidence.name().to_owned(),
        amounts_verified: payments.known().is_some_and(|known| known.verified),
        items: command.request.items.clone(),
        transfer: command.request.transfer.clone(),
        transaction: application.facts.transaction.clone(),
        payments: payments.for_entry(),
        change: payments.change_for_entry(),
        fee: payments.fee_for_entry(),
        rules,
        variant: None,
        replaces: None,
        expires_at: command.request.expires_at.clone(),
        approval: application
            .approval
            .map(|approval| wire::Approval { pending: approval.pending, officers: approval.officers.to_vec() }),
    }
}

/// What the request pays, with the owner of each destination looked up first.
fn payments<B: Bindings>(
    state: &State,
    bindings: &B,
    policy: &Policy,
    key: &PolicyKey,
    facts: &Facts,
) -> Result<Payments, Stop<B::Error>> {
    let read = facts.transaction.iter().flat_map(|transaction| &transaction.outputs);
    let read = read.map(|output| output.destination.clone());
    let said = facts.transfer.iter().flat_map(|transfer| {
        let chain = policy.asset(&transfer.asset).map(|asset| asset.chain);
        let normal = move |destination: &String| chain?.normal_destination(destination).ok();
        transfer.outputs.iter().filter_map(move |output| normal(&output.destination))
    });
    let mut owners = BTreeMap::new();
    for destination in read.chain(said) {
        if let Entry::Vacant(place) = owners.entry(destination) {
            let owner = owners::owner(state, bindings, place.key()).map_err(Stop::Unreadable)?;
            place.insert(owner);
        }
    }
    let owner = |destination: &str| owners.get(destination).cloned().flatten();
    Ok(Payments::resolve(policy, key, facts, &owner)?)
}

/// What an acceptance counts for, where its limits have room for it, or ask officers beyond that: then whom.
fn within_limits<'p>(
    state: &State,
    policy: &'p Policy,
    accepted: &Accepted,
    moment: Moment,
) -> Result<(Vec<Charge>, Vec<Asked<'p>>), Refusal> {
    let charges = charges_of(policy, accepted).map_err(|reason| Refusal::new(ProblemCode::Malformed, reason))?;
    let asked = fits(state, policy, &charges, moment)?;
    Ok((charges, asked))
}

fn fits<'p>(state: &State, policy: &'p Policy, charges: &[Charge], moment: Moment) -> Result<Vec<Asked<'p>>, Refusal> {
    let mut asked: Vec<Asked<'p>> = Vec::new();
    for spent in state.usage.spent(charges, moment.elapsed) {
        let limit = policy.limits.get(spent.limit);
        let Some((limit, approvers)) = limit.and_then(|limit| limit.beyond.as_ref().map(|beyond| (limit, beyond)))
        else {
            return Err(limit_exceeded(policy, &spent, moment));
        };
        asked.push(Asked { because: Because::Limit(&limit.name), approvers });
    }
    Ok(asked)
}

fn limit_exceeded(policy: &Policy, spent: &Spent, moment: Moment) -> Refusal {
    let Some(limit) = policy.limits.get(spent.limit) else {
        return Refusal::new(ProblemCode::LimitExceeded, "a limit is spent");
    };
    let remaining = spent.remaining.to_decimal(policy.decimals_of(limit));
    let unit = limit.asset.as_deref().unwrap_or("signatures");
    let frees_at = spent.frees_at.and_then(|at| moment.wall_time_at(at));
    let what_to_do = match frees_at {
        Some(at) => format!("enough is free again at {at}"),
        None if limit.is_lifetime() => "it never frees: have the limit raised".to_owned(),
        None => "this request is over the whole limit: split it, or have the limit raised".to_owned(),
    };
    let window = if limit.is_lifetime() { "for its lifetime" } else { "in its window" };
    let detail = format!("limit \"{}\" has {remaining} {unit} left {window}: {what_to_do}", limit.name);
    let mut refusal = Refusal::new(ProblemCode::LimitExceeded, detail);
    refusal.problem.limit = Some(limit.name.clone());
    refusal.problem.remaining = Some(remaining.as_str().to_owned());
    refusal.problem.frees_at = frees_at.map(|at| at.to_string());
    refusal
}

/// Whether an outcome is one that an attempt may still change.
#[must_use]
pub fn is_open(binding: &Binding) -> bool {
    binding.outcome == Outcome::Open
}

/// What a request with these facts pays, and the rules that let it pass: freezes, limits and the log apart.
#[cfg(test)]
pub(crate) fn passed_by<'p>(
    policy: &'p Policy,
    (watcher, key): (&str, &PolicyKey),
    facts: &Facts,
    owner: &dyn Fn(&str) -> Option<hsm_types::KeyLabel>,
    moment: Moment,
) -> Option<(Payments, Vec<&'p crate::policy::Rule>)> {
    let payments = Payments::resolve(policy, key, facts, owner).ok()?;
    let rules = rules::decide(policy, watcher, key, &payments, moment).ok()?;
    Some((payments, rules))
}

#[cfg(test)]
mod tests;
