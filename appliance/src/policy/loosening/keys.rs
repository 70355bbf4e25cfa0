//! Assets and keys: what must be the same under both policies, so that their rules and limits can be compared at all.

use appliance_wire::{AddressType, Chain};

use super::super::{Asset, KeyState, Level, Policy, PolicyKey};

pub(super) fn loosenings(in_force: &Policy, candidate: &Policy) -> Vec<String> {
    let assets = candidate.assets.iter().filter_map(|asset| of_asset(in_force, asset));
    let keys = candidate.keys.iter().flat_map(|key| of_key(in_force, candidate, key));
    assets.chain(keys).collect()
}

fn of_asset(in_force: &Policy, asset: &Asset) -> Option<String> {
    let name = &asset.name;
    match (in_force.asset(name), in_force.asset_on(&asset.chain, asset.contract.as_deref())) {
        (Some(before), _) if before == asset => None,
        (Some(_), _) => Some(format!("asset \"{name}\" is another than before: what is paid in it cannot be compared")),
        (None, Some(before)) => Some(format!(
            "asset \"{name}\" is what was \"{}\" before: what is paid in it cannot be compared",
            before.name
        )),
        // Of no use before a rule lets a key pay it.
        (None, None) => None,
    }
}

fn of_key(in_force: &Policy, candidate: &Policy, key: &PolicyKey) -> Vec<String> {
    let name = &key.name;
    let Some(before) = in_force.key(name) else { return vec![format!("key \"{name}\" is new")] };
    let mut found = Vec::new();
    if !is_comparable(before, key) {
        found.push(format!("key \"{name}\" is another than before: what it signs cannot be compared"));
    }
    if key.children && !before.children {
        found.push(format!("key \"{name}\" has children now"));
    }
    if form(in_force, before) != form(candidate, key) {
        found.push(format!(
            "addresses of key \"{name}\" have another form: which payments go to keys of ours cannot be compared"
        ));
    }
    match (before.state, key.state) {
        (KeyState::Disabled, KeyState::Active | KeyState::Retiring) => {
            found.push(format!("key \"{name}\" is {} instead of disabled: it signs again", key.state.name()));
        }
        (KeyState::Retiring, KeyState::Active) => {
            found.push(format!("key \"{name}\" is active instead of retiring: it gets new addresses, and change"));
        }
        // Only of a verified key change is told apart.
        (KeyState::Active, KeyState::Retiring) if key.evidence == Level::Verified => found.push(format!(
            "key \"{name}\" is retiring: what comes back to it is a payment now, which rules for payments may sign where \
             those for \"self\" did not"
        )),
        _ => {}
    }
    found
}

/// Whether requests on the key mean the same under both policies.
pub(super) fn is_comparable(before: &PolicyKey, after: &PolicyKey) -> bool {
    before.algorithm == after.algorithm && before.evidence == after.evidence
}

/// What its addresses follow from, where it has any: those of EVM chains are one.
fn form(policy: &Policy, key: &PolicyKey) -> Option<(Option<Chain>, Option<AddressType>)> {
    let mut forms = policy.assets_of_key(key).map(|asset| {
        let has_types = asset.chain.has_address_types();
        ((!asset.chain.is_evm()).then_some(asset.chain), key.address_type.filter(|_| has_types))
    });
    let first = forms.next()?;
    forms.all(|form| form == first).then_some(first)
}
