//! `audit verify`: everything the log claims, checked again from its entries alone, without token, store or daemon.

use std::collections::HashMap;

use appliance_wire::{
    Body, Entry, LogKey, Recovered, from_canonical,
    tree::{Frontier, Hash},
};
use hsm_types::{Algorithm, KeyLabel, PublicKey};

use super::{
    evidence_files::EvidenceFiles,
    journal::Next,
    log_keys::log_key_of,
    read_entry::{UnreadEntry, read_entry},
};
use crate::{
    state::{State, bindings_of},
    tokens::Family,
};

mod decisions;
mod keys;
mod notes;
mod officers;
mod past;
mod recovered;
mod source;

use self::notes::Vouched;
pub use source::LogCopy;
pub(super) use {
    past::Past,
    source::{Again, Bundles, TileCheck},
};

/// What is not as it must be.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize, thiserror::Error)]
#[error("{}{reason}", .index.map(|index| format!("entry {index}: ")).unwrap_or_default())]
pub struct Finding {
    /// The first bad entry, where one is.
    pub index: Option<u64>,
    /// Why.
    pub reason: String,
    /// It was written by a newer version, which alone can judge it. What is there is what tree, anchor and checkpoints say.
    #[serde(skip)]
    pub is_newer: bool,
}

impl Finding {
    pub(super) fn new(index: Option<u64>, reason: impl Into<String>) -> Self {
        Self { index, reason: reason.into(), is_newer: false }
    }
}

/// What was verified.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Verification {
    /// Entries, all of them.
    pub entries: u64,
    /// Root over them, hexadecimal.
    pub root: String,
    /// Acceptances decided again, with the same result.
    pub decisions: u64,
    /// Transactions read again from `evidence/`, with the facts recorded.
    pub evidence: u64,
    /// Transactions that are no longer in `evidence/`: what was decided on them rests on the entries alone.
    pub evidence_missing: u64,
    /// Addresses of children derived again.
    pub addresses: u64,
    /// Signatures verified under the public keys of their keys.
    pub signatures: u64,
    /// Size of the newest stored checkpoint, whose signature and root were verified.
    pub checkpoint: Option<u64>,
    /// The log key.
    pub log_key: String,
    /// Bytes of an incomplete last line, as a running appliance may be writing one.
    pub incomplete_bytes: u64,
}

/// What is to be verified, and against what.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The copy of it.
    pub log: LogCopy<'a>,
    /// The log key the auditor knows; the genesis' own otherwise.
    pub log_key: Option<&'a LogKey>,
    /// A checkpoint note from before, which the log must contain.
    pub since: Option<&'a str>,
    /// Told how far the reading is: bytes of a state directory's log, entries of an export.
    pub progress: &'a dyn Fn(u64),
}

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subject({:?})", self.log)
    }
}

/// Verifies a log.
///
/// # Errors
/// The first [`Finding`].
pub fn verify(subject: &Subject<'_>) -> Result<Verification, Finding> {
    let directory = subject.log.directory();
    let vouched = Vouched::read(subject)?;
    let again = vouched.source.again(directory);
    let again = again.map_err(|error| finding(None, format!("log.jsonl: {error}")))?;
    let tiles = match subject.log {
        LogCopy::State(_) => None,
        LogCopy::Export(directory) => Some(TileCheck::new(directory)),
    };
    let mut auditor = Auditor {
        state: State::default(),
        frontier: Frontier::default(),
        tiles,
        past: Past::new(again),
        families: HashMap::new(),
        log_keys: Vec::new(),
        evidence: EvidenceFiles::of(directory),
        roots: HashMap::new(),
        decisions: 0,
        evidence_read: 0,
        evidence_missing: 0,
        addresses: 0,
        signatures: 0,
        newer: None,
    };
    auditor.run(vouched, subject)
}

struct Auditor {
    state: State,
    frontier: Frontier,
    /// Of an export, the hash tiles beside the entries.
    tiles: Option<TileCheck>,
    past: Past,
    families: HashMap<KeyLabel, Family>,
    /// Keys that sign checkpoints, oldest first.
    log_keys: Vec<LogKey>,
    evidence: EvidenceFiles,
    /// Roots at the sizes somebody vouches for.
    roots: HashMap<u64, Hash>,
    decisions: u64,
    evidence_read: u64,
    evidence_missing: u64,
    addresses: u64,
    signatures: u64,
    /// From there on only the tree can be checked.
    newer: Option<Finding>,
}

impl Auditor {
    fn run(&mut self, mut vouched: Vouched, subject: &Subject<'_>) -> Result<Verification, Finding> {
        let incomplete_bytes = self.read(&mut vouched, subject.progress)?;
        if let Some(tiles) = &self.tiles {
            tiles.finish().map_err(|reason| finding(None, reason))?;
        }
        let (checkpoint, log_key) = vouched.compare(self, subject.log_key)?;
        if let Some(newer) = self.newer.take() {
            return Err(newer);
        }
        Ok(Verification {
            entries: self.frontier.size(),
            root: hex::encode(self.frontier.root()),
            decisions: self.decisions,
            evidence: self.evidence_read,
            evidence_missing: self.evidence_missing,
            addresses: self.addresses,
            signatures: self.signatures,
            checkpoint,
            log_key: log_key.to_string(),
            incomplete_bytes,
        })
    }

