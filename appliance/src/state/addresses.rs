//! Which addresses are ours: each key's own, and the children allocated so far.

use std::collections::{BTreeMap, HashMap};

use appliance_wire::{Addresses as Allocation, KeyEntry};
use hsm_types::{KeyLabel, PublicKey};

use super::bindings::family_number;
use crate::{
    audit::read_public_key,
    policy::{Policy, PolicyKey},
};

/// Our addresses. Those of children are too many for memory and are looked up in the log
/// ([`BindingKey::address`](super::BindingKey::address)); here is how many there are.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    own: HashMap<String, KeyLabel>,
    allocated: BTreeMap<KeyLabel, u32>,
    /// Keys with children, by [`family_number`].
    families: HashMap<u64, KeyLabel>,
}

impl Addresses {
    /// The key with children that has this number.
    #[must_use]
    pub fn family(&self, number: u64) -> Option<&KeyLabel> {
        self.families.get(&number)
    }

    /// The key whose own address this is.
    #[must_use]
    pub fn own(&self, address: &str) -> Option<&KeyLabel> {
        self.own.get(address)
    }

    /// Number of children of `key` allocated: 0 to this less one.
    #[must_use]
    pub fn allocated(&self, key: &KeyLabel) -> u32 {
        self.allocated.get(key).copied().unwrap_or(0)
    }

    /// Whether there are children at all.
    #[must_use]
    pub fn any_allocated(&self) -> bool {
        !self.allocated.is_empty()
    }

    /// Every key with children, and how many.
    pub(super) fn allocations(&self) -> &BTreeMap<KeyLabel, u32> {
        &self.allocated
    }

    pub(super) fn restore(allocated: BTreeMap<KeyLabel, u32>) -> Self {
        let families = allocated.keys().map(|key| (family_number(key), key.clone())).collect();
        Self { own: HashMap::new(), allocated, families }
    }

    /// Counts an allocation, which must go on where the last one ended.
    pub(crate) fn allocate(&mut self, allocation: &Allocation) -> Result<(), String> {
        let before = self.allocated(&allocation.key);
        if allocation.first != before || allocation.count == 0 {
            let first = allocation.first;
            return Err(format!("it allocates children of {} from {first} on, {before} comes next", allocation.key));
        }
        let after = before.checked_add(allocation.count).filter(|after| *after <= MOST_CHILDREN);
        let after = after.ok_or_else(|| format!("{} has no so many children", allocation.key))?;
        self.allocated.insert(allocation.key.clone(), after);
        self.families.insert(family_number(&allocation.key), allocation.key.clone());
        Ok(())
    }

    /// Computes the keys' own addresses: they follow from policy and key entries.
    pub(super) fn know(&mut self, policy: Option<&Policy>, keys: &BTreeMap<KeyLabel, KeyEntry>) {
        let own = policy.into_iter().flat_map(|policy| {
            policy.keys.iter().filter_map(|key| {
                let entry = keys.get(&key.name)?;
                let public_key = read_public_key(entry.algorithm, &entry.public_key).ok()?;
                Some((address_of(policy, key, &public_key)?, key.name.clone()))
            })
        });
        self.own = own.collect();
    }
}

/// The address of a key, or of a child of it: where all the assets it pays give it the same one.
#[must_use]
pub fn address_of(policy: &Policy, key: &PolicyKey, public_key: &PublicKey) -> Option<String> {
    let mut addresses = key
        .assets
        .iter()
        .filter_map(|name| policy.asset(name))
        .map(|asset| asset.chain.address_of(public_key, key.address_type));
    let first = addresses.next()??;
    addresses.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// Indices go from 0 to 2^31 - 1.
pub const MOST_CHILDREN: u32 = 1 << 31;
