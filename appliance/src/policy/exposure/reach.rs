//! What a watcher reaches: the flows of an asset out of each of its keys, by the rules that let them.

use std::collections::BTreeSet;

use appliance_wire::{Amount, Chain};

use super::super::{Action, Asset, Destinations, KeyState, Level, Policy, PolicyKey, Rule};

/// Where takings go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outlet {
    /// To anybody.
    Anywhere,
    /// To addresses of a list.
    Listed,
}

/// How an asset leaves a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flow {
    /// As payments.
    Payments,
    /// As the fees of whatever is signed.
    Fees,
}

/// One flow of an asset out of one verified key, and the rules one of which lets each part of it out.
#[derive(Clone, Debug)]
pub(super) struct Element<'p> {
    pub(super) key: &'p PolicyKey,
    pub(super) flow: Flow,
    /// Addresses on the asset's chain it can go to; empty where it is to anybody.
    pub(super) addresses: BTreeSet<&'p str>,
    /// The most of one request.
    pub(super) per_request: Option<Amount>,
}

impl Element<'_> {
    pub(super) fn why_unlimited(&self, asset: &Asset) -> String {
        let (asset, key) = (&asset.name, &self.key.name);
        match self.flow {
            Flow::Payments => format!("no limit holds the sum of \"{asset}\" that key \"{key}\" pays"),
            Flow::Fees => format!("no limit holds the sum of \"{asset}\" that key \"{key}\" spends on fees"),
        }
    }
}

/// The rules by which `watcher` gets signatures of each key.
fn signing<'p>(policy: &'p Policy, watcher: &str) -> Vec<(&'p PolicyKey, Vec<&'p Rule>)> {
    let of_key = |key: &'p PolicyKey| {
        let rules = policy.rules.iter().filter(|rule| rule.action == Action::Sign && rule.names(watcher, &key.name));
        (key, rules.collect::<Vec<_>>())
    };
    let keys = policy.keys.iter().filter(|key| key.state != KeyState::Disabled);
    keys.map(of_key).filter(|(_, rules)| !rules.is_empty()).collect()
}

/// What more it would take with the approval of officers: by whose.
pub(super) fn with_approval(policy: &Policy, watcher: &str) -> Vec<String> {
    let keys = || policy.keys.iter().filter(|key| key.state != KeyState::Disabled);
    let mut told = Vec::new();
    for rule in &policy.rules {
        let is_reached = keys().any(|key| rule.names(watcher, &key.name));
        if let (Action::Approve(approvers), true) = (&rule.action, is_reached) {
            told.push(format!("by rule \"{}\", with approval of {}", rule.name, approvers.words()));
        }
    }
    for limit in &policy.limits {
        let is_reached = keys().any(|key| limit.keys.contains(&key.name) && policy.grants(watcher, &key.name));
        if let (Some(approvers), true) = (&limit.beyond, is_reached) {
            told.push(format!("beyond limit \"{}\", with approval of {}", limit.name, approvers.words()));
        }
    }
    told
}

/// Every asset the watcher's keys pay or spend on fees, in the order of the policy.
pub(super) fn assets<'p>(policy: &'p Policy, watcher: &str) -> Vec<&'p Asset> {
    let keys = signing(policy, watcher);
    let is_spent = |asset: &&Asset| keys.iter().any(|(key, _)| spends(policy, key, asset));
    policy.assets.iter().filter(is_spent).collect()
}

/// Whether it pays the asset, or spends it on fees.
pub(in super::super) fn spends(policy: &Policy, key: &PolicyKey, asset: &Asset) -> bool {
    let is_on_chain = |paid: &Asset| paid.chain == asset.chain;
    key.assets.contains(&asset.name) || (asset.contract.is_none() && policy.assets_of_key(key).any(is_on_chain))
}