    fn read(&mut self, vouched: &mut Vouched, progress: &dyn Fn(u64)) -> Result<u64, Finding> {
        let Vouched { source, sizes, .. } = vouched;
        loop {
            let index = self.frontier.size();
            let name = source.name();
            let leaf = match source.next() {
                Ok(Next::Line(bytes)) => self.line(index, bytes)?,
                Ok(Next::Rest(bytes)) => return Ok(bytes),
                Err(error) => return Err(finding(Some(index), format!("reading {name}: {error}"))),
            };
            if let Some(tiles) = &mut self.tiles {
                tiles.leaf(leaf).map_err(|reason| finding(Some(index), reason))?;
            }
            self.past.ends.push(source.end());
            if self.state.uncounted {
                self.state.recount(&self.past).map_err(|error| finding(Some(index), error.to_string()))?;
            }
            if sizes.contains(&(index + 1)) {
                self.roots.insert(index + 1, self.frontier.root());
            }
            if index.is_multiple_of(1_000) {
                progress(source.progress());
            }
        }
    }

    /// Checks an entry. Returns its leaf.
    fn line(&mut self, index: u64, bytes: &[u8]) -> Result<Hash, Finding> {
        if self.newer.is_none() {
            match read_entry(bytes) {
                Ok(entry) => {
                    self.check_officers(&entry).map_err(|reason| finding(Some(index), reason))?;
                    let leaf = self.frontier.append(bytes);
                    self.entry(&entry).map_err(|reason| finding(Some(index), reason))?;
                    return Ok(leaf);
                }
                Err(error) => {
                    let found = unread(index, &error);
                    if !found.is_newer {
                        return Err(found);
                    }
                    self.newer = Some(found);
                }
            }
        }
        // Another token may have come to sign the checkpoints.
        if let Ok(entry) = from_canonical::<Entry>(bytes) {
            self.log_keys.extend(log_key_of(&entry.body).and_then(|key| LogKey::parse(key).ok()));
        }
        Ok(self.frontier.append(bytes))
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        if !matches!(entry.body, Body::Frozen(_) | Body::Boot(_))
            && let Some(key) = self.state.unfrozen_suspects().next()
        {
            return Err(format!(
                "key {key} was not frozen, though a device made signatures with it nobody can explain"
            ));
        }
        match &entry.body {
            Body::Accepted(accepted) => self.decide_again(entry, accepted)?,
            Body::Signed(signed) => self.check_signatures(signed)?,
            Body::Addresses(allocation) => self.check_addresses(allocation)?,
            Body::Lapsed(lapsed) if self.state.pending.contains_key(&lapsed.accepted) => {
                self.check_end(entry, lapsed)?
            }
            Body::Lapsed(lapsed) => {
                let accepted = self.acceptance(lapsed.accepted)?;
                if accepted.watcher != lapsed.watcher || accepted.request_id != lapsed.request_id {
                    return Err(format!("it lapses another request than entry {} accepted", lapsed.accepted));
                }
            }
            Body::Genesis(_)
            | Body::Boot(_)
            | Body::Policy(_)
            | Body::Key(_)
            | Body::Failed(_)
            | Body::Denied(_)
            | Body::Token(_)
            | Body::Frozen(_)
            | Body::Unfrozen(_)
            | Body::Clock(_)
            | Body::Approved(_)
            | Body::Rejected(_)
            | Body::Withdrawn(_)
            | Body::Released(_)
            | Body::Recovered(Recovered::Log(_)) => {}
            Body::Pending(pending) => self.decide_waiting_again(entry, pending)?,
            Body::Recovered(Recovered::Request(request)) => self.check_recovered(entry.index, request)?,
        }
        self.state.apply(entry).map_err(|error| error.to_string())?;
        if let Some(key) = log_key_of(&entry.body) {
            self.log_keys.push(LogKey::parse(key).map_err(|error| error.to_string())?);
        }
        self.past.bindings.extend(bindings_of(entry));
        Ok(())
    }
}

/// The public key of a `key` entry.
pub(crate) fn read_public_key(algorithm: Algorithm, text: &str) -> Result<PublicKey, String> {
    let bytes = hex::decode(text).map_err(|_| format!("public key \"{text}\" is not hexadecimal"))?;
    PublicKey::decode(algorithm, &bytes).map_err(|error| error.to_string())
}

fn finding(index: Option<u64>, reason: impl Into<String>) -> Finding {
    Finding::new(index, reason)
}

fn unread(index: u64, error: &UnreadEntry) -> Finding {
    Finding { is_newer: matches!(error, UnreadEntry::Newer { .. }), ..finding(Some(index), error.to_string()) }
}
