//! The policies of a log: the one in force, and the one that waits, without an appliance and without its state.

use std::path::Path;

use appliance_wire::{Body, PolicyEntry, PolicyStanding};

use super::{
    journal::{Lines, Next},
    read_entry::read_entry,
    verify::Finding,
};
use crate::policy::Policy;

/// What a log says may be signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InstalledPolicy {
    /// The one in force.
    pub in_force: Policy,
    /// Version of the one that waits.
    pub waiting: Option<u64>,
}

/// The policy in force at the end of the log in `directory`; none before the first. The log is read and not verified.
///
/// # Errors
/// The log cannot be read.
pub fn installed_policy(directory: &Path) -> Result<Option<InstalledPolicy>, Finding> {
    let unreadable = |error: std::io::Error| Finding::new(None, format!("log.jsonl: {error}"));
    let mut lines = Lines::open(directory).map_err(unreadable)?;
    let (mut in_force, mut waiting) = (None::<(u64, PolicyEntry)>, None);
    for index in 0_u64.. {
        let Next::Line(bytes) = lines.next().map_err(unreadable)? else { break };
        // The few entries that could be one are read as entries.
        if !bytes.windows(MARK.len()).any(|window| window == MARK) {
            continue;
        }
        let at = |reason: String| Finding::new(Some(index), reason);
        let entry = read_entry(bytes).map_err(|error| at(error.to_string()))?;
        let Body::Policy(policy) = entry.body else { continue };
        match policy.standing {
            PolicyStanding::InForce => {
                waiting = None;
                in_force = Some((index, policy));
            }
            PolicyStanding::WaitsUntil(_) => waiting = Some(policy.version),
            PolicyStanding::Vetoed => waiting = None,
        }
    }
    let Some((index, entry)) = in_force else { return Ok(None) };
    let parsed = Policy::parse(&entry.document);
    let in_force = parsed.map_err(|mistakes| Finding::new(Some(index), mistakes.to_string()))?;
    Ok(Some(InstalledPolicy { in_force, waiting }))
}

/// What the canonical form of such an entry has, and no text within another: its quotes would be escaped there.
const MARK: &[u8] = b"\"kind\":\"policy\"";