/// Why nobody can say how much of `asset` the watcher takes (of anything, without one): what is signed is not read.
pub(super) fn unread(policy: &Policy, watcher: &str, asset: Option<&Asset>) -> Vec<String> {
    let mut reasons = Vec::new();
    for (key, rules) in signing(policy, watcher) {
        if asset.is_some_and(|asset| !spends(policy, key, asset)) {
            continue;
        }
        let name = &key.name;
        match key.evidence {
            Level::Declared => reasons.push(format!("key \"{name}\" is declared: amounts are the watcher's word")),
            Level::Blind => reasons.push(format!("key \"{name}\" is blind: what it signs is not known")),
            Level::Verified => {
                let is_about =
                    |rule: &&&Rule| rule.call.is_some() && asset.is_none_or(|asset| is_on(policy, rule, &asset.chain));
                reasons.extend(rules.iter().filter(is_about).map(|rule| {
                    let rule = &rule.name;
                    format!(
                        "rule \"{rule}\" signs calls with key \"{name}\": what a contract does with one is not known"
                    )
                }));
            }
        }
    }
    reasons
}

/// Whether the rule can match a request on `chain`.
fn is_on(policy: &Policy, rule: &Rule, chain: &Chain) -> bool {
    rule.asset.as_ref().is_none_or(|name| policy.asset(name).is_some_and(|asset| asset.chain == *chain))
}

/// The flows of `asset` to `outlet` out of the watcher's verified keys.
pub(super) fn elements<'p>(policy: &'p Policy, watcher: &str, asset: &Asset, outlet: Outlet) -> Vec<Element<'p>> {
    let mut elements = Vec::new();
    let keys = signing(policy, watcher).into_iter();
    for (key, rules) in keys.filter(|(key, _)| key.evidence == Level::Verified && spends(policy, key, asset)) {
        if key.assets.contains(&asset.name) {
            elements.extend(payments(policy, key, &rules, asset, outlet));
        }
        if outlet == Outlet::Anywhere && asset.contract.is_none() {
            elements.extend(fees(policy, key, &rules, asset));
        }
    }
    elements
}

fn payments<'p>(
    policy: &'p Policy,
    key: &'p PolicyKey,
    rules: &[&'p Rule],
    asset: &Asset,
    outlet: Outlet,
) -> Option<Element<'p>> {
    let mut addresses = BTreeSet::new();
    let mut per_request = Vec::new();
    for rule in rules {
        if rule.call.is_some() || rule.asset.as_ref().is_some_and(|name| *name != asset.name) {
            continue;
        }
        let listed = listed(policy, rule, &asset.chain);
        let is_out = match outlet {
            Outlet::Anywhere => rule.destinations.is_none(),
            Outlet::Listed => !listed.is_empty(),
        };
        if is_out {
            addresses.extend(listed);
            per_request.push(most_of_request(rule, &asset.chain));
        }
    }
    let is_any = !per_request.is_empty();
    is_any.then(|| Element { key, flow: Flow::Payments, addresses, per_request: largest(per_request) })
}

/// The addresses on `chain` in the rule's list.
fn listed<'p>(policy: &'p Policy, rule: &Rule, chain: &Chain) -> BTreeSet<&'p str> {
    let Some(Destinations::List(name)) = &rule.destinations else { return BTreeSet::new() };
    let addresses = policy.address_list(name).into_iter().flat_map(|list| &list.addresses);
    addresses.map(String::as_str).filter(|address| chain.normal_destination(address).is_ok()).collect()
}

fn most_of_request(rule: &Rule, chain: &Chain) -> Option<Amount> {
    // An EVM transaction pays one destination.
    let of_one = rule.max_amount.filter(|_| chain.is_evm());
    [rule.max_request_amount, of_one].into_iter().flatten().min()
}

fn fees<'p>(policy: &Policy, key: &'p PolicyKey, rules: &[&Rule], asset: &Asset) -> Option<Element<'p>> {
    let ceilings: Vec<_> =
        rules.iter().filter(|rule| is_on(policy, rule, &asset.chain)).map(|rule| rule.max_fee).collect();
    let is_any = !ceilings.is_empty();
    let element = || Element { key, flow: Flow::Fees, addresses: BTreeSet::new(), per_request: largest(ceilings) };
    is_any.then(element)
}

/// The largest, where every rule has one: a request may match any of them alone.
fn largest(each: Vec<Option<Amount>>) -> Option<Amount> {
    each.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max()
}
