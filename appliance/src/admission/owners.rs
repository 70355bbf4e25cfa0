//! Whose an address is: of one of our keys, of a child of one, or somebody else's. Never by the watcher's word.

use hsm_types::KeyLabel;

use crate::state::{BindingKey, Bindings, Outcome, State};

/// The key of ours that `address` pays: itself, or a child allocated before.
pub(super) fn owner<B: Bindings>(state: &State, bindings: &B, address: &str) -> Result<Option<KeyLabel>, B::Error> {
    if let Some(key) = state.addresses.own(address) {
        return Ok(Some(key.clone()));
    }
    if !state.addresses.any_allocated() {
        return Ok(None);
    }
    // Bound by 16 bytes of SHA-256, and made by us: nobody finds another address with the same.
    let binding = bindings.binding(&BindingKey::address(address))?;
    Ok(binding.and_then(|binding| match binding.outcome {
        Outcome::Child(family) => state.addresses.family(family).cloned(),
        Outcome::Open
        | Outcome::Signed(_)
        | Outcome::Lapsed(_)
        | Outcome::Waiting
        | Outcome::Rejected(_)
        | Outcome::Withdrawn(_)
        | Outcome::Expired(_) => None,
    }))
}
