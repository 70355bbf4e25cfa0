//! A policy on its way into force.

use serde::{Deserialize, Serialize};

use super::OfficerSignature;

/// A policy, whole, and where it stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PolicyEntry {
    /// Its version; strictly increasing among those that come into force.
    pub version: u64,
    /// SHA-256 of the document.
    pub sha256: String,
    /// The document, byte for byte; left out where it is vetoed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub document: String,
    /// What becomes of it with this entry.
    #[serde(default, skip_serializing_if = "PolicyStanding::is_in_force")]
    pub standing: PolicyStanding,
    /// What it lets pass that could not pass before, in words; none where it only tightens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loosens: Vec<String>,
    /// What the officers signed; none of the first, which comes with the ceremony, and where one has waited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<OfficerSignature>,
}

/// What becomes of a policy.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyStanding {
    /// It is in force from here on.
    #[default]
    InForce,
    /// It waits until this service time, in milliseconds, and can be vetoed meanwhile.
    WaitsUntil(u64),
    /// It was vetoed, and never comes into force.
    Vetoed,
}

/// Who signs with the key of the custodians' shares, in place of an officer's name.
pub const CUSTODIANS: &str = "custodians";

impl PolicyEntry {
    /// One that nobody had to sign: the first, or where there are no officers.
    #[must_use]
    pub fn unsigned(version: u64, sha256: String, document: String) -> Self {
        let (standing, loosens, signatures) = (PolicyStanding::InForce, Vec::new(), Vec::new());
        Self { version, sha256, document, standing, loosens, signatures }
    }

    /// Whether it came by the custodians' shares.
    #[must_use]
    pub fn is_by_custodians(&self) -> bool {
        matches!(&self.signatures[..], [one] if one.officer == CUSTODIANS)
    }
}

impl PolicyStanding {
    /// Whether it is in force.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        *self == Self::InForce
    }
}
