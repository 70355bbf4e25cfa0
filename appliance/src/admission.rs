//! The decision: may this be signed? Pure: looks at state, policy and request, does no I/O but look-ups in the log.
//!
//! The same function decides for the writer, and again for every auditor who replays the log.

use appliance_wire::{Accepted, Body, ProblemCode};

use crate::{
    clock::Moment,
    command::SignCommand,
    evidence::Facts,
    policy::{Max, Policy},
    refusal::Refusal,
    state::{Binding, BindingKey, Bindings, Charge, Outcome, Spent, State, charges_of},
};

mod payments;
mod rules;
mod standing;

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
}

/// What was decided.
#[derive(Clone, Debug)]
pub enum Decision {
    /// The id is bound to this very content already.
    Bound(Binding),
    /// May be signed, once this is in the log.
    Accepted(Box<Accepted>),
    /// May not.
    Refused(Refusal),
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
    if let Some(refusal) = standing::frozen(state, application.watcher, &application.command.key) {
        return Ok(Decision::Refused(refusal));
    }
    if let Some(decision) = existing(bindings, application)? {
        return Ok(decision);
    }
    let accepted = match allowed(state, application, moment) {
        Ok(accepted) => accepted,
        Err(refusal) => return Ok(Decision::Refused(refusal)),
    };
    if let Err(refusal) = within_limits(state, &accepted, moment) {
        return Ok(Decision::Refused(refusal));
    }
    if let Some(refusal) = reference_taken(bindings, application, &accepted)? {
        return Ok(Decision::Refused(refusal));
    }
    Ok(Decision::Accepted(Box::new(accepted)))
}

/// Looks again before another attempt at an accepted request: grant, rules, freeze and expiry, never budget, which was
/// spent at acceptance.
///
/// # Errors
/// The refusal by which the request lapses.
pub fn still_allowed(state: &State, application: &Application<'_>, moment: Moment) -> Result<(), Refusal> {
    if let Some(refusal) = standing::frozen(state, application.watcher, &application.command.key) {
        return Err(refusal);
    }
    allowed(state, application, moment).map(|_| ())
}

/// Is the id bound already? To the same content: that answer stands, for ever. To other content: a conflict, for ever.
fn existing<B: Bindings>(bindings: &B, application: &Application<'_>) -> Result<Option<Decision>, B::Error> {
    let request_id = application.command.request_id.as_str();
    let Some(binding) = bindings.binding(&BindingKey::request(application.watcher, request_id))? else {
        return Ok(None);
    };
    let entry = bindings.entry(binding.accepted)?;
    let bound = if let Body::Accepted(accepted) = &entry.body { Some(&accepted.content) } else { None };
    if bound == Some(&application.command.content) {
        return Ok(Some(Decision::Bound(binding)));
    }
    let detail = format!(
        "request {request_id} is bound to other content since entry {}: take a new id for a new withdrawal, or send \
         the same content again",
        binding.accepted
    );
    let refusal = Refusal::new(ProblemCode::RequestConflict, detail).held_by(request_id);
    Ok(Some(Decision::Refused(refusal)))
}

/// Grant, expiry, amounts and rules.
fn allowed(state: &State, application: &Application<'_>, moment: Moment) -> Result<Accepted, Refusal> {
    let policy = state.policy.as_deref().ok_or_else(standing::no_policy)?;
    let key = standing::granted(state, policy, application)?;
    standing::check_expiry(application.command, moment)?;
    standing::check_inputs(key, application.command)?;
    let payments = Payments::resolve(policy, key, application.facts)?;
    let rules = rules::decide(policy, application.watcher, key, &payments, moment)?;
    let command = application.command;
    Ok(Accepted {
        watcher: application.watcher.to_owned(),
        request_id: command.request_id.clone(),
        content: command.content.clone(),
        key: command.key.clone(),
        evidence: key.evidence.name().to_owned(),
        amounts_verified: false,
        items: command.request.items.clone(),
        transfer: command.request.transfer.clone(),
        transaction: None,
        change: Vec::new(),
        variant: None,
        payments: payments.for_entry(),
        fee: payments.fee_for_entry(),
        rules,
        expires_at: command.request.expires_at.clone(),
    })
}

fn within_limits(state: &State, accepted: &Accepted, moment: Moment) -> Result<(), Refusal> {
    let Some(policy) = state.policy.as_deref() else { return Err(standing::no_policy()) };
    let charges: Vec<Charge> =
        charges_of(policy, accepted).map_err(|reason| Refusal::new(ProblemCode::Malformed, reason))?;
    state.usage.check(&charges, moment.elapsed).map_err(|spent| limit_exceeded(policy, &spent, moment))
}

fn limit_exceeded(policy: &Policy, spent: &Spent, moment: Moment) -> Refusal {
    let Some(limit) = policy.limits.get(spent.limit) else {
        return Refusal::new(ProblemCode::LimitExceeded, "a limit is spent");
    };
    let decimals = limit.asset.as_deref().and_then(|asset| policy.asset(asset)).map_or(0, |asset| asset.decimals);
    let (remaining, unit) = match limit.max {
        Max::Amount(_) => (spent.remaining.to_decimal(decimals), limit.asset.as_deref().unwrap_or_default()),
        Max::Signatures(_) => (spent.remaining.to_decimal(0), "signatures"),
    };
    let frees_at = spent.frees_at.and_then(|at| {
        let wait = jiff::SignedDuration::from_millis(i64::try_from(at.saturating_sub(moment.elapsed)).ok()?);
        moment.time.checked_add(wait).ok()
    });
    let what_to_do = match frees_at {
        Some(at) => format!("enough is free again at {at}"),
        None => "this request is over the whole limit: split it, or have the limit raised".to_owned(),
    };
    let detail = format!("limit \"{}\" has {remaining} {unit} left in its window: {what_to_do}", limit.name);
    let mut refusal = Refusal::new(ProblemCode::LimitExceeded, detail);
    refusal.problem.limit = Some(limit.name.clone());
    refusal.problem.remaining = Some(remaining.as_str().to_owned());
    refusal.problem.frees_at = frees_at.map(|at| at.to_string());
    refusal
}

/// A reference belongs for ever to the first withdrawal, destination and amount that used it.
fn reference_taken<B: Bindings>(
    bindings: &B,
    application: &Application<'_>,
    accepted: &Accepted,
) -> Result<Option<Refusal>, B::Error> {
    let outputs = accepted.transfer.iter().flat_map(|transfer| &transfer.outputs);
    for reference in outputs.filter_map(|output| output.reference.as_ref()) {
        let key = BindingKey::reference(application.watcher, reference.as_str());
        let Some(binding) = bindings.binding(&key)? else { continue };
        let entry = bindings.entry(binding.accepted)?;
        let holder = if let Body::Accepted(holder) = &entry.body { holder.request_id.as_str() } else { "unknown" };
        let detail = format!(
            "reference {reference} was paid by request {holder}: ask for that request's result instead of paying again"
        );
        return Ok(Some(Refusal::new(ProblemCode::RequestConflict, detail).held_by(holder)));
    }
    Ok(None)
}

/// Whether an outcome is one that an attempt may still change.
#[must_use]
pub fn is_open(binding: &Binding) -> bool {
    binding.outcome == Outcome::Open
}

#[cfg(test)]
mod tests;
