//! A token that is open for a ceremony, of either kind. They have nothing else in common.

use hsm_drivers::{Error as DeviceError, Protection, ceremony::KeyListing, pkcs11, yubihsm2};
use hsm_types::{Algorithm, KeyLabel, PublicKey};

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
}
