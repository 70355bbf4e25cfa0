//! What the log says, held in memory: built from entries alone, one at a time, by the writer and by every verifier.

use std::{collections::BTreeMap, sync::Arc};

use appliance_wire::{Body, Entry, Genesis, KeyEnd, KeyEntry, LogKey, Recovered, RecoveredRequest, Scope, TokenEvent};
use hsm_types::KeyLabel;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{clock::LastBoot, policy::Policy};

mod accounts;
mod addresses;
mod bindings;
mod bound;
mod charges;
mod decided;
mod fingerprint;
mod pending;
mod snapshot;
mod usage;
mod variant;

pub use accounts::{Account, Accounts};
pub use addresses::{Addresses, MOST_CHILDREN, address_of};
pub use bindings::{Binding, BindingKey, Bindings, Outcome, bindings_of, withdrawal_of};
pub use bound::{Bound, are_of};
pub use charges::{Charge, Counted, charges_of, percent_everywhere};
pub use fingerprint::Fingerprint;
pub use pending::{Given, Waiting, WaitingPolicy};
pub use snapshot::BadSnapshot;
pub use usage::{Spent, Usage};
pub use variant::charged;

/// Projections of the log that decisions look at. What requests and references are bound to is too large for memory
/// and is looked up instead ([`Bindings`]).
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Number of entries applied.
    pub size: u64,
    /// The newest format an entry says it begins; 0 where none does, which is the oldest.
    pub format: u64,
    /// Entry 0.
    pub genesis: Option<Genesis>,
    /// Which token signs the log and holds its anchor.
    pub log_home: Option<LogHome>,
    /// The policy in force.
    pub policy: Option<Arc<Policy>>,
    /// Every key ever bound.
    pub keys: BTreeMap<KeyLabel, KeyEntry>,
    /// Which addresses are ours.
    pub addresses: Addresses,
    /// What limits have seen.
    pub usage: Usage,
    /// Freezes in force, each with the index of its entry.
    pub frozen: BTreeMap<Scope, u64>,
    /// What waits for officers, by index of its entry.
    pub pending: BTreeMap<u64, Waiting>,
    /// The policy that waits to come into force.
    pub waiting_policy: Option<WaitingPolicy>,
    /// How many policies came in, waited or were vetoed.
    pub policy_entries: u64,
    /// Keys on their way out of use.
    pub key_ends: BTreeMap<KeyLabel, KeyEnd>,
    /// How often a key was put on its way out, or taken off it.
    pub key_changes: u64,
    /// Accepted and neither signed nor lapsed, by index of the acceptance.
    pub open: BTreeMap<u64, Unfinished>,
    /// Signatures allowed, beside those the devices show.
    pub accounts: Accounts,
    /// Whether the token holds an anchor of this log.
    pub anchored: bool,
    /// Where the log went on from an older copy: of what was accepted before, variants may be lost.
    pub recovered_at: Option<u64>,
    /// The last start.
    pub last_boot: Option<LastBoot>,
    /// Index of the entry by which the clocks run.
    pub clock_entry: u64,
    /// Service time of the last entry.
    pub elapsed: u64,
    /// Wall time of the last entry.
    pub time: Option<Timestamp>,
    /// Whether a policy came in and its limits have not been counted yet ([`State::recount`]).
    pub uncounted: bool,
}

/// Where the log key is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LogHome {
    /// The token, as the config names it.
    pub token: String,
    /// The C2SP verifier key.
    pub log_key: String,
}

/// What one more attempt at an acceptance asks of a token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Unfinished {
    /// With which key.
    pub key: KeyLabel,
    /// How many signatures.
    pub signatures: u64,
}

