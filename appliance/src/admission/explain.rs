//! The decision told rule by rule and limit by limit, by the same code that decides.

use appliance_wire::{
    Accepted, Amount, ExplainedAmount, ExplainedHold, ExplainedLimit, ExplainedOutcome, ExplainedPayment,
    ExplainedRule, Explanation,
};

use super::{
    Application, Decision, Payments, Stop, acceptance, decide, payments as resolve,
    payments::KnownPayments,
    rules::{self, Fit, Matter},
    withdrawal,
};
use crate::{
    clock::Moment,
    policy::{Action, Policy, PolicyKey},
    state::{Bindings, Charge, State, charges_of},
};

/// What would be decided, and why. As much of it is told as can be known.
///
/// # Errors
/// The log cannot be read.
pub fn explain<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
    moment: Moment,
) -> Result<Explanation, B::Error> {
    let decision = decide(state, bindings, application, moment)?;
    let mut explanation = Explanation {
        request_id: application.command.request_id.as_str().to_owned(),
        outcome: ExplainedOutcome::Refuse,
        problem: None,
        amounts_verified: false,
        payments: Vec::new(),
        change: Vec::new(),
        fee: None,
        limits: Vec::new(),
        holds: Vec::new(),
    };
    explanation.outcome = match &decision {
        Decision::Bound(_) => ExplainedOutcome::Bound,
        Decision::Accepted(_) => ExplainedOutcome::Sign,
        Decision::Pending(..) => ExplainedOutcome::Approve,
        Decision::Refused(refusal) => {
            explanation.problem = Some(*refusal.clone().of_request(&explanation.request_id).problem);
            ExplainedOutcome::Refuse
        }
    };
    let Some(policy) = state.policy.as_deref() else { return Ok(explanation) };
    let key = policy.granted_key(application.watcher, &application.command.key);
    let Some(key) = key else { return Ok(explanation) };
    let Ok(payments) = Stop::settle(resolve(state, bindings, policy, key, application.facts))? else {
        return Ok(explanation);
    };
    tell_payments(&mut explanation, policy, application.watcher, key, &payments, moment);
    let accepted = acceptance(application, key, &payments, Vec::new());
    // A variant is charged for its increase; as which variant it would count, the decision says.
    let accepted = match decision {
        Decision::Accepted(allowed) | Decision::Pending(allowed, _) => allowed.accepted,
        Decision::Bound(_) | Decision::Refused(_) => accepted,
    };
    if explanation.outcome != ExplainedOutcome::Bound {
        explanation.limits = limits(state, policy, &accepted, moment);
        explanation.holds = holds(state, bindings, application, &accepted)?;
    }
    Ok(explanation)
}

fn tell_payments(
    explanation: &mut Explanation,
    policy: &Policy,
    watcher: &str,
    key: &PolicyKey,
    payments: &Payments,
    moment: Moment,
) {
    let known = payments.known();
    explanation.amounts_verified = known.is_some_and(|known| known.verified);
    explanation.payments = rules::matters(payments)
        .iter()
        .map(|matter| ExplainedPayment {
            paid: matter.paid.zip(matter.known).map(|(paid, known)| ExplainedAmount {
                asset: known.asset.name.clone(),
                amount: text(paid.amount, known.asset.decimals),
                destination: Some(paid.destination.clone()),
            }),
            // Of keys not granted the caller learns nothing, not even that an address is of one.
            ours: matter
                .paid
                .and_then(|paid| paid.owner.as_ref())
                .filter(|owner| policy.grants(watcher, owner))
                .map(ToString::to_string),
            rules: asked(policy, watcher, key, matter, known, moment),
        })
        .collect();
    explanation.change = payments
        .change_for_entry()
        .into_iter()
        .map(|change| ExplainedAmount {
            asset: change.asset,
            amount: change.amount.as_str().to_owned(),
            destination: Some(change.destination),
        })
        .collect();
    explanation.fee = payments.fee_for_entry().map(|fee| ExplainedAmount {
        asset: fee.asset,
        amount: fee.amount.as_str().to_owned(),
        destination: None,
    });
}

/// The rules up to the one that decides.
fn asked(
    policy: &Policy,
    watcher: &str,
    key: &PolicyKey,
    matter: &Matter<'_>,
    known: Option<&KnownPayments>,
    moment: Moment,
) -> Vec<ExplainedRule> {
    let mut told = Vec::new();
    for rule in rules::asked(policy, watcher, key, matter) {
        let fit = rules::fit(policy, rule, matter, moment);
        let (matches, reason) = match fit {
            Fit::Far(reason) => (false, reason.to_owned()),
            Fit::Near(reason) | Fit::Undecidable(reason) => (false, reason),
            Fit::Matches => match (&rule.action, known.map(|known| rules::check_fee(rule, known))) {
                (Action::Deny, _) => (true, "it denies".to_owned()),
                (Action::Sign | Action::Approve(_), Some(Err(refusal))) => (true, refusal.problem.detail),
                (Action::Approve(approvers), _) => {
                    (true, format!("it asks for {} of {} officers", approvers.approve, approvers.of.len()))
                }
                (Action::Sign, _) => (true, "it signs".to_owned()),
            },
        };
        told.push(ExplainedRule { rule: rule.name.clone(), matches, reason });
        if matches {
            break;
        }
    }
    told
}

fn limits(state: &State, policy: &Policy, accepted: &Accepted, moment: Moment) -> Vec<ExplainedLimit> {
    let charges = charges_of(policy, accepted).unwrap_or_default();
    let told = |charge: &Charge| {
        let limit = policy.limits.get(charge.limit)?;
        let decimals = policy.decimals_of(limit);
        let (used, _) = state.usage.used(charge.limit, &charge.scope, moment.elapsed);
        Some(ExplainedLimit {
            limit: limit.name.clone(),
            per: Some(charge.scope.clone()).filter(|scope| !scope.is_empty()),
            asset: limit.asset.clone(),
            max: text(limit.most(), decimals),
            used: text(used, decimals),
            adds: text(charge.amount, decimals),
            fits: state.usage.spent(std::slice::from_ref(charge), moment.elapsed).next().is_none(),
        })
    };
    charges.iter().filter_map(told).collect()
}

fn holds<B: Bindings>(
    state: &State,
    bindings: &B,
    application: &Application<'_>,
    accepted: &Accepted,
) -> Result<Vec<ExplainedHold>, B::Error> {
    let mut told = Vec::new();
    for hold in accepted.transaction.iter().flat_map(|transaction| &transaction.holds) {
        let free = withdrawal::hold_free(state, bindings, application, accepted, hold, [None; 2]);
        let free = Stop::settle(free)?.is_ok();
        told.push(ExplainedHold { hold: hold.clone(), free });
    }
    Ok(told)
}

fn text(amount: Amount, decimals: u8) -> String {
    amount.to_decimal(decimals).as_str().to_owned()
}
