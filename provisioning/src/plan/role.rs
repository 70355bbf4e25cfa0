//! What a plan says of the roles of a YubiHSM 2, and what the drivers give them.

use hsm_drivers::yubihsm2::{
    ceremony::{RoleName, capabilities_of, excess},
    protocol::Capabilities,
};
use serde::Deserialize;

/// A role, as a plan says it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "lowercase")]
pub(super) enum Word {
    Administrator,
    Signer,
    Auditor,
    Backup,
}

impl From<Word> for RoleName {
    fn from(word: Word) -> Self {
        match word {
            Word::Administrator => Self::Administrator,
            Word::Signer => Self::Signer,
            Word::Auditor => Self::Auditor,
            Word::Backup => Self::Backup,
        }
    }
}

/// What the role may do, in Yubico's spelling.
#[must_use]
pub fn capabilities(role: RoleName) -> Vec<String> {
    capabilities_of(role).names()
}

/// Each thing wrong with the capabilities that a plan wants for a role: words that are none, and what is more than it needs.
pub(super) fn mistakes(role: RoleName, wanted: &[String]) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut all = Capabilities::NONE;
    for word in wanted {
        match word.parse::<Capabilities>() {
            Ok(capability) => all = all | capability,
            Err(error) => mistakes.push(format!("role \"{role}\": {error}")),
        }
    }
    let more = excess(role, all);
    if more != Capabilities::NONE {
        mistakes.push(format!("role \"{role}\": more than it needs: {}", more.names().join(", ")));
    }
    let missing = capabilities_of(role).without(all);
    if missing != Capabilities::NONE {
        mistakes.push(format!("role \"{role}\": it also needs {}", missing.names().join(", ")));
    }
    mistakes
}
