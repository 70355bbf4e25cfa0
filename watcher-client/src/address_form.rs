//! Which form of address a key has: found by trying, as no answer names it.

use appliance_wire::{AddressType, Chain};
use hsm_types::PublicKey;

/// Chain and form of an address. Chains whose addresses look the same count as one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct AddressForm {
    chain: Chain,
    /// On chains of Bitcoin's kind.
    pub(crate) address_type: Option<AddressType>,
}

/// One of each kind of address; testnets share theirs, and so do all EVM chains.
const CHAINS: [Chain; 7] = [
    Chain::Bitcoin,
    Chain::BitcoinTestnet,
    Chain::BitcoinRegtest,
    Chain::Litecoin,
    Chain::LitecoinRegtest,
    Chain::Solana,
    Chain::Evm(1),
];
const TYPES: [AddressType; 3] = [AddressType::P2wpkh, AddressType::P2shP2wpkh, AddressType::P2pkh];

impl AddressForm {
    /// The form in which `address` is the address of `key`; None where it is in none.
    pub(crate) fn of(key: &PublicKey, address: &str) -> Option<Self> {
        Self::all().find(|form| form.address(key).as_deref() == Some(address))
    }

    /// The address of a key in this form.
    pub(crate) fn address(&self, key: &PublicKey) -> Option<String> {
        self.chain.address_of(key, self.address_type)
    }

    fn all() -> impl Iterator<Item = Self> {
        CHAINS.into_iter().flat_map(|chain| {
            let types = if chain.has_address_types() { TYPES.map(Some).to_vec() } else { vec![None] };
            types.into_iter().map(move |address_type| Self { chain, address_type })
        })
    }
}

/// The address that a `scriptPubKey` pays, in the spelling of `like`: that address itself, where it is the one.
pub(crate) fn is_paid(script: &[u8], like: &str) -> bool {
    CHAINS.iter().any(|chain| chain.address_of_script(script).as_deref() == Some(like))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ecdsa_public_key, ed25519_public_key};

    #[test]
    fn an_address_has_the_form_it_was_made_in_and_none_for_another_key() {
        for form in AddressForm::all() {
            let public_key = if form.chain == Chain::Solana { ed25519_public_key } else { ecdsa_public_key };
            let (key, other) = (public_key(1), public_key(2));
            let address = form.address(&key).unwrap();
            let found = AddressForm::of(&key, &address).unwrap();
            assert_eq!((found.address_type, found.address(&other)), (form.address_type, form.address(&other)));
            assert_eq!(AddressForm::of(&other, &address), None, "{address}");
            assert_eq!(AddressForm::of(&key, ""), None);
        }
    }
}
