//! What officers decided: policies, keys, and what waited for them.

use std::sync::Arc;

use appliance_wire::{KeyEnd, KeyEntry, PolicyEntry, PolicyStanding};

use super::{BadEntry, State, WaitingPolicy};
use crate::policy::Policy;

impl State {
    pub(super) fn take_policy(&mut self, index: u64, policy: &PolicyEntry) -> Result<(), BadEntry> {
        self.policy_entries += 1;
        if policy.standing == PolicyStanding::Vetoed {
            let waited = self.waiting_policy.take_if(|waiting| waiting.policy.version == policy.version);
            let none = || BadEntry::Content(format!("no policy version {} waits", policy.version));
            return waited.map(|_| ()).ok_or_else(none);
        }
        let parsed = Policy::parse(&policy.document)
            .map_err(|mistakes| BadEntry::Content(format!("its policy document cannot be read: {mistakes}")))?;
        if parsed.version <= self.policy_version() || parsed.version != policy.version {
            return Err(BadEntry::Content("its policy version does not increase".into()));
        }
        let parsed = Arc::new(parsed);
        if let PolicyStanding::WaitsUntil(until) = policy.standing {
            let loosens = policy.loosens.clone();
            self.waiting_policy = Some(WaitingPolicy {
                entry: index,
                until,
                loosens,
                by_custodians: policy.is_by_custodians(),
                policy: parsed,
            });
            return Ok(());
        }
        self.policy = Some(parsed);
        self.waiting_policy = None;
        self.uncounted = true;
        self.addresses.know(self.policy.as_deref(), &self.keys);
        Ok(())
    }

    /// Credited time empties windows. What people have to look at something is not shortened by it.
    pub(super) fn credit(&mut self, credited: u64) {
        if let Some(waiting) = &mut self.waiting_policy {
            waiting.until = waiting.until.saturating_add(credited);
        }
        for end in self.key_ends.values_mut() {
            if let KeyEnd::PendingDestroy(from) = end {
                *from = from.saturating_add(credited);
            }
        }
        for waiting in self.pending.values_mut() {
            waiting.since = waiting.since.saturating_add(credited);
        }
    }

    pub(super) fn take_key(&mut self, key: &KeyEntry) -> Result<(), BadEntry> {
        let bad = |reason: String| Err(BadEntry::Content(reason));
        match (&key.change, self.keys.get(&key.name)) {
            (None, None) => self.know_key(key),
            (None, Some(_)) => return bad(format!("key {} is bound twice", key.name)),
            (Some(_), known) if known.is_none_or(|known| known.public_key != key.public_key) => {
                return bad(format!("it ends a key {} that is not bound so", key.name));
            }
            (Some(change), _) => {
                match change.to {
                    KeyEnd::Kept => self.key_ends.remove(&key.name),
                    KeyEnd::PendingDestroy(_) | KeyEnd::Destroyed => {
                        self.key_ends.insert(key.name.clone(), change.to.clone())
                    }
                };
                self.key_changes += 1;
            }
        }
        Ok(())
    }

    pub(super) fn end_waiting(&mut self, pending: u64) -> Result<(), BadEntry> {
        self.pending.remove(&pending).map(|_| ()).ok_or_else(|| not_waiting(pending))
    }
}

pub(super) fn not_waiting(pending: u64) -> BadEntry {
    BadEntry::Content(format!("entry {pending} is nothing that waits"))
}
