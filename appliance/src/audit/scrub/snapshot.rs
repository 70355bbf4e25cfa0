//! The snapshot a start relied on, held against what the entries before it come to. Knows no store.

use std::sync::Arc;

use appliance_wire::{Body, Entry};

use crate::{
    policy::Policy,
    state::{Fingerprint, State, Usage, charges_of, percent_everywhere},
};

/// What must come out.
#[derive(Debug)]
pub(in crate::audit) struct Snapshot {
    size: u64,
    elapsed: u64,
    policy: Option<Arc<Policy>>,
    fingerprint: Fingerprint,
}

impl Snapshot {
    /// That of this state.
    pub(in crate::audit) fn of(state: &State) -> Self {
        let State { size, elapsed, policy, .. } = state;
        Self { size: *size, elapsed: *elapsed, policy: policy.clone(), fingerprint: state.fingerprint() }
    }
}

/// The entries, applied one after another until the snapshot is reached.
#[derive(Debug)]
pub(super) struct Replay {
    snapshot: Snapshot,
    /// Without use: policies of before counted other limits.
    state: State,
    /// Under the snapshot's policy, of what its limits can still look back to.
    usage: Usage,
    since: u64,
}

impl Replay {
    pub(super) fn of(snapshot: Snapshot) -> Self {
        let policy = snapshot.policy.as_deref();
        let usage = policy.map(Usage::new).unwrap_or_default();
        let since = policy.map_or(0, |policy| policy.counts_since(snapshot.elapsed));
        Self { snapshot, state: State::default(), usage, since }
    }

    pub(super) fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        if self.state.size == self.snapshot.size {
            return Ok(());
        }
        self.state.apply(entry).map_err(|error| error.to_string())?;
        if entry.elapsed >= self.since {
            self.count(entry)?;
        }
        if self.state.size < self.snapshot.size {
            return Ok(());
        }
        // Nothing of it is needed any more.
        let mut state = std::mem::take(&mut self.state);
        self.state.size = state.size;
        state.counted(std::mem::take(&mut self.usage));
        match self.snapshot.fingerprint.difference(&state.fingerprint()) {
            None => Ok(()),
            Some(part) => Err(format!(
                "the snapshot of {} entries that the appliance started from is not what they come to ({part})",
                state.size
            )),
        }
    }

    fn count(&mut self, entry: &Entry) -> Result<(), String> {
        let Some(policy) = &self.snapshot.policy else { return Ok(()) };
        if let Body::Accepted(accepted) = &entry.body {
            self.usage.charge(&charges_of(policy, accepted)?, entry.elapsed);
        } else if let Some(percent) = percent_everywhere(&entry.body) {
            self.usage.charge_everywhere(percent, entry.elapsed);
        }
        Ok(())
    }
}
