//! Whose an address is: of one of our keys, of a child of one, or somebody else's. Never by the watcher's word.

use std::collections::{BTreeMap, btree_map::Entry};

use appliance_wire::{Addresses as Allocation, Body};
use hsm_types::KeyLabel;

use crate::state::{BindingKey, Bindings, State};

/// Allocations read so far: one holds up to 1,000 addresses, and a transaction may pay them all.
pub(super) type Allocations = BTreeMap<u64, Option<Allocation>>;

/// The key of ours that `address` pays: itself, or a child allocated before.
pub(super) fn owner<B: Bindings>(
    state: &State,
    bindings: &B,
    known: &mut Allocations,
    address: &str,
) -> Result<Option<KeyLabel>, B::Error> {
    if let Some(key) = state.addresses.own(address) {
        return Ok(Some(key.clone()));
    }
    if !state.addresses.any_allocated() {
        return Ok(None);
    }
    let Some(binding) = bindings.binding(&BindingKey::address(address))? else { return Ok(None) };
    let allocation = match known.entry(binding.accepted) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => {
            let entry = bindings.entry(binding.accepted)?;
            place.insert(if let Body::Addresses(allocation) = entry.body { Some(allocation) } else { None })
        }
    };
    // The binding is by hash; the entry says whether it is this very address.
    let ours = allocation.as_ref().filter(|allocation| allocation.addresses.iter().any(|ours| ours == address));
    Ok(ours.map(|allocation| allocation.key.clone()))
}
