//! What was made with the keys: each signature under its public key, each address under its derivation.

use appliance_wire::{Accepted, Addresses, ItemSignature, Signed};
use hsm_types::{KeyLabel, KeyPath, RawSignature, ToSign};

use super::Auditor;
use crate::{
    audit::writer::command_of,
    state::{Bindings, address_of},
    tokens::Family,
};

impl Auditor {
    pub(super) fn check_signatures(&mut self, signed: &Signed) -> Result<(), String> {
        let accepted = self.acceptance(signed.accepted)?;
        self.check_signatures_of(&accepted, signed)
    }

    pub(super) fn check_signatures_of(&mut self, accepted: &Accepted, signed: &Signed) -> Result<(), String> {
        if accepted.watcher != signed.watcher || accepted.request_id != signed.request_id {
            return Err(format!("it signs another request than entry {} accepted", signed.accepted));
        }
        if accepted.items.len() != signed.signatures.len() {
            return Err("it has not one signature for each item".to_owned());
        }
        let command = command_of(accepted).map_err(|refusal| refusal.problem.detail)?;
        let family = self.family(&accepted.key)?;
        for ((item, input), signature) in accepted.items.iter().zip(&command.inputs).zip(&signed.signatures) {
            check_signature(&family, &item.key, input, signature)?;
            self.signatures += 1;
        }
        Ok(())
    }

    /// The children allocated must have the addresses recorded.
    pub(super) fn check_addresses(&mut self, allocation: &Addresses) -> Result<(), String> {
        let policy = self.state.policy.clone().ok_or("no policy is in force")?;
        let key = policy.key(&allocation.key).ok_or_else(|| format!("the policy has no key {}", allocation.key))?;
        let end = allocation.first.checked_add(allocation.count).ok_or("it has no so many children")?;
        let family = self.family(&allocation.key)?;
        let children = family.children(allocation.first..end).map_err(|error| error.to_string())?;
        let addresses: Vec<String> =
            children.iter().filter_map(|child| address_of(&policy, key, child.public_key())).collect();
        if addresses == allocation.addresses {
            self.addresses += u64::from(allocation.count);
            return Ok(());
        }
        Err(format!("the children {} to {} of {} have other addresses", allocation.first, end - 1, allocation.key))
    }

    pub(super) fn acceptance(&self, index: u64) -> Result<Accepted, String> {
        let entry = self.past.entry(index).map_err(|error| error.to_string())?;
        entry.body.accepted().cloned().ok_or_else(|| format!("entry {index} is no acceptance"))
    }

    pub(super) fn family(&mut self, key: &KeyLabel) -> Result<Family, String> {
        if let Some(family) = self.families.get(key) {
            return Ok(family.clone());
        }
        let entry = self.state.keys.get(key).ok_or_else(|| format!("key {key} has no entry"))?;
        let family = Family::of(entry)?;
        self.families.insert(key.clone(), family.clone());
        Ok(family)
    }
}

pub(super) fn check_signature(
    family: &Family,
    key: &KeyPath,
    input: &ToSign,
    signature: &ItemSignature,
) -> Result<(), String> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(&signature.signature, &mut bytes).map_err(|_| "a signature is not 64 bytes")?;
    let (verified, public_key) = family.verify(key.child, input, &RawSignature(bytes))?;
    let (digest, message_sha256) = match input {
        ToSign::Digest(digest) => (Some(*digest), None),
        ToSign::Message(message) => (None, Some(appliance_wire::sha256_hex(message))),
    };
    let same = verified.to_bytes() == bytes
        && verified.recovery_id() == signature.recovery_id
        && signature.key == *key
        && signature.digest == digest
        && signature.public_key == public_key.to_string()
        && signature.message_sha256 == message_sha256;
    if same { Ok(()) } else { Err("a signature is not low-S, or says another key, digest or recovery id".to_owned()) }
}
