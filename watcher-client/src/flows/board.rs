//! How things stand with each chain now: in memory, for those who ask.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::chains::Tip;

/// One chain.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChainStanding {
    /// Whether the node answered in the last round, and is of the right chain.
    pub reachable: bool,
    /// Why the node, or the signer, cannot be used now.
    pub trouble: Option<String>,
    /// The node's tip.
    pub node_tip: Option<Tip>,
    /// Rounds since the start that an error of the node ended.
    #[serde(default)]
    pub node_errors: u64,
    /// Whether the signer gave no answer to what was asked of it last.
    #[serde(default)]
    pub signer_silent: bool,
}

/// All chains. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Board {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    standings: BTreeMap<String, ChainStanding>,
    to_resume: BTreeSet<String>,
}

impl Board {
    /// How things stand with a chain.
    #[must_use]
    pub fn standing(&self, chain: &str) -> ChainStanding {
        self.lock().standings.get(chain).cloned().unwrap_or_default()
    }

    /// Asks that a chain goes on after its alarm; its task does so in its next round.
    pub fn ask_to_resume(&self, chain: &str) {
        self.lock().to_resume.insert(chain.to_owned());
    }

    pub(super) fn is_to_resume(&self, chain: &str) -> bool {
        self.lock().to_resume.remove(chain)
    }

    pub(crate) fn change(&self, chain: &str, change: impl FnOnce(&mut ChainStanding)) {
        change(self.lock().standings.entry(chain.to_owned()).or_default());
    }

    /// A panic while it was held left whole values: each is written at once.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
