//! Two lists of rules, compared over every amount, destination and hour.

use appliance_wire::Amount;

use super::super::{
    super::{Action, Policy, Rule, hours::Week},
    matter::Matter,
    places::Places,
    region::{Conditions, Region, Span},
    set::Set,
};

/// What the rules are compared over.
pub(super) struct Comparison<'c, 'p> {
    pub(super) matter: &'c Matter<'p>,
    pub(super) places: &'c Places<'p>,
    pub(super) weeks: &'c [Week],
}

/// What a rule of the candidate lets pass more easily than the rule in force.
#[derive(Clone, Debug)]
pub(in super::super) struct Difference<'p> {
    /// The rule of the candidate.
    pub(in super::super) after: &'p Rule,
    /// The rule in force, where one matches.
    pub(in super::super) before: Option<&'p Rule>,
    pub(in super::super) kind: Kind,
    /// Of what, about.
    pub(in super::super) region: Region,
    /// Whether it is so with a trusted wall clock, and not only without.
    pub(in super::super) is_trusted: bool,
    /// Whether it is so at every hour.
    pub(in super::super) is_always: bool,
}

/// By what it passes more easily.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Kind {
    /// It was denied.
    Denied,
    /// It took more approvals, or others.
    Approvals,
    /// Its fee had a lower ceiling.
    Fee,
}

/// A rule, as it looks at a matter.
struct Asked<'p> {
    rule: &'p Rule,
    denies: bool,
    conditions: Conditions,
}

impl Difference<'_> {
    /// Whether it is the same difference, of something else.
    pub(super) fn is_between_the_rules_of(&self, other: &Self) -> bool {
        let names = |one: &Self| (one.after.name.clone(), one.before.map(|rule| rule.name.clone()), one.kind);
        names(self) == names(other)
    }
}

impl<'p> Comparison<'_, 'p> {
    /// Every difference; none where it takes more than the steps that are left.
    pub(super) fn differences(
        &self,
        after: (&Policy, &[&'p Rule]),
        before: (&Policy, &[&'p Rule]),
        is_trusted: bool,
        steps: &mut usize,
    ) -> Option<Vec<Difference<'p>>> {
        let asked = |(policy, rules): (&Policy, &[&'p Rule])| {
            rules.iter().map(|rule| self.asked(policy, rule, is_trusted)).collect::<Vec<_>>()
        };
        let (after, before) = (asked(after), asked(before));
        let mut found: Vec<Difference<'p>> = Vec::new();
        let everything = self.everything();
        let mut open = vec![everything.clone()];
        for asked in &after {
            let (hits, rest) = split(open, &asked.conditions, steps)?;
            open = rest;
            if asked.denies {
                continue;
            }
            for (region, before) in decided(hits, &before, steps)? {
                let Some(kind) = kind(asked, before, &region) else { continue };
                let before = before.map(|asked| asked.rule);
                let difference = Difference { after: asked.rule, before, kind, region, is_trusted, is_always: false };
                match found.iter_mut().find(|other| other.is_between_the_rules_of(&difference)) {
                    Some(other) => other.region = other.region.hull(&difference.region),
                    None => found.push(difference),
                }
            }
        }
        for difference in &mut found {
            difference.is_always = difference.region.weeks == everything.weeks;
        }
        Some(found)
    }

    fn everything(&self) -> Region {
        let span = if matches!(self.matter, Matter::Paid(..)) { Span::ANY } else { Span::NOTHING };
        let weeks = self.weeks.iter().map(|week| Set::all(week.len())).collect();
        Region { amount: span, total: span, places: Set::all(self.places.len()), weeks }
    }

    fn asked(&self, policy: &Policy, rule: &'p Rule, is_trusted: bool) -> Asked<'p> {
        // Fees are no share of a token: such a ceiling never holds.
        let is_token = self.matter.asset().is_some_and(|asset| asset.contract.is_some());
        let is_undecidable = !is_trusted && rule.hours.is_some();
        let week = rule.hours.as_ref().filter(|_| is_trusted).and_then(|hours| {
            let (zone, week) = self.weeks.iter().enumerate().find(|(_, week)| week.is_of(hours))?;
            Some((zone, Set::of(week.len(), |part| week.is_in(part, hours))))
        });
        Asked {
            rule,
            denies: rule.action == Action::Deny || is_undecidable || (is_token && rule.max_fee_share.is_some()),
            conditions: Conditions {
                max_amount: rule.max_amount.unwrap_or(Amount::MAX),
                max_total: rule.max_request_amount.unwrap_or(Amount::MAX),
                places: self.places.of_rule(policy, rule),
                week,
            },
        }
    }
}

/// What of these regions meets the conditions, and what does not.
fn split(regions: Vec<Region>, conditions: &Conditions, steps: &mut usize) -> Option<(Vec<Region>, Vec<Region>)> {
    *steps = steps.checked_sub(regions.len())?;
    let (mut hits, mut rest) = (Vec::new(), Vec::new());
    for region in regions {
        let (hit, others) = region.split(conditions);
        hits.extend(hit);
        rest.extend(others);
    }
    Some((hits, rest))
}

/// The regions, each with the rule that decides it; none where no rule matches.
fn decided<'a, 'p>(
    regions: Vec<Region>,
    rules: &'a [Asked<'p>],
    steps: &mut usize,
) -> Option<Vec<(Region, Option<&'a Asked<'p>>)>> {
    let mut found = Vec::new();
    let mut open = regions;
    for asked in rules {
        let (hits, rest) = split(open, &asked.conditions, steps)?;
        found.extend(hits.into_iter().map(|hit| (hit, Some(asked))));
        open = rest;
    }
    found.extend(open.into_iter().map(|region| (region, None)));
    Some(found)
}

/// By what the candidate's rule is looser than the one in force, where it is.
fn kind(after: &Asked<'_>, before: Option<&Asked<'_>>, region: &Region) -> Option<Kind> {
    let Some(before) = before.filter(|before| !before.denies) else { return Some(Kind::Denied) };
    match (&after.rule.action, &before.rule.action) {
        (Action::Approve(after), Action::Approve(before)) if after.demand_as_much_as(before) => {}
        (_, Action::Approve(_)) => return Some(Kind::Approvals),
        _ => {}
    }
    (!is_fee_held(after.rule, before.rule, region.total)).then_some(Kind::Fee)
}

/// Whether every fee within the ceilings of one rule is within those of the other.
fn is_fee_held(after: &Rule, before: &Rule, total: Span) -> bool {
    let is_under = |max: Amount| {
        let share_is_less = |above: Amount| after.max_fee_share.is_some_and(|share| !share.allows(above, total.to));
        after.max_fee.is_some_and(|after| after <= max)
            || max.checked_add(Amount::from_units(1)).is_some_and(share_is_less)
    };
    before.max_fee.is_none_or(is_under)
        && before.max_fee_share.is_none_or(|share| {
            after.max_fee_share.is_some_and(|after| after.is_at_most(&share))
                || after.max_fee.is_some_and(|max| share.allows(max, total.from))
        })
}
