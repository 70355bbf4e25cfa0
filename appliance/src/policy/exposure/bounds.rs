//! What each limit holds of the flows of an asset, within a time.

use std::collections::BTreeSet;

use appliance_wire::Amount;
use hsm_types::KeyLabel;

use super::{
    super::{Asset, Limit, Max, Per, Policy},
    reach::{Element, Flow, Outlet},
};

/// Flows that together are at most `most`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Group {
    /// Their places, in order.
    pub(super) members: Vec<usize>,
    pub(super) most: Amount,
}

/// Every group of `elements` that a limit holds within `horizon_ms`.
pub(super) fn groups(
    policy: &Policy,
    asset: &Asset,
    outlet: Outlet,
    elements: &[Element<'_>],
    horizon_ms: u64,
) -> Vec<Group> {
    let mut groups = Vec::new();
    for limit in &policy.limits {
        let windows = windows(limit, horizon_ms);
        for members in scopes(limit, elements) {
            match limit.max {
                Max::Amount(most) if limit.asset.as_ref() == Some(&asset.name) => {
                    let most = most.checked_mul(windows);
                    groups.extend(by_amount(limit, outlet, elements, &members, most));
                }
                Max::Signatures(count) if limit.asset.is_none() => {
                    let count = Amount::from_units(count).checked_mul(windows);
                    groups.extend(by_count(elements, &members, Flow::Payments, count));
                    groups.extend(by_count(elements, &members, Flow::Fees, count));
                }
                Max::Amount(_) | Max::Signatures(_) => {}
            }
        }
    }
    groups
}

/// How many windows it takes to cover the horizon: each holds the limit's most once, whenever it begins.
fn windows(limit: &Limit, horizon_ms: u64) -> Amount {
    Amount::from_units(if limit.is_lifetime() { 1 } else { horizon_ms.div_ceil(limit.window_ms.max(1)).max(1) })
}

/// The places of the flows with a sum of their own: those of each key, and those of all keys where they share one.
fn scopes(limit: &Limit, elements: &[Element<'_>]) -> Vec<Vec<usize>> {
    let counted = |place: &usize| elements.get(*place).is_some_and(|element| limit.keys.contains(&element.key.name));
    let all: Vec<usize> = (0..elements.len()).filter(counted).collect();
    let of_key = |key: &KeyLabel| {
        let is_of_key = |place: &usize| elements.get(*place).is_some_and(|element| element.key.name == *key);
        all.iter().copied().filter(is_of_key).collect::<Vec<_>>()
    };
    let mut scopes: Vec<_> = limit.keys.iter().map(of_key).collect();
    match limit.per {
        Some(Per::Key) => {}
        // Of watchers there is one here, and what is taken per destination is counted in `by_amount`.
        None | Some(Per::Watcher | Per::Destination) => scopes.push(all),
    }
    scopes.retain(|members| !members.is_empty());
    scopes.dedup();
    scopes
}

fn by_amount(
    limit: &Limit,
    outlet: Outlet,
    elements: &[Element<'_>],
    members: &[usize],
    most: Option<Amount>,
) -> Vec<Group> {
    if limit.per != Some(Per::Destination) {
        return group(members.to_vec(), most).into_iter().collect();
    }
    let flows = |flow| only(elements, members, flow);
    // Fees have one sum of their own there.
    let fees = group(flows(Flow::Fees), most);
    let payments = match outlet {
        Outlet::Anywhere => None,
        Outlet::Listed => {
            let paid = members.iter().filter_map(|place| elements.get(*place));
            let addresses: BTreeSet<_> = paid.flat_map(|element| &element.addresses).collect();
            let count = Amount::from_units(addresses.len() as u64);
            group(flows(Flow::Payments), most.and_then(|most| most.checked_mul(count)))
        }
    };
    fees.into_iter().chain(payments).collect()
}

/// So many signatures, each at least a request, times the largest request.
fn by_count(elements: &[Element<'_>], members: &[usize], flow: Flow, count: Option<Amount>) -> Option<Group> {
    let per_request = |place: &usize| elements.get(*place).and_then(|element| element.per_request);
    let mut members = only(elements, members, flow);
    members.retain(|place| per_request(place).is_some());
    let largest = members.iter().filter_map(per_request).max()?;
    group(members, count.and_then(|count| count.checked_mul(largest)))
}

fn only(elements: &[Element<'_>], members: &[usize], flow: Flow) -> Vec<usize> {
    let is_flow = |place: &usize| elements.get(*place).is_some_and(|element| element.flow == flow);
    members.iter().copied().filter(is_flow).collect()
}

/// A bound that does not fit 256 bits still says that there is one: it is then the largest amount.
fn group(members: Vec<usize>, most: Option<Amount>) -> Option<Group> {
    (!members.is_empty()).then(|| Group { members, most: most.unwrap_or(Amount::MAX) })
}
