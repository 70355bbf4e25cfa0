//! Freezes as they hold this moment, whether or not the log could record them yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, RwLock},
};

use appliance_wire::Scope;
use hsm_types::KeyLabel;

use crate::{admission::frozen_refusal, refusal::Refusal, state::covers};

/// What is frozen. Looked at before every token call and before any stored answer leaves.
#[derive(Debug, Default)]
pub struct Freezes {
    scopes: RwLock<BTreeSet<Scope>>,
    /// By whom and why, of those the log could not record yet.
    unrecorded: RwLock<BTreeMap<Scope, (String, String)>>,
}

impl Freezes {
    /// Those in force according to the log.
    #[must_use]
    pub fn new(scopes: BTreeSet<Scope>) -> Self {
        Self { scopes: RwLock::new(scopes), unrecorded: RwLock::default() }
    }

    /// Begins one.
    pub fn begin(&self, scope: Scope) {
        self.scopes.write().unwrap_or_else(PoisonError::into_inner).insert(scope);
    }

    /// One that holds could not be recorded.
    pub fn owe(&self, scope: Scope, by: String, reason: String) {
        self.unrecorded.write().unwrap_or_else(PoisonError::into_inner).insert(scope, (by, reason));
    }

    /// Those that could not be recorded, by whom and why.
    #[must_use]
    pub fn unrecorded(&self) -> BTreeMap<Scope, (String, String)> {
        self.unrecorded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One is recorded now.
    pub fn recorded(&self, scope: &Scope) {
        self.unrecorded.write().unwrap_or_else(PoisonError::into_inner).remove(scope);
    }

    /// Ends one, which the log must have recorded.
    pub fn end(&self, scope: &Scope) {
        self.recorded(scope);
        self.scopes.write().unwrap_or_else(PoisonError::into_inner).remove(scope);
    }

    /// All in force.
    #[must_use]
    pub fn in_force(&self) -> Vec<Scope> {
        self.scopes.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Lets through what is not frozen.
    ///
    /// # Errors
    /// `frozen`.
    pub fn check(&self, watcher: &str, key: &KeyLabel) -> Result<(), Refusal> {
        let scopes = self.scopes.read().unwrap_or_else(PoisonError::into_inner);
        match scopes.iter().find(|scope| covers(scope, watcher, key)) {
            None => Ok(()),
            Some(scope) => Err(frozen_refusal(scope)),
        }
    }
}
