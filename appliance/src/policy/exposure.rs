//! The most a fully compromised watcher could take, by asset and time: an upper bound read off a policy alone.
//!
//! Knows nothing of state or of what was accepted before. It bounds what is signed, not what settles: signatures can be
//! kept and sent later. Fees are takings, for they can be paid to whoever mines; hours are ignored, and so is every rule
//! that denies. What takes officers' approval is not counted, but named. What goes back to keys of ours (`self`, the `keys` of an address list) is no taking.

mod bounds;
mod cover;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use appliance_wire::{Amount, Decimal};
use serde::Serialize;

pub(super) use self::reach::spends;
use self::reach::{Element, Outlet};
use super::{Asset, Policy};

/// What every watcher could take.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Exposure {
    /// Version of the policy.
    pub version: u64,
    /// In the order of the policy.
    pub watchers: Vec<WatcherExposure>,
}

/// What one watcher could take, with all its keys together.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct WatcherExposure {
    /// Its name.
    pub watcher: String,
    /// Why something is unlimited, where anything is: every reason once.
    pub unlimited: Vec<String>,
    /// By what it would take more with officers' approval, and whose; none of that is in the figures.
    pub with_approval: Vec<String>,
    /// Every asset its keys pay, and those their fees are paid in.
    pub assets: Vec<AssetExposure>,
}

/// What one watcher could take of one asset. The two bounds share their limits, so that both together can be less than
/// their sum.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AssetExposure {
    /// Its name.
    pub asset: String,
    /// To anybody: payments by rules that name no destinations, and all fees.
    pub anywhere: Vec<Bound>,
    /// To the `addresses` of address lists.
    pub to_listed_addresses: Vec<Bound>,
}

/// The most that is accepted within some time.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Bound {
    /// Within so many hours of service time.
    pub hours: u64,
    /// How much.
    #[serde(flatten)]
    pub most: Most,
}

/// How much it is at most.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Most {
    /// In the asset's main unit.
    AtMost(Decimal),
    /// No limit that is known here, and why.
    Unlimited(Vec<String>),
}

impl Exposure {
    /// For how long it is told: an hour, a day, a week.
    pub const HOURS: [u64; 3] = [1, 24, 7 * 24];

    /// Whether anything is unlimited.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.watchers.iter().any(|watcher| !watcher.unlimited.is_empty())
    }
}

/// What a fully compromised watcher could take under `policy`.
#[must_use]
pub fn exposure(policy: &Policy) -> Exposure {
    let watchers = policy.watchers.iter().map(|watcher| of_watcher(policy, &watcher.name)).collect();
    Exposure { version: policy.version, watchers }
}

fn of_watcher(policy: &Policy, watcher: &str) -> WatcherExposure {
    let assets: Vec<_> =
        reach::assets(policy, watcher).into_iter().map(|asset| of_asset(policy, watcher, asset)).collect();
    // A blind key need not name what it pays, so it may be behind no asset at all.
    let mut unlimited: BTreeSet<String> = reach::unread(policy, watcher, None).into_iter().collect();
    let bounds = assets.iter().flat_map(|asset| asset.anywhere.iter().chain(&asset.to_listed_addresses));
    for bound in bounds {
        if let Most::Unlimited(reasons) = &bound.most {
            unlimited.extend(reasons.iter().cloned());
        }
    }
    WatcherExposure {
        watcher: watcher.to_owned(),
        unlimited: unlimited.into_iter().collect(),
        with_approval: reach::with_approval(policy, watcher),
        assets,
    }
}

fn of_asset(policy: &Policy, watcher: &str, asset: &Asset) -> AssetExposure {
    let unread = reach::unread(policy, watcher, Some(asset));
    let bounds = |outlet| {
        let elements = reach::elements(policy, watcher, asset, outlet);
        let bound = |hours| {
            let most = if unread.is_empty() {
                most(policy, asset, outlet, &elements, hours)
            } else {
                Most::Unlimited(unread.clone())
            };
            Bound { hours, most }
        };
        Exposure::HOURS.into_iter().map(bound).collect()
    };
    AssetExposure {
        asset: asset.name.clone(),
        anywhere: bounds(Outlet::Anywhere),
        to_listed_addresses: bounds(Outlet::Listed),
    }
}

/// The cheapest choice of bounds that together hold everything: any choice is a bound, the cheapest the tightest.
fn most(policy: &Policy, asset: &Asset, outlet: Outlet, elements: &[Element<'_>], hours: u64) -> Most {
    let groups = bounds::groups(policy, asset, outlet, elements, hours.saturating_mul(MILLISECONDS_AN_HOUR));
    let held: BTreeSet<usize> = groups.iter().flat_map(|group| group.members.iter().copied()).collect();
    let free: Vec<_> = elements.iter().enumerate().filter(|(place, _)| !held.contains(place)).collect();
    if !free.is_empty() {
        return Most::Unlimited(free.into_iter().map(|(_, element)| element.why_unlimited(asset)).collect());
    }
    match cover::cheapest(elements.len(), &groups).filter(|most| *most < Amount::MAX) {
        Some(most) => Most::AtMost(most.to_decimal(asset.decimals)),
        None => Most::Unlimited(vec![format!("the limits on \"{}\" add up to more than 256 bits hold", asset.name)]),
    }
}

const MILLISECONDS_AN_HOUR: u64 = 60 * 60 * 1000;
