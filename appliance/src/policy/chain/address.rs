//! Addresses of public keys.

use bech32::{Hrp, segwit};
use hsm_types::{Algorithm, PublicKey};
use ripemd::Ripemd160;
use sha2::{Digest as _, Sha256};

use super::Chain;
use crate::policy::AddressType;

impl Chain {
    /// The address of `key` on this chain. None on EVM chains, and for keys that are not of secp256k1.
    #[must_use]
    pub fn address_of(&self, key: &PublicKey, address_type: AddressType) -> Option<String> {
        let prefixes = self.prefixes()?;
        if key.algorithm() != Algorithm::Secp256k1 {
            return None;
        }
        let key_hash = hash160(&key.to_bytes());
        match address_type {
            AddressType::P2wpkh => segwit::encode_v0(Hrp::parse(prefixes.bech32).ok()?, &key_hash).ok(),
            AddressType::P2pkh => Some(base58(prefixes.p2pkh, key_hash)),
            AddressType::P2shP2wpkh => {
                // OP_0 and a push of 20 bytes.
                let script = [&[0x00, 0x14], key_hash.as_slice()].concat();
                Some(base58(prefixes.p2sh, hash160(&script)))
            }
        }
    }
}

fn hash160(bytes: &[u8]) -> [u8; 20] {
    Ripemd160::digest(Sha256::digest(bytes)).into()
}

fn base58(version: u8, hash: [u8; 20]) -> String {
    bs58::encode(hash).with_check_version(version).into_string()
}
