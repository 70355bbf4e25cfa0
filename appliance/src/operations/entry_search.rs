//! Entries for people, from the newest back: a page of those wanted, and one with its proof. Read beside the writer.

use std::sync::Arc;

use appliance_wire::{Entry, Receipt, tree::leaf_hash};
use serde_json::Value;
use tokio::sync::Mutex;

use super::Operations;
use crate::{
    audit::Log,
    reading::{DeviceKeys, Filter, Selection, words},
    refusal::Refusal,
};

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct EntrySearch {
    pub(crate) filter: Filter,
    /// In the request's id.
    pub(crate) id_part: String,
    /// Below this index.
    pub(crate) before: Option<u64>,
}

/// A page of them.
#[derive(Clone, Debug, Default)]
pub struct FoundEntries {
    /// Newest first.
    pub entries: Vec<FoundEntry>,
    /// How many entries were looked at.
    pub looked_at: u64,
    /// Below which to look on; none where everything was looked at.
    pub older: Option<u64>,
}

/// An entry for people.
#[derive(Clone, Debug)]
pub struct FoundEntry {
    /// Its index.
    pub index: u64,
    /// When it was made, RFC 3339.
    pub time: String,
    /// Its kind; empty where it says none.
    pub kind: String,
    /// What it says.
    pub words: String,
}

/// An entry with what proves it.
#[derive(Clone, Debug)]
pub struct Proven {
    /// In words.
    pub entry: FoundEntry,
    /// All of it.
    pub json: Value,
    /// Hash of its leaf.
    pub leaf_hash: [u8; 32],
    /// Receipt under the newest checkpoint; none where no checkpoint covers it yet.
    pub receipt: Option<Receipt>,
    /// Entries that checkpoint covers.
    pub checkpoint: Option<u64>,
    /// Entries in the log.
    pub size: u64,
}

/// A search reads much: others wait.
pub(super) type OneAtATime = Mutex<()>;

/// Entries on a page.
const PAGE: usize = 20;
/// Entries looked at for a page.
const MOST_LOOKED_AT: u64 = 1_000;

impl Operations {
    /// A page of the entries wanted.
    ///
    /// # Errors
    /// `audit-log-unavailable`.
    pub async fn search_entries(&self, search: EntrySearch) -> Result<FoundEntries, Refusal> {
        let log = Arc::clone(self.audit.log());
        let _alone = self.searching.lock().await;
        let found = tokio::task::spawn_blocking(move || find(&log, &search)).await;
        found.map_err(Refusal::log_unavailable)?.map_err(Refusal::log_unavailable)
    }

    /// An entry with its proof; none where the log has no such entry.
    ///
    /// # Errors
    /// `audit-log-unavailable`.
    pub fn proven_entry(&self, index: u64) -> Result<Option<Proven>, Refusal> {
        let log = self.audit.log();
        let size = log.tip().size;
        if index >= size {
            return Ok(None);
        }
        let bytes = log.bytes(index).map_err(Refusal::log_unavailable)?;
        let json: Value = serde_json::from_slice(&bytes).map_err(Refusal::log_unavailable)?;
        let receipt = self.receipt(index)?;
        let checkpoint = self.checkpoints.newest().map(|checkpoint| checkpoint.size()).filter(|size| *size > index);
        let entry = found(index, &json, &DeviceKeys::default());
        Ok(Some(Proven { entry, json, leaf_hash: leaf_hash(&bytes), receipt, checkpoint, size }))
    }
}

fn find(log: &Log, search: &EntrySearch) -> Result<FoundEntries, String> {
    let end = search.before.unwrap_or(u64::MAX).min(log.tip().size);
    let first = end.saturating_sub(MOST_LOOKED_AT);
    let (mut entries, mut devices, mut last) = (Vec::new(), DeviceKeys::default(), end);
    for index in (first..end).rev() {
        let entry = read(log, index)?;
        last = index;
        devices.learn(&entry);
        if is_wanted(log, search, &entry, &devices)? {
            entries.push(found(index, &entry, &devices));
        }
        if entries.len() == PAGE {
            break;
        }
    }
    Ok(FoundEntries { entries, looked_at: end - last, older: (last > 0).then_some(last) })
}

/// What an acceptance came to does not name its key again, so that the acceptance is looked at first.
fn is_wanted(log: &Log, search: &EntrySearch, entry: &Value, devices: &DeviceKeys) -> Result<bool, String> {
    let id = entry["request_id"].as_str().unwrap_or_default();
    if !id.contains(&search.id_part) {
        return Ok(false);
    }
    let mut selection = Selection::new(&search.filter);
    let before = ["accepted", "pending"].iter().find_map(|member| entry[*member].as_u64());
    if let Some(before) = before.filter(|_| search.filter.key.is_some()) {
        selection.wants(&read(log, before)?, devices);
    }
    Ok(selection.wants(entry, devices))
}

fn read(log: &Log, index: u64) -> Result<Value, String> {
    let bytes = log.bytes(index).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("entry {index} is damaged: {error}"))
}

fn found(index: u64, json: &Value, devices: &DeviceKeys) -> FoundEntry {
    let text = |member: &str| json[member].as_str().unwrap_or_default().to_owned();
    let words = match serde_json::from_value::<Entry>(json.clone()) {
        Ok(entry) => words(&entry.body, devices),
        Err(error) => format!("not an entry this version can read: {error}"),
    };
    FoundEntry { index, time: text("time"), kind: text("kind"), words }
}
