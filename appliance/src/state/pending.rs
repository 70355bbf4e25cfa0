//! What waits for officers.

use std::sync::Arc;

use appliance_wire::{Approved, Pending, RequestId, Wanted};
use hsm_types::KeyLabel;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::Policy;

/// A request that waits.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Waiting {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// With which key.
    pub key: KeyLabel,
    /// Service time since which it waits.
    pub since: u64,
    /// Until when.
    pub expires_at: Timestamp,
    /// Who was asked for when it came.
    pub wanted: Vec<Wanted>,
    /// Who agreed so far.
    pub approvals: Vec<Given>,
}

/// An officer's agreement.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Given {
    /// The officer's name then.
    pub officer: String,
    /// The key, as OpenSSH writes it.
    pub key: String,
}

/// A policy that waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WaitingPolicy {
    /// Index of the entry it came with.
    pub entry: u64,
    /// Service time from which on it is in force.
    pub until: u64,
    /// What it loosens, in words.
    pub loosens: Vec<String>,
    /// Whether it came by the custodians' shares.
    pub by_custodians: bool,
    /// The policy.
    pub policy: Arc<Policy>,
}

impl Waiting {
    /// What an entry makes wait.
    ///
    /// # Errors
    /// It says no time until when.
    pub(super) fn new(pending: &Pending, since: u64) -> Result<Self, String> {
        Ok(Self {
            watcher: pending.request.watcher.clone(),
            request_id: pending.request.request_id.clone(),
            key: pending.request.key.clone(),
            since,
            expires_at: pending.waits_until.parse().map_err(|_| "its end is no RFC 3339 time".to_owned())?,
            wanted: pending.wanted.clone(),
            approvals: Vec::new(),
        })
    }

    /// Takes an approval in.
    ///
    /// # Errors
    /// This officer, or this key, agreed before.
    pub(super) fn agree(&mut self, approved: &Approved) -> Result<(), String> {
        let given = Given { officer: approved.signature.officer.clone(), key: approved.signature.key.clone() };
        if let Some(before) = self.given(&given) {
            return Err(before);
        }
        self.approvals.push(given);
        Ok(())
    }

    /// Why an agreement would be a second one of the same person.
    #[must_use]
    pub fn given(&self, given: &Given) -> Option<String> {
        let before = self.approvals.iter().find(|other| other.officer == given.officer || other.key == given.key)?;
        Some(format!("{} agreed before, with {}: nobody counts twice", before.officer, before.key))
    }

    /// The officers who agreed and are officers still, with the key they signed with.
    #[must_use]
    pub fn officers(&self, policy: &Policy) -> Vec<String> {
        let is_officer = |given: &&Given| {
            let officer = policy.officer(&given.officer);
            officer.is_some_and(|officer| officer.ssh_keys.iter().any(|key| key.text() == given.key))
        };
        self.approvals.iter().filter(is_officer).map(|given| given.officer.clone()).collect()
    }
}