/// Why an entry cannot follow what is before it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadEntry {
    /// A gap or a repetition.
    #[error("it says index {found}")]
    Index {
        /// What it says.
        found: u64,
    },
    /// Service time ran backwards.
    #[error("its service time {elapsed} ms is before {before} ms of the entry before")]
    Elapsed {
        /// What it says.
        elapsed: u64,
        /// What came before.
        before: u64,
    },
    /// Decided by another policy than the one in force.
    #[error("it was decided by policy {found}, in force is {expected}")]
    Policy {
        /// What it says.
        found: u64,
        /// What is in force.
        expected: u64,
    },
    /// Its content cannot be used.
    #[error("{0}")]
    Content(String),
}

/// Why use could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum RecountError<E> {
    /// The log cannot be read.
    #[error("{0}")]
    Log(E),
    /// An entry does not fit the policy.
    #[error("entry {index}: {reason}")]
    Entry {
        /// Which.
        index: u64,
        /// Why.
        reason: String,
    },
}

impl State {
    /// Version of the policy in force; 0 before the first.
    #[must_use]
    pub fn policy_version(&self) -> u64 {
        self.policy.as_ref().map_or(0, |policy| policy.version)
    }

    /// The origin line of the log's checkpoints, by which texts and proofs name it.
    ///
    /// # Errors
    /// It has no genesis.
    pub fn origin(&self) -> Result<String, String> {
        let home = self.log_home.as_ref().ok_or("the log has no genesis")?;
        let key = LogKey::parse(&home.log_key).map_err(|error| error.to_string())?;
        Ok(key.origin().to_owned())
    }

    /// Whether a freeze covers this key or watcher.
    #[must_use]
    pub fn freeze_over(&self, watcher: &str, key: &KeyLabel) -> Option<&Scope> {
        self.frozen.keys().find(|scope| covers(scope, watcher, key))
    }

