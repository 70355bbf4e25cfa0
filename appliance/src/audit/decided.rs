//! What officers bring to the writer, and what it answers.

use appliance_wire::{KeyEntry, PolicyStanding};

use crate::officers::ActRequest;

/// What an act came to.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Acted {
    /// Index of its entry, or of the last of them.
    pub entry: u64,
    /// What is so from now on, in one line.
    pub done: String,
    /// The officers who signed it.
    pub officers: Vec<String>,
}

/// What became of what waited.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settled {
    /// Acceptances that may be signed now.
    pub accepted: Vec<u64>,
    /// Whether the policy that waits is due.
    pub policy_is_due: bool,
}

/// A policy on its way in.
#[derive(Clone, Debug)]
pub struct Install {
    /// How it comes.
    pub request: Incoming,
    /// Keys it brings in.
    pub keys: Vec<KeyEntry>,
}

/// How a policy comes.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Signed by officers, or by the key of the custodians' shares.
    Signed(ActRequest, Vec<String>),
    /// It has waited until it was due.
    Due,
}

/// What became of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Installed {
    /// In force, or until when it waits.
    pub standing: PolicyStanding,
    /// What it loosens.
    pub loosens: Vec<String>,
    /// Version of the one that waited, and never comes in now.
    pub ends_waiting: Option<u64>,
}
