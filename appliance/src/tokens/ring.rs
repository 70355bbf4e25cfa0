//! Keys of the log: where they are, and what verifies what comes from there.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use appliance_wire::KeyEntry;
use hsm_types::KeyLabel;

use super::Family;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Ring {
    keys: RwLock<HashMap<KeyLabel, RingKey>>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct RingKey {
    pub(super) token: String,
    pub(super) family: Family,
    /// The key's own public key, as in answers.
    pub(super) encoded: Arc<[u8]>,
}

impl Ring {
    /// Adds a key.
    ///
    /// # Errors
    /// Its public key or chain code cannot be read.
    pub(super) fn add(&self, key: &KeyEntry) -> Result<(), String> {
        let family = Family::of(key)?;
        let encoded = family.verifier.public_key().to_bytes().into();
        let ring_key = RingKey { token: key.token.clone(), family, encoded };
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(key.name.clone(), ring_key);
        Ok(())
    }

    pub(super) fn key(&self, label: &KeyLabel) -> Option<RingKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(label).cloned()
    }

    /// Every key.
    pub(super) fn all(&self) -> Vec<(KeyLabel, RingKey)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|(label, key)| (label.clone(), key.clone())).collect()
    }
}
