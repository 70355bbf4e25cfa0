//! What rules are asked about, as far as it is no amount, no destination and no hour.

use super::super::{Action, Asset, CallRule, Destinations, Level, Policy, PolicyKey, Rule};

/// One kind of question to the rules of a watcher and a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Matter<'p> {
    /// A request on a blind key.
    Unread,
    /// A request that pays nobody.
    Nobody(&'p Asset),
    /// A destination and what it gets.
    Paid(&'p Asset, Option<&'p CallRule>),
}

impl<'p> Matter<'p> {
    /// Every matter a rule of `policy` could let pass.
    pub(super) fn of_key(policy: &'p Policy, watcher: &str, key: &PolicyKey) -> Vec<Self> {
        if key.evidence == Level::Blind {
            return vec![Self::Unread];
        }
        let rules = policy.rules.iter().filter(|rule| rule.names(watcher, &key.name));
        let mut calls: Vec<&CallRule> = Vec::new();
        for call in rules.filter_map(|rule| rule.call.as_ref()) {
            if !calls.contains(&call) {
                calls.push(call);
            }
        }
        let of_asset = |asset: &'p Asset| {
            // A call pays the chain's own asset, and something to its contract even where that is 0.
            let is_called = asset.contract.is_none() && asset.chain.is_evm();
            let calls = calls.clone().into_iter().filter(move |_| is_called);
            [Self::Nobody(asset), Self::Paid(asset, None)]
                .into_iter()
                .chain(calls.map(move |call| Self::Paid(asset, Some(call))))
        };
        policy.assets_of_key(key).flat_map(of_asset).collect()
    }

    /// The asset it is about.
    pub(super) fn asset(&self) -> Option<&'p Asset> {
        match self {
            Self::Unread => None,
            Self::Nobody(asset) | Self::Paid(asset, _) => Some(asset),
        }
    }

    /// The rules of `policy` that some amount, destination and hour of it can match, in order.
    pub(super) fn asked<'r>(&self, policy: &'r Policy, watcher: &str, key: &PolicyKey) -> Vec<&'r Rule> {
        let named: Vec<&Rule> = policy.rules.iter().filter(|rule| rule.names(watcher, &key.name)).collect();
        let own = |rule: &Rule| rule.destinations == Some(Destinations::OwnFamily);
        let passes_over = !matches!(self, Self::Paid(..)) && named.iter().any(|rule| own(rule));
        let is_asked = |rule: &&Rule| !passes_over || rule.action == Action::Deny || own(rule);
        named.into_iter().filter(is_asked).filter(|rule| self.is_about(rule)).collect()
    }

    fn is_about(&self, rule: &Rule) -> bool {
        let is_of = |asset: &Asset| rule.asset.as_ref().is_none_or(|name| *name == asset.name);
        match self {
            Self::Unread => {
                let has_money = [rule.max_amount, rule.max_request_amount, rule.max_fee].iter().any(Option::is_some)
                    || rule.max_fee_share.is_some();
                !has_money && rule.asset.is_none() && rule.destinations.is_none() && rule.call.is_none()
            }
            Self::Nobody(asset) => {
                is_of(asset) && rule.call.is_none() && !matches!(rule.destinations, Some(Destinations::List(_)))
            }
            Self::Paid(asset, call) => {
                is_of(asset) && rule.call.as_ref() == *call && rule.destinations != Some(Destinations::OwnFamily)
            }
        }
    }
}
