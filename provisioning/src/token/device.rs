//! A token that is open for a ceremony, of either kind. They have nothing else in common.

use hsm_drivers::{
    DeviceInfo, Error as DeviceError, Pin, Protection,
    ceremony::{BackupKey, KeyListing, Replica, WrappedKey},
    pkcs11, yubihsm2,
};
use hsm_types::{Algorithm, KeyLabel, PublicKey, ToSign, VerifiedSignature};
use zeroize::Zeroizing;

/// An open token.
#[derive(Debug)]
pub enum Device {
    /// A PKCS#11 token, the user logged in.
    Pkcs11(pkcs11::ceremony::Ceremony),
    /// A YubiHSM 2, in a session of its administrator.
    Yubihsm(yubihsm2::ceremony::Ceremony),
}

impl Device {
    /// A new key.
    pub fn generate_key(
        &mut self,
        label: &KeyLabel,
        algorithm: Algorithm,
        protection: Protection,
    ) -> Result<PublicKey, DeviceError> {
        match self {
            Self::Pkcs11(ceremony) => ceremony.generate_key(label, algorithm, protection),
            Self::Yubihsm(ceremony) => ceremony.generate_key(label, algorithm, protection),
        }
    }

    /// A new secp256k1 key with a chain code.
    pub fn generate_parent(&mut self, label: &KeyLabel, protection: Protection) -> Result<PublicKey, DeviceError> {
        let made = match self {
            Self::Pkcs11(ceremony) => ceremony.generate_parent(label, protection),
            Self::Yubihsm(ceremony) => ceremony.generate_parent(label, protection),
        };
        made.map(|(public_key, _)| public_key)
    }

    /// Every key it holds.
    pub fn list_keys(&mut self) -> Result<Vec<KeyListing>, DeviceError> {
        match self {
            Self::Pkcs11(ceremony) => ceremony.list_keys(),
            Self::Yubihsm(ceremony) => ceremony.list_keys(),
        }
    }

    /// The key of this name.
    pub fn listing(&mut self, label: &KeyLabel) -> Result<Option<KeyListing>, DeviceError> {
        Ok(self.list_keys()?.into_iter().find(|listing| listing.label == label.as_str()))
    }

    /// What it says about itself.
    pub fn info(&mut self) -> Result<DeviceInfo, DeviceError> {
        match self {
            Self::Pkcs11(ceremony) => ceremony.info(),
            Self::Yubihsm(ceremony) => ceremony.info(),
        }
    }

    /// What it says of a key, in words.
    pub fn key_facts(&mut self, label: &KeyLabel) -> Result<Vec<(String, String)>, DeviceError> {
        match self {
            Self::Pkcs11(ceremony) => ceremony.key_facts(label),
            Self::Yubihsm(ceremony) => ceremony.key_facts(label),
        }
    }

    /// Bytes of its random generator.
    pub fn random(&mut self, length: u16) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        match self {
            Self::Pkcs11(ceremony) => ceremony.random(length),
            Self::Yubihsm(ceremony) => ceremony.random(length),
        }
    }

    /// A verified signature.
    pub fn sign(&mut self, label: &KeyLabel, input: &ToSign) -> Result<VerifiedSignature, DeviceError> {
        match self {
            Self::Pkcs11(ceremony) => ceremony.sign(label, input),
            Self::Yubihsm(ceremony) => ceremony.sign(label, input),
        }
    }

    /// Destroys a key that has this public key, with all that belongs to it.
    pub fn destroy_key(&mut self, label: &KeyLabel, public_key: &PublicKey) -> Result<(), DeviceError> {
        match self {
            Self::Pkcs11(ceremony) => ceremony.destroy_key(label, public_key),
            Self::Yubihsm(ceremony) => ceremony.destroy_key(label, public_key),
        }
    }

    /// A key wrapped under the backup key; a PKCS#11 token needs the PINs of its security officer and its user.
    pub fn back_up(
        &mut self,
        label: &KeyLabel,
        backup_key: &BackupKey,
        pins: Option<(&Pin, &Pin)>,
    ) -> Result<WrappedKey, DeviceError> {
        match (self, pins) {
            (Self::Pkcs11(ceremony), Some((so_pin, pin))) => ceremony.back_up(label, backup_key, so_pin, pin),
            (Self::Pkcs11(_), None) => Err(DeviceError::Call {
                attempted: format!("backup of key \"{label}\""),
                cause: "the security officer's PIN is not there".to_owned(),
                disposition: hsm_drivers::Disposition::NotSent,
            }),
            (Self::Yubihsm(ceremony), _) => ceremony.back_up(label, backup_key),
        }
    }

    /// A key brought back from its backup, and proven.
    pub fn restore(&mut self, backup: &WrappedKey, backup_key: &BackupKey) -> Result<Replica, DeviceError> {
        match self {
            Self::Pkcs11(ceremony) => ceremony.restore(backup, backup_key),
            Self::Yubihsm(ceremony) => ceremony.restore(backup, backup_key),
        }
    }
}
