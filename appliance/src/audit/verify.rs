//! `audit verify`: everything the log claims, checked again from `log.jsonl` alone, without token, store or daemon.

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
};

use appliance_wire::{
    Body, Checkpoint, Entry, LogKey, from_canonical,
    tree::{Frontier, Hash},
};
use hsm_types::{Algorithm, KeyLabel, PublicKey};

use super::{
    anchor,
    evidence_files::EvidenceFiles,
    journal::{self, Lines, Next},
};
use crate::{
    state::{State, bindings_of},
    tokens::Family,
};

mod decisions;
mod keys;
mod past;

pub(super) use past::Past;

/// What is not as it must be.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize, thiserror::Error)]
#[error("{}{reason}", .index.map(|index| format!("entry {index}: ")).unwrap_or_default())]
pub struct Finding {
    /// The first bad entry, where one is.
    pub index: Option<u64>,
    /// Why.
    pub reason: String,
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
    /// The state directory.
    pub directory: &'a Path,
    /// The log key the auditor knows; the genesis' own otherwise.
    pub log_key: Option<&'a LogKey>,
    /// A checkpoint note from before, which the log must contain.
    pub since: Option<&'a str>,
    /// Told how far the reading is, in bytes.
    pub progress: &'a dyn Fn(u64),
}

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subject({})", self.directory.display())
    }
}

/// Verifies a log.
///
/// # Errors
/// The first [`Finding`].
pub fn verify(subject: &Subject<'_>) -> Result<Verification, Finding> {
    let file = File::open(journal::path_in(subject.directory));
    let file = file.map_err(|error| finding(None, format!("log.jsonl: {error}")))?;
    let mut audit = Auditor {
        directory: subject.directory.to_owned(),
        state: State::default(),
        frontier: Frontier::default(),
        past: Past::new(file),
        families: HashMap::new(),
        evidence: EvidenceFiles::of(subject.directory),
        roots: HashMap::new(),
        wanted: Vec::new(),
        decisions: 0,
        evidence_read: 0,
        evidence_missing: 0,
        addresses: 0,
        signatures: 0,
    };
    audit.run(subject)
}

struct Auditor {
    directory: PathBuf,
    state: State,
    frontier: Frontier,
    past: Past,
    families: HashMap<KeyLabel, Family>,
    evidence: EvidenceFiles,
    /// Roots at the sizes somebody vouches for.
    roots: HashMap<u64, Hash>,
    wanted: Vec<u64>,
    decisions: u64,
    evidence_read: u64,
    evidence_missing: u64,
    addresses: u64,
    signatures: u64,
}

impl Auditor {
    fn run(&mut self, subject: &Subject<'_>) -> Result<Verification, Finding> {
        let anchor = anchor::read(&self.directory).map_err(|error| finding(None, format!("anchor: {error}")))?;
        let anchor = anchor.ok_or_else(|| finding(None, "neither slot of the anchor is valid"))?;
        let note = match std::fs::read_to_string(self.directory.join("checkpoint")) {
            Ok(note) => Some(note),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(finding(None, format!("checkpoint: {error}"))),
        };
        let notes: Vec<&str> = note.as_deref().into_iter().chain(subject.since).collect();
        let sizes = notes.iter().filter_map(|note| note.lines().nth(1)?.parse().ok());
        self.wanted = sizes.chain([anchor.size]).collect();

        let mut lines = Lines::open(&self.directory).map_err(|error| finding(None, format!("log.jsonl: {error}")))?;
        let incomplete_bytes = self.read(&mut lines, subject.progress)?;
        if !self.roots.get(&anchor.size).is_some_and(|root| anchor.has_root(root)) {
            let index = anchor.size.min(self.frontier.size());
            let reason = format!("the log does not hold the {} entries its anchor was written for", anchor.size);
            return Err(finding(Some(index), reason));
        }
        let log_key = self.log_key(subject.log_key)?;
        let mut newest = None;
        for note in notes {
            newest = newest.max(Some(self.check_note(note, &log_key)?));
        }
        Ok(Verification {
            entries: self.frontier.size(),
            root: hex::encode(self.frontier.root()),
            decisions: self.decisions,
            evidence: self.evidence_read,
            evidence_missing: self.evidence_missing,
            addresses: self.addresses,
            signatures: self.signatures,
            checkpoint: newest,
            log_key: log_key.to_string(),
            incomplete_bytes,
        })
    }

    fn read(&mut self, lines: &mut Lines, progress: &dyn Fn(u64)) -> Result<u64, Finding> {
        loop {
            let index = self.frontier.size();
            let end = match lines.next() {
                Ok(Next::Line(bytes)) => {
                    let entry: Entry = from_canonical(bytes)
                        .map_err(|error| finding(Some(index), format!("no canonical entry: {error}")))?;
                    self.frontier.append(bytes);
                    self.entry(&entry).map_err(|reason| finding(Some(index), reason))?;
                    lines.position()
                }
                Ok(Next::Rest(bytes)) => return Ok(bytes),
                Err(error) => return Err(finding(Some(index), format!("reading log.jsonl: {error}"))),
            };
            self.past.ends.push(end);
            if self.state.uncounted {
                self.state.recount(&self.past).map_err(|error| finding(Some(index), error.to_string()))?;
            }
            if self.wanted.contains(&(index + 1)) {
                self.roots.insert(index + 1, self.frontier.root());
            }
            if index.is_multiple_of(1_000) {
                progress(end);
            }
        }
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
            | Body::Unfrozen(_) => {}
        }
        self.state.apply(entry).map_err(|error| error.to_string())?;
        self.past.bindings.extend(bindings_of(entry));
        Ok(())
    }

    fn log_key(&self, known: Option<&LogKey>) -> Result<LogKey, Finding> {
        let genesis = self.state.genesis.as_ref().ok_or_else(|| finding(Some(0), "there is no genesis"))?;
        let own = LogKey::parse(&genesis.log_key).map_err(|error| finding(Some(0), error.to_string()))?;
        match known {
            Some(known) if *known != own => {
                Err(finding(Some(0), format!("the genesis names log key {own}, not the one given")))
            }
            _ => Ok(own),
        }
    }

    fn check_note(&self, note: &str, log_key: &LogKey) -> Result<u64, Finding> {
        let checkpoint = Checkpoint::open(note, log_key).map_err(|error| finding(None, error.to_string()))?;
        let size = checkpoint.size();
        match self.roots.get(&size) {
            Some(root) if root == checkpoint.root() => Ok(size),
            Some(_) => {
                Err(finding(Some(size.saturating_sub(1)), format!("the root at size {size} is not the checkpoint's")))
            }
            None => {
                let reason = format!("a checkpoint of size {size} was signed, but the log ends here");
                Err(finding(Some(self.frontier.size()), reason))
            }
        }
    }
}

/// The public key of a `key` entry.
pub(crate) fn read_public_key(algorithm: Algorithm, text: &str) -> Result<PublicKey, String> {
    let bytes = hex::decode(text).map_err(|_| format!("public key \"{text}\" is not hexadecimal"))?;
    PublicKey::decode(algorithm, &bytes).map_err(|error| error.to_string())
}

fn finding(index: Option<u64>, reason: impl Into<String>) -> Finding {
    Finding { index, reason: reason.into() }
}
