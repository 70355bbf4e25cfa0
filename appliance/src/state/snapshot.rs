//! The state at one size, so that a start need not read the whole log again.

use std::{collections::BTreeMap, sync::Arc};

use appliance_wire::{Amount, Decimal, Genesis, KeyEnd, KeyEntry, Scope, sha256_hex};
use hsm_types::KeyLabel;
use serde::{Deserialize, Serialize};

use super::{Accounts, Addresses, LogHome, State, Unfinished, Usage, Waiting, WaitingPolicy};
use crate::{clock::LastBoot, policy::Policy, state_format};

/// A snapshot that cannot be used; the log is then read from the beginning.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot cannot be used: {0}")]
pub struct BadSnapshot(String);

#[derive(Deserialize, Serialize)]
pub(super) struct Document {
    size: u64,
    #[serde(default)]
    format: u64,
    /// Length of `log.jsonl` at that size.
    #[serde(default)]
    bytes: Option<u64>,
    genesis: Option<Genesis>,
    #[serde(default)]
    log_home: Option<LogHome>,
    policy: Option<String>,
    keys: Vec<KeyEntry>,
    #[serde(default)]
    allocated: BTreeMap<KeyLabel, u32>,
    usage: Vec<(usize, String, u64, String)>,
    /// Of `usage`, what counts for whatever a limit is for.
    #[serde(default)]
    everywhere: Vec<(usize, u64, String)>,
    #[serde(default)]
    anchored: bool,
    #[serde(default)]
    recovered_at: Option<u64>,
    frozen: Vec<(Scope, u64)>,
    #[serde(default)]
    pending: BTreeMap<u64, Waiting>,
    /// Entry, service time, what it loosens, whether custodians brought it, document.
    #[serde(default)]
    waiting_policy: Option<(u64, u64, Vec<String>, bool, String)>,
    /// A snapshot of a version that did not count them is of no use.
    policy_entries: u64,
    #[serde(default)]
    key_ends: BTreeMap<KeyLabel, KeyEnd>,
    #[serde(default)]
    key_changes: u64,
    #[serde(default)]
    clock_entry: u64,
    open: BTreeMap<u64, Unfinished>,
    accounts: Accounts,
    last_boot: Option<LastBoot>,
    elapsed: u64,
    time: Option<jiff::Timestamp>,
    /// `usage` is still that of the policy before.
    #[serde(default)]
    uncounted: bool,
}

impl State {
    /// The snapshot of a state whose entries take `bytes` in `log.jsonl`: SHA-256 in hexadecimal, then JSON.
    #[must_use]
    pub fn snapshot(&self, bytes: u64) -> Vec<u8> {
        let json = serde_json::to_vec(&self.document(Some(bytes))).unwrap_or_default();
        [sha256_hex(&json).into_bytes(), json].concat()
    }

    pub(super) fn document(&self, bytes: Option<u64>) -> Document {
        let units = |amount: Amount| amount.to_decimal(0).as_str().to_owned();
        let usage = self.usage.buckets();
        let everywhere = self.usage.buckets_everywhere();
        Document {
            size: self.size,
            format: self.format,
            bytes,
            genesis: self.genesis.clone(),
            log_home: self.log_home.clone(),
            policy: self.policy.as_ref().map(|policy| policy.document.clone()),
            keys: self.keys.values().cloned().collect(),
            allocated: self.addresses.allocations().clone(),
            usage: usage
                .map(|(limit, scope, bucket, amount)| (limit, scope.to_owned(), bucket, units(amount)))
                .collect(),
            everywhere: everywhere.map(|(limit, bucket, amount)| (limit, bucket, units(amount))).collect(),
            anchored: self.anchored,
            recovered_at: self.recovered_at,
            frozen: self.frozen.iter().map(|(scope, entry)| (scope.clone(), *entry)).collect(),
            pending: self.pending.clone(),
            waiting_policy: self.waiting_policy.as_ref().map(|waiting| {
                let WaitingPolicy { entry, until, loosens, by_custodians, policy } = waiting;
                (*entry, *until, loosens.clone(), *by_custodians, policy.document.clone())
            }),
            policy_entries: self.policy_entries,
            key_ends: self.key_ends.clone(),
            key_changes: self.key_changes,
            clock_entry: self.clock_entry,
            open: self.open.clone(),
            accounts: self.accounts.clone(),
            last_boot: self.last_boot.clone(),
            elapsed: self.elapsed,
            time: self.time,
            uncounted: self.uncounted,
        }
    }

    /// Reads a snapshot, and how many bytes of `log.jsonl` it covers, where it says so.
    ///
    /// # Errors
    /// It is damaged.
    pub fn from_snapshot(bytes: &[u8]) -> Result<(Self, Option<u64>), BadSnapshot> {
        let bad = |reason: &dyn std::fmt::Display| BadSnapshot(reason.to_string());
        let (digest, json) = bytes.split_at_checked(64).ok_or_else(|| bad(&"too short"))?;
        if sha256_hex(json).as_bytes() != digest {
            return Err(bad(&"its checksum does not match"));
        }
        let document: Document = serde_json::from_slice(json).map_err(|error| bad(&error))?;
        if state_format::is_newer(document.format) {
            return Err(bad(&format_args!("it is of format {}", document.format)));
        }
        let policy = document.policy.as_deref().map(Policy::parse).transpose().map_err(|error| bad(&error))?;
        let mut usage = policy.as_ref().map(Usage::new).unwrap_or_default();
        let units = |text: &str| text.parse::<Decimal>().and_then(|amount| amount.to_amount(0));
        for (limit, scope, bucket, amount) in &document.usage {
            usage.restore(*limit, scope, *bucket, units(amount).map_err(|error| bad(&error))?);
        }
        for (limit, bucket, amount) in &document.everywhere {
            usage.restore_everywhere(*limit, *bucket, units(amount).map_err(|error| bad(&error))?);
        }
        let waiting_policy = document.waiting_policy.map(|(entry, until, loosens, by_custodians, text)| {
            let policy = Arc::new(Policy::parse(&text).map_err(|error| bad(&error))?);
            Ok(WaitingPolicy { entry, until, loosens, by_custodians, policy })
        });
        let keys = document.keys.into_iter().map(|key| (key.name.clone(), key)).collect();
        let mut addresses = Addresses::restore(document.allocated);
        addresses.know(policy.as_ref(), &keys);
        let first = |genesis: &Genesis| LogHome { token: genesis.token.clone(), log_key: genesis.log_key.clone() };
        let state = Self {
            size: document.size,
            format: document.format,
            // A version before knew of no other.
            log_home: document.log_home.or_else(|| document.genesis.as_ref().map(first)),
            genesis: document.genesis,
            policy: policy.map(Arc::new),
            keys,
            addresses,
            usage,
            frozen: document.frozen.into_iter().collect(),
            pending: document.pending,
            waiting_policy: waiting_policy.transpose()?,
            policy_entries: document.policy_entries,
            key_ends: document.key_ends,
            key_changes: document.key_changes,
            clock_entry: document.clock_entry,
            open: document.open,
            accounts: document.accounts,
            anchored: document.anchored,
            recovered_at: document.recovered_at,
            last_boot: document.last_boot,
            elapsed: document.elapsed,
            time: document.time,
            uncounted: document.uncounted,
        };
        Ok((state, document.bytes))
    }
}
