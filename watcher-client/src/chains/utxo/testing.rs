//! Coins and owners of tests.

use appliance_wire::{AddressType, Chain};
use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, TxIn, TxOut, absolute::LockTime, transaction::Version};

use super::coin::Coin;
use crate::{chains::OwnAddress, testing::ecdsa_public_key};

pub(crate) struct Owner {
    pub(crate) address: OwnAddress,
    pub(crate) script: Vec<u8>,
}

/// The native address of a seed on Litecoin's private chain.
pub(crate) fn own(seed: u8) -> Owner {
    own_in(seed, AddressType::P2wpkh)
}

pub(crate) fn own_in(seed: u8, form: AddressType) -> Owner {
    let public_key = ecdsa_public_key(seed);
    let address = Chain::LitecoinRegtest.address_of(&public_key, Some(form)).unwrap();
    let script = Chain::LitecoinRegtest.script_of_address(&address).unwrap();
    let path = if seed == 1 { "vault".to_owned() } else { format!("vault/{seed}") };
    Owner { address: OwnAddress { address, path: path.parse().unwrap(), public_key }, script }
}

/// A transaction that makes these outputs.
pub(crate) fn funding(outputs: &[(u64, ScriptBuf)]) -> Transaction {
    let output =
        |(sats, script): &(u64, ScriptBuf)| TxOut { value: Amount::from_sat(*sats), script_pubkey: script.clone() };
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn::default()],
        output: outputs.iter().map(output).collect(),
    }
}

/// A coin of this owner, and the transaction that made it.
pub(crate) fn coin(owner: &Owner, sats: u64) -> (Coin, Transaction) {
    let made = funding(&[(1, ScriptBuf::new()), (sats, ScriptBuf::from_bytes(owner.script.clone()))]);
    let outpoint = OutPoint::new(made.compute_txid(), 1);
    (Coin::new(outpoint, sats, &owner.script, &owner.address).unwrap(), made)
}
