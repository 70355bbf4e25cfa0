//! Rules: whatever a rule of the candidate lets pass, a rule of the policy in force must let pass as easily.
//!
//! For a watcher, a key and a [matter](Matter), all matters that the candidate's first matching rule decides are a few
//! [regions](Region); each is cut by the rules in force into parts that one rule decides there, and the two are compared.

mod compare;

use std::collections::BTreeMap;

use self::compare::Comparison;
pub(super) use self::compare::{Difference, Kind};
use super::{
    super::{Destinations, Hours, KeyState, Policy, PolicyKey, Rule, hours::Week},
    keys,
    matter::Matter,
    places::Places,
    words,
};

pub(super) fn loosenings(in_force: &Policy, candidate: &Policy) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // What is found, and for which watchers.
    let mut by_rules: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut steps = MOST_STEPS;
    for watcher in candidate.watchers.iter().map(|watcher| watcher.name.as_str()) {
        for key in candidate.granted_keys(watcher) {
            if !in_force.grants(watcher, &key.name) {
                found.push(format!("watcher \"{watcher}\" is granted key \"{}\"", key.name));
            }
            let pair = Pair { in_force, candidate, watcher, key };
            for sentence in pair.loosenings(&mut steps) {
                by_rules.entry(sentence).or_default().push(watcher);
            }
        }
    }
    let by_rules = by_rules.into_iter().map(|(sentence, watchers)| format!("{sentence} (for {})", watchers.join(", ")));
    found.extend(by_rules);
    found
}

/// A watcher and a key of the candidate.
struct Pair<'p> {
    in_force: &'p Policy,
    candidate: &'p Policy,
    watcher: &'p str,
    key: &'p PolicyKey,
}

impl<'p> Pair<'p> {
    fn loosenings(&self, steps: &mut usize) -> Vec<String> {
        let before = self.in_force.key(&self.key.name);
        let is_told = |before: &PolicyKey| before.state == KeyState::Disabled || !keys::is_comparable(before, self.key);
        if self.key.state == KeyState::Disabled || before.is_some_and(is_told) || self.is_unchanged(before) {
            return Vec::new();
        }
        let matters = Matter::of_key(self.candidate, self.watcher, self.key);
        let told: Option<Vec<_>> = matters.iter().map(|matter| self.of_matter(matter, before, steps)).collect();
        told.map_or_else(
            || vec![format!("the rules for key \"{}\" are too many to be compared", self.key.name)],
            |told| told.into_iter().flatten().collect(),
        )
    }

    /// Whether rules, lists and assets are the same, so that nothing needs to be compared.
    fn is_unchanged(&self, before: Option<&PolicyKey>) -> bool {
        let rules = |policy: &'p Policy| policy.rules.iter().filter(|rule| rule.names(self.watcher, &self.key.name));
        let same_list = |rule: &Rule| match &rule.destinations {
            Some(Destinations::List(name)) => self.in_force.address_list(name) == self.candidate.address_list(name),
            _ => true,
        };
        before.is_some_and(|before| before.assets == self.key.assets)
            && rules(self.in_force).eq(rules(self.candidate))
            && rules(self.candidate).all(same_list)
    }

    /// None where there is too much to compare.
    fn of_matter(&self, matter: &Matter<'p>, before: Option<&PolicyKey>, steps: &mut usize) -> Option<Vec<String>> {
        let is_paid_before =
            before.is_some_and(|before| matter.asset().is_none_or(|asset| before.assets.contains(&asset.name)));
        let before = if is_paid_before { matter.asked(self.in_force, self.watcher, self.key) } else { Vec::new() };
        let after = matter.asked(self.candidate, self.watcher, self.key);
        let both: Vec<(&Policy, &Rule)> = after
            .iter()
            .map(|rule| (self.candidate, *rule))
            .chain(before.iter().map(|rule| (self.in_force, *rule)))
            .collect();
        let places = match matter {
            Matter::Paid(asset, _) => Places::of(asset, &both)?,
            Matter::Unread | Matter::Nobody(_) => Places::nowhere(),
        };
        let hours: Vec<&Hours> = both.iter().filter_map(|(_, rule)| rule.hours.as_ref()).collect();
        let comparison = Comparison { matter, places: &places, weeks: &Week::of(&hours) };
        let after = (self.candidate, after.as_slice());
        let before = (self.in_force, before.as_slice());
        let mut found = comparison.differences(after, before, true, steps)?;
        if !hours.is_empty() {
            let more = comparison.differences(after, before, false, steps)?;
            let is_new = |one: &Difference<'_>| !found.iter().any(|other| other.is_between_the_rules_of(one));
            let more: Vec<_> = more.into_iter().filter(is_new).collect();
            found.extend(more);
        }
        Some(found.iter().map(|difference| words::of(self.key, matter, &places, difference)).collect())
    }
}

/// How often a region is cut before it is given up: well under a second.
const MOST_STEPS: usize = 1_000_000;
