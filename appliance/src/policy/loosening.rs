//! What a candidate would let pass that the policy in force does not. Computed, never declared.

use std::fmt;

use super::Policy;

/// Something that could pass under the candidate and not, not as early, or not with as few approvals, under the policy in
/// force; or of which nobody can prove otherwise.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Loosening {
    /// In words, with names and figures.
    pub what: String,
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// What `candidate` loosens. None: it is proved that it only tightens.
#[must_use]
pub fn loosenings(in_force: &Policy, candidate: &Policy) -> Vec<Loosening> {
    let same = Policy { version: in_force.version, sha256: in_force.sha256.clone(), ..candidate.clone() };
    let same = Policy { document: in_force.document.clone(), warnings: in_force.warnings.clone(), ..same };
    if same == *in_force {
        return Vec::new();
    }
    vec![Loosening { what: "it is another policy, and nothing about it is proved".to_owned() }]
}
