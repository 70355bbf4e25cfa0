//! Who can spend an output.

use hsm_types::PublicKey;

use crate::chain::hash160;

/// The script of an input: the four forms whose digests the appliance recomputes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Spend {
    /// Pay to witness public key hash (BIP 141): HASH160 of the key.
    P2wpkh([u8; 20]),
    /// The same inside a script hash.
    P2shP2wpkh([u8; 20]),
    /// Pay to public key hash: HASH160 of the key.
    P2pkh([u8; 20]),
    /// `OP_m <keys> OP_n OP_CHECKMULTISIG` as the witness script of a P2WSH output.
    Multisig {
        /// m.
        required: u8,
        /// The n compressed keys, in script order.
        public_keys: Vec<[u8; 33]>,
    },
}

impl Spend {
    /// Whether a signature of this key counts.
    #[must_use]
    pub fn is_by(&self, public_key: &PublicKey) -> bool {
        let bytes = public_key.to_bytes();
        match self {
            Self::P2wpkh(hash) | Self::P2shP2wpkh(hash) | Self::P2pkh(hash) => hash160(&bytes) == *hash,
            Self::Multisig { public_keys, .. } => public_keys.iter().any(|key| key.as_slice() == bytes),
        }
    }

    /// Whether others may have to sign, or may sign instead.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Multisig { .. })
    }
}
