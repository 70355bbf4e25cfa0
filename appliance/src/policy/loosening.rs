//! Whether a policy lets anything pass that the policy in force does not: computed, and never taken from its author.
//!
//! Knows two policies and nothing of state: what it says holds whatever was accepted before, and at every moment. Where
//! nothing is found it is proved that each request, and each act of officers, that could pass under the candidate could
//! pass under the policy in force, no later and with no fewer approvals. What is not proved counts as found.

mod keys;
mod limits;
mod matter;
mod people;
mod places;
mod region;
mod rules;
mod set;
#[cfg(test)]
mod tests;
mod words;

use std::fmt;

use serde::Serialize;

use super::Policy;

/// Something that a policy allows and the policy in force does not, or of which that cannot be ruled out.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Loosening {
    /// In words, with names and figures.
    pub what: String,
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Everything by which `candidate` is looser than the policy in force; empty where it is proved to be none.
#[must_use]
pub fn loosenings(in_force: &Policy, candidate: &Policy) -> Vec<Loosening> {
    let mut found = people::loosenings(in_force, candidate);
    found.extend(keys::loosenings(in_force, candidate));
    found.extend(rules::loosenings(in_force, candidate));
    found.extend(limits::loosenings(in_force, candidate));
    found.into_iter().map(|what| Loosening { what }).collect()
}
