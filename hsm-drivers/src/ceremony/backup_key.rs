//! The key that other keys leave a device under, for a backup. It is made of a ceremony's secret, and is in a device only
//! while that wraps or unwraps. Knows no device and no shares.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

const INFO: &[u8] = b"chancery backup key v1";
const SEAL_INFO: &[u8] = b"chancery backup seal v1";
const FINGERPRINT: &[u8] = b"chancery backup key fingerprint v1";

/// An AES-256 key. Wiped when dropped; it cannot be printed, cloned or compared.
pub struct BackupKey(Zeroizing<[u8; 32]>);

impl BackupKey {
    /// The backup key of a ceremony, from its secret: HKDF-SHA-256 (RFC 5869).
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(derive(secret, INFO))
    }

    /// By what a backup names the key it needs. It tells nothing of the key.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 8] {
        let digest = Sha256::new().chain_update(FINGERPRINT).chain_update(self.0.as_slice()).finalize();
        let mut fingerprint = [0; 8];
        fingerprint.iter_mut().zip(digest).for_each(|(byte, of_digest)| *byte = of_digest);
        fingerprint
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the public parts of a backup are sealed with.
    pub(super) fn sealing_key(&self) -> Zeroizing<[u8; 32]> {
        derive(self.0.as_slice(), SEAL_INFO)
    }
}

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupKey(..)")
    }
}

/// HKDF-SHA-256 without a salt: the first 32 bytes, which are one block.
fn derive(secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let extracted = hmac(&[0; 32], &[secret]);
    hmac(&extracted, &[info, &[1]])
}

/// HMAC-SHA-256 of the parts, one after the other.
pub(super) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    // A key shorter than a block is filled up with zeros (RFC 2104, 2).
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(byte, of_key)| *byte = *of_key);
    let mut mac = <Hmac<Sha256> as Mac>::new((&*block).into());
    parts.iter().for_each(|part| mac.update(part));
    let mut tag = mac.finalize().into_bytes();
    let mut kept = Zeroizing::new([0; 32]);
    kept.copy_from_slice(&tag);
    tag.as_mut_slice().zeroize();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869, A.3, the first 32 bytes.
    #[test]
    fn a_key_is_derived_as_the_standard_says() {
        let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
        assert_eq!(hex::encode(*derive(&[0x0b; 22], b"")), expected);
    }

    /// The numbers are Python's (hashlib, hmac).
    #[test]
    fn a_secret_gives_the_same_key_for_ever() {
        let key = BackupKey::from_secret(&[0x11; 32]);
        assert_eq!(hex::encode(key.expose()), "055ee68970710c7b2b2601d0e54bbef606986bd4be2c2178e772aede3e47b512");
        assert_eq!(hex::encode(key.fingerprint()), "051495ecd2ab01bd");
        assert_eq!(format!("{key:?}"), "BackupKey(..)");
        assert_ne!(BackupKey::from_secret(&[0x12; 32]).fingerprint(), key.fingerprint());
    }
}