    /// Applies the next entry.
    ///
    /// # Errors
    /// The entry cannot follow; the state is as it was only where the index, time or policy did not fit.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), BadEntry> {
        if entry.index != self.size {
            return Err(BadEntry::Index { found: entry.index });
        }
        if entry.elapsed < self.elapsed {
            return Err(BadEntry::Elapsed { elapsed: entry.elapsed, before: self.elapsed });
        }
        if entry.policy != self.policy_version() {
            return Err(BadEntry::Policy { found: entry.policy, expected: self.policy_version() });
        }
        if entry.format.as_ref().is_some_and(|format| format.number <= self.format) {
            return Err(BadEntry::Content("it begins a format that is no newer than the one before".into()));
        }
        let time: Timestamp = entry.time.parse().map_err(|_| BadEntry::Content("its time is no RFC 3339".into()))?;
        self.apply_body(entry)?;
        self.size += 1;
        self.format = entry.format.as_ref().map_or(self.format, |format| format.number);
        self.elapsed = entry.elapsed;
        self.time = Some(time);
        Ok(())
    }

    fn apply_body(&mut self, entry: &Entry) -> Result<(), BadEntry> {
        match &entry.body {
            Body::Genesis(genesis) if entry.index == 0 => {
                self.log_home = Some(LogHome { token: genesis.token.clone(), log_key: genesis.log_key.clone() });
                self.genesis = Some(genesis.clone());
            }
            Body::Genesis(_) => return Err(BadEntry::Content("a genesis is entry 0".into())),
            Body::Boot(boot) => {
                if boot.unanchored_percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
                    return Err(BadEntry::Content("what it charges is no percentage".into()));
                }
                self.last_boot = Some(LastBoot {
                    boot_id: boot.boot_id.clone(),
                    boot_time: boot.boot_time,
                    elapsed: entry.elapsed,
                    wall_offset: boot.wall_offset,
                });
                self.anchored |= boot.anchored;
                self.clock_entry = entry.index;
            }
            Body::Clock(clock) => {
                let (boot_id, boot_time) = (clock.boot_id.clone(), clock.boot_time);
                let wall_offset = clock.wall_offset;
                self.last_boot = Some(LastBoot { boot_id, boot_time, elapsed: entry.elapsed, wall_offset });
                self.clock_entry = entry.index;
                self.credit(clock.credited);
            }
            Body::Policy(policy) => self.take_policy(entry.index, policy)?,
            Body::Key(key) => self.take_key(key)?,
            Body::Pending(pending) => {
                let waiting = Waiting::new(pending, entry.elapsed).map_err(BadEntry::Content)?;
                self.pending.insert(entry.index, waiting);
            }
            Body::Approved(approved) => {
                let waiting =
                    self.pending.get_mut(&approved.pending).ok_or_else(|| decided::not_waiting(approved.pending))?;
                waiting.agree(approved).map_err(BadEntry::Content)?;
            }
            Body::Rejected(rejected) => self.end_waiting(rejected.pending)?,
            Body::Withdrawn(withdrawn) => self.end_waiting(withdrawn.pending)?,
            Body::Accepted(accepted) => {
                if let Some(approval) = &accepted.approval {
                    self.end_waiting(approval.pending)?;
                }
                if let Some(policy) = self.policy.as_ref().filter(|_| !self.uncounted) {
                    let charges = charges_of(policy, accepted).map_err(BadEntry::Content)?;
                    self.usage.charge(&charges, entry.elapsed);
                }
                let (key, signatures) = (accepted.key.clone(), accepted.items.len() as u64);
                self.accounts.allow(&key, signatures);
                self.open.insert(entry.index, Unfinished { key, signatures });
            }
            Body::Failed(failed) => {
                let unfinished = self.open.get(&failed.accepted).ok_or_else(|| not_open(failed.accepted))?;
                // Another attempt may follow: with the signatures of this one where it certainly made none.
                if failed.outcome_unknown {
                    self.accounts.allow(&unfinished.key, unfinished.signatures);
                }
            }
            Body::Token(token) => match &token.event {
                TokenEvent::DeviceLog(log) => {
                    self.accounts.record(&token.serial, log).map_err(BadEntry::Content)?;
                }
                TokenEvent::HoldsLog(home) => {
                    self.log_home = Some(LogHome { token: token.token.clone(), log_key: home.log_key.clone() });
                }
            },
            Body::Recovered(Recovered::Log(_)) => self.recovered_at = Some(entry.index),
            Body::Recovered(Recovered::Request(request)) => self.bind_again(entry.index, request)?,
            Body::Signed(signed) => self.close(signed.accepted)?,
            Body::Lapsed(lapsed) if self.pending.contains_key(&lapsed.accepted) => self.end_waiting(lapsed.accepted)?,
            Body::Lapsed(lapsed) => self.close(lapsed.accepted)?,
            Body::Frozen(frozen) => {
                self.frozen.insert(frozen.what.clone(), entry.index);
            }
            Body::Unfrozen(unfrozen) => {
                self.frozen.remove(&unfrozen.what);
                if let Scope::Key(key) = &unfrozen.what {
                    self.accounts.settle(key);
                }
            }
            Body::Addresses(allocation) => self.addresses.allocate(allocation).map_err(BadEntry::Content)?,
            Body::Denied(_) | Body::Released(_) => {}
        }
        if let Some(percent) = percent_everywhere(&entry.body).filter(|_| !self.uncounted) {
            self.usage.charge_everywhere(percent, entry.elapsed);
        }
        Ok(())
    }

    /// A request of the log that was lost. What it cost is in what the recovery charges every limit.
    fn bind_again(&mut self, index: u64, request: &RecoveredRequest) -> Result<(), BadEntry> {
        let bad = |reason: &str| BadEntry::Content(reason.to_owned());
        if self.recovered_at.is_none() {
            return Err(bad("no recovery is under way"));
        }
        match (request.acceptance, request.accepted(), request.signed()) {
            (Some(acceptance), None, Some(_)) if acceptance < index => self.close(acceptance),
            (Some(acceptance), Some(accepted), signed) if acceptance == index => {
                let (key, signatures) = (accepted.key.clone(), accepted.items.len() as u64);
                self.accounts.allow(&key, signatures);
                if signed.is_none() {
                    self.open.insert(index, Unfinished { key, signatures });
                }
                Ok(())
            }
            (None, None, Some(_)) => Ok(()),
            _ => Err(bad("what is proven is neither an acceptance nor signatures")),
        }
    }

    /// Counts what the log has accepted within the windows of the policy in force, back as far as the longest reaches:
    /// use belongs to the entries, not to the limits that happened to be in force when they were made.
    ///
    /// # Errors
    /// The log cannot be read, or an entry's amounts do not fit the policy's assets.
    pub fn recount<B: Bindings>(&mut self, log: &B) -> Result<(), RecountError<B::Error>> {
        self.uncounted = false;
        let Some(policy) = self.policy.clone() else { return Ok(()) };
        let since = policy.counts_since(self.elapsed);
        let mut found = Vec::new();
        for index in (0..self.size).rev() {
            let entry = log.entry(index).map_err(RecountError::Log)?;
            if entry.elapsed < since {
                break;
            }
            if let Body::Accepted(accepted) = &entry.body {
                let charges = charges_of(&policy, accepted).map_err(|reason| RecountError::Entry { index, reason })?;
                found.push((entry.elapsed, charges, None));
            } else if let Some(percent) = percent_everywhere(&entry.body) {
                found.push((entry.elapsed, Vec::new(), Some(percent)));
            }
        }
        self.usage = Usage::new(&policy);
        for (elapsed, charges, everywhere) in found.iter().rev() {
            self.usage.charge(charges, *elapsed);
            if let Some(percent) = everywhere {
                self.usage.charge_everywhere(*percent, *elapsed);
            }
        }
        Ok(())
    }

    /// Takes over what [`recount`](Self::recount) found for the policy that came in.
    pub fn counted(&mut self, usage: Usage) {
        self.usage = usage;
        self.uncounted = false;
    }

    /// Whether this acceptance is from before the log went on from an older copy, so that later ones of its withdrawal
    /// may be missing.
    #[must_use]
    pub fn may_have_lost_variants(&self, acceptance: &Entry) -> bool {
        matches!(acceptance.body, Body::Recovered(_)) || self.recovered_at.is_some_and(|at| acceptance.index < at)
    }

    /// The keys that some token must have.
    pub fn keys_in_tokens(&self) -> impl Iterator<Item = &KeyEntry> {
        self.keys.values().filter(|key| self.key_ends.get(&key.name) != Some(&KeyEnd::Destroyed))
    }

    /// Adds a key of the log.
    pub fn know_key(&mut self, key: &KeyEntry) {
        self.keys.insert(key.name.clone(), key.clone());
        self.addresses.know(self.policy.as_deref(), &self.keys);
    }

    fn close(&mut self, accepted: u64) -> Result<(), BadEntry> {
        self.open.remove(&accepted).map(|_| ()).ok_or_else(|| not_open(accepted))
    }

    /// Keys whose signatures are not all explained, and that are not frozen yet.
    pub fn unfrozen_suspects(&self) -> impl Iterator<Item = &KeyLabel> {
        let is_free = |key: &&KeyLabel| !self.frozen.contains_key(&Scope::Key(key.as_str().to_owned()));
        self.accounts.suspects().iter().filter(is_free)
    }
}

fn not_open(accepted: u64) -> BadEntry {
    BadEntry::Content(format!("entry {accepted} is no acceptance that is still open"))
}

/// Whether a freeze of `scope` covers this key or watcher.
#[must_use]
pub fn covers(scope: &Scope, watcher: &str, key: &KeyLabel) -> bool {
    match scope {
        Scope::All => true,
        Scope::Key(name) => name == key.as_str(),
        Scope::Watcher(name) => name == watcher,
    }
}
