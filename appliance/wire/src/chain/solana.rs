//! Addresses of Solana: the 32 bytes of an Ed25519 public key, or of an account nobody has the key of, in base58 without
//! a checksum (Solana documentation, "Accounts": account address).

use hsm_types::PublicKey;

pub(super) fn address_of(key: &PublicKey) -> Option<String> {
    let PublicKey::Ed25519(key) = key else { return None };
    Some(bs58::encode(key.as_bytes()).into_string())
}

/// Base58 of 32 bytes has one spelling: each zero byte at the beginning is one `1`.
pub(super) fn is_address(text: &str) -> bool {
    let mut bytes = [0; 32];
    bs58::decode(text).onto(&mut bytes).is_ok_and(|length| length == bytes.len())
}
