//! Whose an address is: of one of our keys, of a child of one, or somebody else's. Never by the watcher's word.

use appliance_wire::Body;
use hsm_types::KeyLabel;

use crate::state::{BindingKey, Bindings, State};

/// The key of ours that `address` pays: itself, or a child allocated before.
pub(super) fn owner<B: Bindings>(state: &State, bindings: &B, address: &str) -> Result<Option<KeyLabel>, B::Error> {
    if let Some(key) = state.addresses.own(address) {
        return Ok(Some(key.clone()));
    }
    if !state.addresses.any_allocated() {
        return Ok(None);
    }
    let Some(binding) = bindings.binding(&BindingKey::address(address))? else { return Ok(None) };
    // The binding is by hash; the entry says whether it is this very address.
    let entry = bindings.entry(binding.accepted)?;
    let Body::Addresses(allocation) = entry.body else { return Ok(None) };
    Ok(allocation.addresses.iter().any(|ours| ours == address).then_some(allocation.key))
}
