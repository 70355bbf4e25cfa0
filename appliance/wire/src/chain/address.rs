//! Addresses: of public keys, and of the scripts that pay them.

use std::{fmt, str::FromStr};

use bech32::{Fe32, Hrp, segwit};
use hsm_types::PublicKey;
use ripemd::Ripemd160;
use sha2::{Digest as _, Sha256};
use sha3::Keccak256;

use super::{BadDestination, Chain, solana};

/// The form of an address of Bitcoin's kind.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AddressType {
    /// Pay to witness public key hash, BIP 141.
    P2wpkh,
    /// The same inside a script hash.
    P2shP2wpkh,
    /// Pay to public key hash.
    P2pkh,
}

/// A text that is no [`AddressType`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{0}\" is not known: write p2wpkh, p2sh-p2wpkh or p2pkh")]
pub struct UnknownAddressType(String);

impl AddressType {
    const NAMED: [(&'static str, Self); 3] =
        [("p2wpkh", Self::P2wpkh), ("p2sh-p2wpkh", Self::P2shP2wpkh), ("p2pkh", Self::P2pkh)];
}

impl FromStr for AddressType {
    type Err = UnknownAddressType;

    fn from_str(text: &str) -> Result<Self, UnknownAddressType> {
        let named = Self::NAMED.iter().find(|(name, _)| *name == text);
        named.map(|(_, form)| *form).ok_or_else(|| UnknownAddressType(text.to_owned()))
    }
}

impl fmt::Display for AddressType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::NAMED.iter().filter(|(_, form)| form == self).try_for_each(|(name, _)| f.write_str(name))
    }
}

impl Chain {
    /// The address of `key` on this chain, in the form given on chains of Bitcoin's kind; EVM chains have one. None for
    /// keys that sign nothing there: Solana's are of Ed25519, all others of secp256k1.
    #[must_use]
    pub fn address_of(&self, key: &PublicKey, address_type: Option<AddressType>) -> Option<String> {
        if *self == Self::Solana {
            return solana::address_of(key);
        }
        let coordinates = key.coordinates()?;
        let Some(prefixes) = self.prefixes() else {
            let hash = Keccak256::digest(coordinates);
            return Some(format!("0x{}", hex::encode(hash.get(12..)?)));
        };
        let key_hash = hash160(&key.to_bytes());
        match address_type? {
            AddressType::P2wpkh => segwit::encode_v0(Hrp::parse(prefixes.bech32).ok()?, &key_hash).ok(),
            AddressType::P2pkh => Some(base58(prefixes.p2pkh, key_hash)),
            AddressType::P2shP2wpkh => {
                // OP_0 and a push of 20 bytes.
                let script = [&[0x00, 0x14], key_hash.as_slice()].concat();
                Some(base58(prefixes.p2sh, hash160(&script)))
            }
        }
    }

    /// The address that a `scriptPubKey` pays on a chain of Bitcoin's kind: P2PKH, P2SH, P2WPKH, P2WSH and P2TR have one.
    #[must_use]
    pub fn address_of_script(&self, script: &[u8]) -> Option<String> {
        let prefixes = self.prefixes()?;
        let witness =
            |version, program: &[u8]| segwit::encode(Hrp::parse(prefixes.bech32).ok()?, version, program).ok();
        match script {
            // OP_DUP OP_HASH160 <20 bytes> OP_EQUALVERIFY OP_CHECKSIG
            [0x76, 0xa9, 0x14, hash @ .., 0x88, 0xac] => Some(base58(prefixes.p2pkh, hash.try_into().ok()?)),
            // OP_HASH160 <20 bytes> OP_EQUAL
            [0xa9, 0x14, hash @ .., 0x87] => Some(base58(prefixes.p2sh, hash.try_into().ok()?)),
            [0x00, 0x14, program @ ..] if program.len() == 20 => witness(Fe32::Q, program),
            [0x00, 0x20, program @ ..] if program.len() == 32 => witness(Fe32::Q, program),
            [0x51, 0x20, program @ ..] if program.len() == 32 => witness(Fe32::P, program),
            _ => None,
        }
    }

    /// The `scriptPubKey` that pays an address, in any spelling, of a chain of Bitcoin's kind.
    ///
    /// # Errors
    /// What [`Chain::normal_destination`] refuses, and every address of other chains.
    pub fn script_of_address(&self, address: &str) -> Result<Vec<u8>, BadDestination> {
        let no_script = || BadDestination::Form { text: address.to_owned(), chain: *self };
        let normal = self.normal_destination(address)?;
        let prefixes = self.prefixes().ok_or_else(no_script)?;
        if let Ok((_, version, program)) = segwit::decode(&normal) {
            // OP_0, or OP_1 which is 0x51, and a push of the program.
            let number = if version == Fe32::Q { 0x00 } else { 0x50 + version.to_u8() };
            let length = u8::try_from(program.len()).map_err(|_| no_script())?;
            return Ok([&[number, length], program.as_slice()].concat());
        }
        let payload = bs58::decode(&normal).with_check(None).into_vec().map_err(|_| no_script())?;
        match payload.split_first() {
            Some((version, hash)) if *version == prefixes.p2pkh => {
                Ok([&[0x76, 0xa9, 0x14], hash, &[0x88, 0xac]].concat())
            }
            Some((version, hash)) if *version == prefixes.p2sh => Ok([&[0xa9, 0x14], hash, &[0x87]].concat()),
            Some(_) | None => Err(no_script()),
        }
    }
}

pub(crate) fn hash160(bytes: &[u8]) -> [u8; 20] {
    Ripemd160::digest(Sha256::digest(bytes)).into()
}

fn base58(version: u8, hash: [u8; 20]) -> String {
    bs58::encode(hash).with_check_version(version).into_string()
}
