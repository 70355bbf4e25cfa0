//! A key outside of any device: wrapped, with what of it is no secret. Knows no device; those that made it take it back.

mod written;

use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey};
use serde::{Deserialize, Serialize};

use self::written::Written;
use super::{
    Act, BackupKey, not_begun,
    seal::{Parts, Seal},
};
use crate::{
    Error,
    yubihsm2::protocol::{Capabilities, Domains},
};

/// What a backup file holds, as JSON: ciphertext and public material. Only whoever has the backup key can use it, or alter
/// it unnoticed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct WrappedKey {
    /// The key's label.
    pub label: KeyLabel,
    /// Its public key.
    pub public_key: PublicKey,
    /// What its children are derived with, where it may have any.
    pub chain_code: Option<ChainCode>,
    /// What kind of device wrapped it, how, and what it was there.
    pub wrapping: Wrapping,
    /// The wrapped private key, as the device gave it.
    pub wrapped: Vec<u8>,
    /// [`BackupKey::fingerprint`] of the key it is wrapped under.
    pub backup_key: [u8; 8],
    seal: Seal,
}

/// What kind of device wrapped a key, and what of it the device wants back beside the wrapped bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wrapping {
    /// PKCS #8 under `CKM_AES_KEY_WRAP_PAD` (RFC 5649).
    Pkcs11 {
        /// `CKA_ID`.
        id: Vec<u8>,
    },
    /// An object under `AES256-CCM-WRAP`.
    Yubihsm {
        /// Its object id.
        id: u16,
        /// Its domains.
        domains: Domains,
        /// Its capabilities.
        capabilities: Capabilities,
    },
}

/// Why a text is no backup of a key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("backup of a key: its `{field}` {reason}")]
pub struct BadWrappedKey {
    /// The member of the JSON object.
    pub field: &'static str,
    /// What is wrong with it, completing the sentence.
    pub reason: String,
}

impl WrappedKey {
    pub(crate) fn new(
        label: KeyLabel,
        public_key: PublicKey,
        chain_code: Option<ChainCode>,
        wrapping: Wrapping,
        wrapped: Vec<u8>,
        key: &BackupKey,
    ) -> Self {
        let parts = parts(&label, &public_key, chain_code.as_ref(), &wrapping, &wrapped);
        let (backup_key, seal) = (key.fingerprint(), Seal::new(key, &parts));
        Self { label, public_key, chain_code, wrapping, wrapped, backup_key, seal }
    }

    /// The key's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public_key.algorithm()
    }

    /// Whether it is wrapped under this key, and as it was when it was made.
    ///
    /// # Errors
    /// It is not: what is wrong, and which part was altered first.
    pub fn check(&self, key: &BackupKey) -> Result<(), Error> {
        let refused = |cause| Err(not_begun(Act::Restore, &self.label, cause));
        if self.backup_key != key.fingerprint() {
            return refused(format!(
                "the backup is wrapped under the backup key {}, and this one is {}: find the shares of that one",
                hex::encode(self.backup_key),
                hex::encode(key.fingerprint())
            ));
        }
        let parts = parts(&self.label, &self.public_key, self.chain_code.as_ref(), &self.wrapping, &self.wrapped);
        match self.seal.altered(key, &parts) {
            Some(part) => refused(format!("the {part} in the backup changed since it was made: take another copy")),
            None => Ok(()),
        }
    }
}

impl Wrapping {
    /// `pkcs11` or `yubihsm`, as in the configuration.
    #[must_use]
    pub fn driver(&self) -> &'static str {
        match self {
            Self::Pkcs11 { .. } => PKCS11.0,
            Self::Yubihsm { .. } => YUBIHSM.0,
        }
    }

    /// The mechanism, in the words of the device's documentation.
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Pkcs11 { .. } => PKCS11.1,
            Self::Yubihsm { .. } => YUBIHSM.1,
        }
    }

    /// The sentence for a device of another kind.
    pub(crate) fn refuse(&self, label: &KeyLabel) -> Error {
        let cause = format!(
            "the backup was made by a device of driver {}, and no other kind takes what that wraps",
            self.driver()
        );
        not_begun(Act::Restore, label, cause)
    }
}

/// Driver and mechanism.
const PKCS11: (&str, &str) = ("pkcs11", "CKM_AES_KEY_WRAP_PAD");
const YUBIHSM: (&str, &str) = ("yubihsm", "AES256-CCM-WRAP");

fn parts(
    label: &KeyLabel,
    public_key: &PublicKey,
    chain_code: Option<&ChainCode>,
    wrapping: &Wrapping,
    wrapped: &[u8],
) -> Parts {
    let algorithm = public_key.algorithm().name().as_bytes();
    let place = [wrapping.driver(), wrapping.mechanism()].join("\n");
    let place = match wrapping {
        Wrapping::Pkcs11 { id } => format!("{place}\n{}", hex::encode(id)),
        Wrapping::Yubihsm { id, domains, capabilities } => format!("{place}\n{id}\n{domains}\n{capabilities}"),
    };
    [
        wrapped.to_vec(),
        label.as_str().into(),
        [algorithm, b"\n", &public_key.to_bytes()].concat(),
        chain_code.map_or_else(Vec::new, |code| code.as_bytes().to_vec()),
        place.into_bytes(),
    ]
}

#[cfg(test)]
mod tests;
