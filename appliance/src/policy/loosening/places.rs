//! Kinds of destinations: those that are in the same lists, under both policies.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{AddressList, Asset, Destinations, Policy, Rule},
    set::Set,
};

/// Every kind of destination that rules tell apart.
pub(super) struct Places<'p> {
    lists: Vec<&'p AddressList>,
    /// The lists it is in, by their places, and what to call it.
    kinds: Vec<(BTreeSet<usize>, String)>,
}

/// What is in lists, by the lists it is in.
type Listed<'p> = BTreeMap<BTreeSet<usize>, Vec<&'p str>>;

impl<'p> Places<'p> {
    /// Where nothing is paid, there is one.
    pub(super) fn nowhere() -> Self {
        Self { lists: Vec::new(), kinds: vec![(BTreeSet::new(), String::new())] }
    }

    /// The destinations of `asset` that these rules tell apart; none where they are too many to be looked at.
    pub(super) fn of(asset: &Asset, rules: &[(&'p Policy, &'p Rule)]) -> Option<Self> {
        let lists: Vec<&AddressList> = rules.iter().filter_map(|(policy, rule)| list(policy, rule)).collect();
        let addresses = listed(&lists, |list| {
            let addresses = list.addresses.iter().map(String::as_str);
            addresses.filter(|address| asset.chain.normal_destination(address).is_ok()).collect()
        });
        let owners = listed(&lists, |list| list.keys.iter().map(hsm_types::KeyLabel::as_str).collect());
        if addresses.len().saturating_add(1).saturating_mul(owners.len().saturating_add(1)) > MOST_KINDS {
            return None;
        }
        let mut kinds = BTreeMap::from([(BTreeSet::new(), "anyone".to_owned())]);
        let named = |what: &str, names: &[&str]| match names {
            [name] => format!("{what}{name}"),
            [name, ..] => format!("{} destinations such as {what}{name}", names.len()),
            [] => String::new(),
        };
        kinds.extend(addresses.iter().map(|(lists, names)| (lists.clone(), named("", names))));
        for (lists, names) in &owners {
            kinds.entry(lists.clone()).or_insert_with(|| named("key ", names));
        }
        // An address in a list may be one of a key in another.
        for (of_address, names) in &addresses {
            for of_owner in owners.keys() {
                let both = of_address.union(of_owner).copied().collect();
                kinds.entry(both).or_insert_with(|| named("", names));
            }
        }
        Some(Self { lists, kinds: kinds.into_iter().collect() })
    }

    /// How many kinds there are.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Those that `rule` of `policy` is about.
    pub(super) fn of_rule(&self, policy: &Policy, rule: &Rule) -> Set {
        let Some(named) = list(policy, rule) else { return Set::all(self.len()) };
        let place = self.lists.iter().position(|list| std::ptr::eq(*list, named));
        Set::of(self.len(), |kind| {
            let lists = self.kinds.get(kind).map(|(lists, _)| lists);
            place.zip(lists).is_some_and(|(place, lists)| lists.contains(&place))
        })
    }

    /// In words.
    pub(super) fn words(&self, places: &Set) -> String {
        let of_set = self.kinds.iter().enumerate().filter(|(kind, _)| places.contains(*kind));
        let words: Vec<&str> = of_set.map(|(_, (_, words))| words.as_str()).collect();
        match words.as_slice() {
            ["anyone", ..] => "anyone".to_owned(),
            [first, second, third, rest @ ..] if !rest.is_empty() => {
                format!("{first}, {second}, {third} and {} more", rest.len())
            }
            few => few.join(", "),
        }
    }
}

/// The list the rule names.
fn list<'p>(policy: &'p Policy, rule: &Rule) -> Option<&'p AddressList> {
    let Some(Destinations::List(name)) = &rule.destinations else { return None };
    policy.address_list(name)
}

fn listed<'p>(lists: &[&'p AddressList], of_list: impl Fn(&'p AddressList) -> Vec<&'p str>) -> Listed<'p> {
    let mut lists_of: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (place, list) in lists.iter().enumerate() {
        // A list that several rules name counts once, in the place where it is first.
        if lists.iter().position(|other| std::ptr::eq(*other, *list)) == Some(place) {
            for name in of_list(list) {
                lists_of.entry(name).or_default().insert(place);
            }
        }
    }
    let mut listed = Listed::new();
    for (name, lists) in lists_of {
        listed.entry(lists).or_default().push(name);
    }
    listed
}

const MOST_KINDS: usize = 4_096;
