//! Rules: for each destination the first that matches decides, and the request gets the strictest answer.

use appliance_wire::{Amount, ProblemCode};

use super::{
    Payments,
    payments::{KnownPayments, Paid},
};
use crate::{
    clock::Moment,
    policy::{Action, Destinations, Policy, PolicyKey, Rule},
    refusal::Refusal,
};

/// One thing rules are asked about: a destination and what it gets, or a request that pays nobody.
pub(super) struct Matter<'a> {
    pub(super) paid: Option<&'a Paid>,
    pub(super) known: Option<&'a KnownPayments>,
}

impl Matter<'_> {
    fn amount(&self) -> Amount {
        self.paid.map_or(Amount::ZERO, |paid| paid.amount)
    }
}

/// How a rule of the watcher and the key looks at a matter.
pub(super) enum Fit {
    /// It decides.
    Matches,
    /// It is about something else.
    Far(&'static str),
    /// It is about this, but not so much, or not now.
    Near(String),
    /// Whether it is about this cannot be judged; passing over it might pass over a denial.
    Undecidable(String),
}

/// What the rules are asked about, one after the other.
pub(super) fn matters(payments: &Payments) -> Vec<Matter<'_>> {
    let known = payments.known();
    let outputs = known.into_iter().flat_map(|known| &known.outputs);
    let mut matters: Vec<Matter<'_>> = outputs.map(|paid| Matter { paid: Some(paid), known }).collect();
    if matters.is_empty() {
        matters.push(Matter { paid: None, known });
    }
    matters
}

/// The rules by which the request may be signed.
pub(super) fn decide<'a>(
    policy: &'a Policy,
    watcher: &str,
    key: &PolicyKey,
    payments: &Payments,
    moment: Moment,
) -> Result<Vec<&'a Rule>, Refusal> {
    let mut matched: Vec<&'a Rule> = Vec::new();
    for matter in &matters(payments) {
        let rule = first_match(policy, watcher, key, matter, moment)?;
        if !matched.iter().any(|other| other.name == rule.name) {
            matched.push(rule);
        }
    }
    if let Some(rule) = matched.iter().find(|rule| rule.action == Action::Deny) {
        return Err(denied(rule, format!("rule \"{}\" denies it", rule.name)));
    }
    if let Some(known) = payments.known() {
        matched.iter().try_for_each(|rule| check_fee(rule, known))?;
    }
    Ok(matched)
}

fn first_match<'a>(
    policy: &'a Policy,
    watcher: &str,
    key: &PolicyKey,
    matter: &Matter<'_>,
    moment: Moment,
) -> Result<&'a Rule, Refusal> {
    let mut near: Option<(&Rule, String)> = None;
    for rule in asked(policy, watcher, key, matter) {
        match fit(policy, rule, matter, moment) {
            Fit::Matches => return Ok(rule),
            // The rule that misses only by an amount or an hour tells a person more than "nothing matches".
            Fit::Undecidable(reason) => return Err(denied(rule, reason)),
            Fit::Near(reason) => near = near.or(Some((rule, reason))),
            Fit::Far(_) => {}
        }
    }
    Err(match near {
        Some((rule, reason)) => denied(rule, format!("{reason}; no other rule matches")),
        None => Refusal::new(ProblemCode::Denied, "no rule matches this request, and what no rule allows is denied")
            .rule("default"),
    })
}

/// The rules of the watcher and the key, in order. Where one of them signs what pays nobody (`destinations = "self"`),
/// rules that sign payments to anyone are not asked about that: their ceilings are meant for payments.
pub(super) fn asked<'a>(
    policy: &'a Policy,
    watcher: &str,
    key: &PolicyKey,
    matter: &Matter<'_>,
) -> impl Iterator<Item = &'a Rule> {
    let named: Vec<&Rule> = policy.rules.iter().filter(|rule| rule.names(watcher, &key.name)).collect();
    let own = |rule: &&Rule| rule.destinations == Some(Destinations::OwnFamily);
    let passes_over = matter.paid.is_none() && named.iter().any(own);
    named.into_iter().filter(move |rule| !passes_over || rule.action == Action::Deny || own(rule))
}

/// How `rule` looks at `matter`.
pub(super) fn fit(policy: &Policy, rule: &Rule, matter: &Matter<'_>, moment: Moment) -> Fit {
    if let Some(reason) = elsewhere(policy, rule, matter) {
        return Fit::Far(reason);
    }
    let total = matter.known.map_or(Amount::ZERO, |known| known.total);
    let over = over(rule, matter, rule.max_amount, matter.amount(), "one destination's sum of")
        .or_else(|| over(rule, matter, rule.max_request_amount, total, "the sum of"));
    if let Some(reason) = over {
        return Fit::Near(reason);
    }
    let Some(hours) = &rule.hours else { return Fit::Matches };
    if !moment.wall_trusted {
        let reason = format!("the wall clock stepped, so the hours of rule \"{}\" cannot be judged", rule.name);
        return Fit::Undecidable(reason);
    }
    if hours.contains(moment.time) {
        return Fit::Matches;
    }
    Fit::Near(format!("it is outside the hours of rule \"{}\"", rule.name))
}

/// Why the rule is about something else altogether.
fn elsewhere(policy: &Policy, rule: &Rule, matter: &Matter<'_>) -> Option<&'static str> {
    let Some(known) = matter.known else {
        let about_money = [rule.max_amount, rule.max_request_amount, rule.max_fee].iter().any(Option::is_some)
            || rule.max_fee_share.is_some();
        let about_payments = about_money || rule.asset.is_some() || rule.destinations.is_some() || rule.call.is_some();
        return about_payments.then_some("it is about payments, which are not known");
    };
    if rule.asset.as_ref().is_some_and(|asset| *asset != known.asset.name) {
        return Some("it is about another asset");
    }
    match (&rule.call, &known.call) {
        (None, None) => {}
        (None, Some(_)) => return Some("it names no contract call, and this is one"),
        (Some(_), None) => return Some("it is about a contract call"),
        (Some(named), Some(call)) => {
            if named.contract != call.contract || !call.data.starts_with(&hex::encode(named.selector)) {
                return Some("it is about another contract call");
            }
        }
    }
    match &rule.destinations {
        None => None,
        Some(Destinations::OwnFamily) => matter.paid.map(|_| "it is about what pays nobody"),
        Some(Destinations::List(name)) => {
            let listed = policy.address_list(name).zip(matter.paid).is_some_and(|(list, paid)| {
                list.addresses.contains(&paid.destination)
                    || paid.owner.as_ref().is_some_and(|owner| list.keys.contains(owner))
            });
            (!listed).then_some("the destination is not in its list")
        }
    }
}

fn over(rule: &Rule, matter: &Matter<'_>, max: Option<Amount>, amount: Amount, what: &str) -> Option<String> {
    let max = max.filter(|max| amount > *max)?;
    let asset = &matter.known?.asset;
    let (amount, max) = (amount.to_decimal(asset.decimals), max.to_decimal(asset.decimals));
    Some(format!("{what} {amount} {} is over {max} of rule \"{}\"", asset.name, rule.name))
}

/// The ceilings of every rule that matched must hold for the whole fee.
pub(super) fn check_fee(rule: &Rule, known: &KnownPayments) -> Result<(), Refusal> {
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
