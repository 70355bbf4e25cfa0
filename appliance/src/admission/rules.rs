//! Rules: for each destination the first that matches decides, and the request gets the strictest answer.

use appliance_wire::{Amount, ProblemCode};

use super::{Payments, payments::KnownPayments};
use crate::{
    clock::Moment,
    policy::{Action, Policy, PolicyKey, Rule},
    refusal::Refusal,
};

/// One thing rules are asked about: a destination and what it gets, or a request that names none.
struct Matter<'a> {
    destination: Option<&'a str>,
    amount: Amount,
    known: Option<&'a KnownPayments>,
}

/// Names of the rules by which the request may be signed.
pub(super) fn decide(
    policy: &Policy,
    watcher: &str,
    key: &PolicyKey,
    payments: &Payments,
    moment: Moment,
) -> Result<Vec<String>, Refusal> {
    let known = match payments {
        Payments::Unknown => None,
        Payments::Known(known) => Some(&**known),
    };
    let mut matters: Vec<Matter<'_>> = known
        .iter()
        .flat_map(|known| &known.outputs)
        .map(|(destination, amount)| Matter { destination: Some(destination), amount: *amount, known })
        .collect();
    if matters.is_empty() {
        matters.push(Matter { destination: None, amount: Amount::ZERO, known });
    }
    let mut matched: Vec<&Rule> = Vec::new();
    for matter in &matters {
        let rule = first_match(policy, watcher, key, matter, moment)?;
        if !matched.iter().any(|other| other.name == rule.name) {
            matched.push(rule);
        }
    }
    if let Some(rule) = matched.iter().find(|rule| rule.action == Action::Deny) {
        return Err(denied(rule, format!("rule \"{}\" denies it", rule.name)));
    }
    if let Some(known) = known {
        matched.iter().try_for_each(|rule| check_fee(rule, known))?;
    }
    Ok(matched.into_iter().map(|rule| rule.name.clone()).collect())
}

fn first_match<'a>(
    policy: &'a Policy,
    watcher: &str,
    key: &PolicyKey,
    matter: &Matter<'_>,
    moment: Moment,
) -> Result<&'a Rule, Refusal> {
    let mut near: Option<(&Rule, String)> = None;
    for rule in &policy.rules {
        if !rule.watchers.iter().any(|name| name == watcher) || !rule.keys.contains(&key.name) {
            continue;
        }
        match misses(policy, rule, matter, moment) {
            None => return Ok(rule),
            // The rule that misses only by an amount or an hour tells a person more than "nothing matches".
            Some(Miss::Undecidable(reason)) => return Err(denied(rule, reason)),
            Some(Miss::Near(reason)) => near = near.or(Some((rule, reason))),
            Some(Miss::Far) => {}
        }
    }
    Err(match near {
        Some((rule, reason)) => denied(rule, format!("{reason}; no other rule matches")),
        None => Refusal::new(ProblemCode::Denied, "no rule matches this request, and what no rule allows is denied")
            .rule("default"),
    })
}

enum Miss {
    /// The rule is about something else.
    Far,
    /// The rule is about this, but not so much, or not now.
    Near(String),
    /// Whether the rule is about this cannot be judged; passing over it might pass over a denial.
    Undecidable(String),
}

fn misses(policy: &Policy, rule: &Rule, matter: &Matter<'_>, moment: Moment) -> Option<Miss> {
    let asset = matter.known.map(|known| &known.asset);
    let about_amounts = rule.max_amount.is_some() || rule.max_request_amount.is_some();
    if asset.is_none() && (about_amounts || rule.max_fee.is_some() || rule.max_fee_share.is_some()) {
        return Some(Miss::Far);
    }
    if rule.asset.is_some() && rule.asset.as_ref() != asset.map(|asset| &asset.name) {
        return Some(Miss::Far);
    }
    if let Some(list) = &rule.destinations {
        let list = policy.address_lists.iter().find(|candidate| candidate.name == *list);
        let listed = matter
            .destination
            .is_some_and(|address| list.is_some_and(|list| list.addresses.iter().any(|listed| listed == address)));
        if !listed {
            return Some(Miss::Far);
        }
    }
    let over = |max: Option<Amount>, amount: Amount, what: &str| {
        let max = max.filter(|max| amount > *max)?;
        let asset = asset?;
        let (amount, max) = (amount.to_decimal(asset.decimals), max.to_decimal(asset.decimals));
        Some(Miss::Near(format!("{what} {amount} {} is over {max} of rule \"{}\"", asset.name, rule.name)))
    };
    over(rule.max_amount, matter.amount, "one destination's sum of")
        .or_else(|| over(rule.max_request_amount, matter.known.map_or(Amount::ZERO, |known| known.total), "the sum of"))
        .or_else(|| {
            let hours = rule.hours.as_ref()?;
            if !moment.wall_trusted {
                let reason = format!("the wall clock stepped, so the hours of rule \"{}\" cannot be judged", rule.name);
                return Some(Miss::Undecidable(reason));
            }
            let reason = format!("it is outside the hours of rule \"{}\"", rule.name);
            (!hours.contains(moment.time)).then_some(Miss::Near(reason))
        })
}

/// The ceilings of every rule that matched must hold for the whole fee.
fn check_fee(rule: &Rule, known: &KnownPayments) -> Result<(), Refusal> {
    let Some((asset, fee)) = &known.fee else {
        if rule.max_fee.is_none() && rule.max_fee_share.is_none() {
            return Ok(());
        }
        return Err(denied(rule, format!("rule \"{}\" limits the fee: say it in transfer.fee", rule.name)));
    };
    if let Some(max) = rule.max_fee.filter(|max| fee > max) {
        let (fee, max) = (fee.to_decimal(asset.decimals), max.to_decimal(asset.decimals));
        return Err(denied(rule, format!("the fee of {fee} {} is over {max} of rule \"{}\"", asset.name, rule.name)));
    }
    let Some(share) = &rule.max_fee_share else { return Ok(()) };
    // A share compares like with like: on a token the fee is in another asset.
    if asset.name == known.asset.name && share.allows(*fee, known.total) {
        return Ok(());
    }
    Err(denied(rule, format!("the fee is over the share that rule \"{}\" allows of what is paid", rule.name)))
}

fn denied(rule: &Rule, detail: String) -> Refusal {
    Refusal::new(ProblemCode::Denied, detail).rule(rule.name.clone())
}
