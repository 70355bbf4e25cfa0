//! `audit verify`: everything the log claims, checked again from `log.jsonl` alone, without token, store or daemon.

use std::{
    collections::HashMap,
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use appliance_wire::{
    Accepted, Body, Checkpoint, Entry, LogKey, Signed, from_canonical,
    tree::{Frontier, Hash},
};
use hsm_types::{Algorithm, KeyLabel, PublicKey, RawSignature, ToSign, Verifier};

use super::{
    anchor,
    journal::{self, Lines, Next},
    unreadable::Unreadable,
    writer::command_of,
};
use crate::{
    admission::{self, Application, Decision},
    clock::Moment,
    evidence::Facts,
    state::{Binding, BindingKey, Bindings, State, bindings_of},
};

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
        past: Past { file, ends: Vec::new(), bindings: HashMap::new() },
        verifiers: HashMap::new(),
        roots: HashMap::new(),
        wanted: Vec::new(),
        decisions: 0,
        signatures: 0,
    };
    audit.run(subject)
}

struct Auditor {
    directory: PathBuf,
    state: State,
    frontier: Frontier,
    past: Past,
    verifiers: HashMap<KeyLabel, Verifier>,
    /// Roots at the sizes somebody vouches for.
    roots: HashMap<u64, Hash>,
    wanted: Vec<u64>,
    decisions: u64,
    signatures: u64,
}

/// Entries read so far, by place in the file.
struct Past {
    file: File,
    ends: Vec<u64>,
    bindings: HashMap<BindingKey, Binding>,
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
        match &entry.body {
            Body::Accepted(accepted) => self.decide_again(entry, accepted)?,
            Body::Signed(signed) => self.check_signatures(signed)?,
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
            | Body::Addresses(_)
            | Body::Failed(_)
            | Body::Denied(_)
            | Body::Frozen(_)
            | Body::Unfrozen(_) => {}
        }
        self.state.apply(entry).map_err(|error| error.to_string())?;
        self.past.bindings.extend(bindings_of(entry));
        Ok(())
    }

    /// The policy then in force must accept the request again, with the same facts.
    fn decide_again(&mut self, entry: &Entry, accepted: &Accepted) -> Result<(), String> {
        let command = command_of(accepted).map_err(|refusal| refusal.problem.detail)?;
        let facts = Facts { transfer: accepted.transfer.clone() };
        let application = Application { watcher: &accepted.watcher, command: &command, facts: &facts };
        let time = entry.time.parse().map_err(|_| "its time is no RFC 3339".to_owned())?;
        let moment = Moment { time, elapsed: entry.elapsed, wall_trusted: true };
        let decision = admission::decide(&self.state, &self.past, &application, moment);
        self.decisions += 1;
        match decision.map_err(|error| error.to_string())? {
            Decision::Accepted(again) if *again == *accepted => Ok(()),
            Decision::Accepted(_) => Err("decided again, it comes to other facts or rules".to_owned()),
            Decision::Bound(binding) => Err(format!("its id was bound before, by entry {}", binding.accepted)),
            Decision::Refused(refusal) => Err(format!("decided again, it is refused: {}", refusal.problem.detail)),
        }
    }

    fn check_signatures(&mut self, signed: &Signed) -> Result<(), String> {
        let accepted = self.acceptance(signed.accepted)?;
        if accepted.watcher != signed.watcher || accepted.request_id != signed.request_id {
            return Err(format!("it signs another request than entry {} accepted", signed.accepted));
        }
        if accepted.items.len() != signed.signatures.len() {
            return Err("it has not one signature for each item".to_owned());
        }
        let command = command_of(&accepted).map_err(|refusal| refusal.problem.detail)?;
        let verifier = self.verifier(&accepted.key)?;
        for ((item, input), signature) in accepted.items.iter().zip(&command.inputs).zip(&signed.signatures) {
            let mut bytes = [0; 64];
            hex::decode_to_slice(&signature.signature, &mut bytes).map_err(|_| "a signature is not 64 bytes")?;
            let verified = verifier.verify(input, &RawSignature(bytes)).map_err(|error| error.to_string())?;
            let same = verified.to_bytes() == bytes
                && verified.recovery_id() == signature.recovery_id
                && signature.key == item.key
                && signature.digest == item.digest
                && signature.public_key == verifier.public_key().to_string()
                && match input {
                    ToSign::Message(message) => signature.message_sha256 == Some(appliance_wire::sha256_hex(message)),
                    ToSign::Digest(_) => signature.message_sha256.is_none(),
                };
            if !same {
                return Err("a signature is not low-S, or says another key, digest or recovery id".to_owned());
            }
            self.signatures += 1;
        }
        Ok(())
    }

    fn acceptance(&self, index: u64) -> Result<Accepted, String> {
        if let Body::Accepted(accepted) = self.past.entry(index).map_err(|error| error.to_string())?.body {
            return Ok(accepted);
        }
        Err(format!("entry {index} is no acceptance"))
    }

    fn verifier(&mut self, key: &KeyLabel) -> Result<Verifier, String> {
        if let Some(verifier) = self.verifiers.get(key) {
            return Ok(verifier.clone());
        }
        let entry = self.state.keys.get(key).ok_or_else(|| format!("key {key} has no entry"))?;
        let public_key = read_public_key(entry.algorithm, &entry.public_key)?;
        let verifier = Verifier::new(public_key);
        self.verifiers.insert(key.clone(), verifier.clone());
        Ok(verifier)
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

impl Bindings for Past {
    type Error = Unreadable;

    fn binding(&self, key: &BindingKey) -> Result<Option<Binding>, Unreadable> {
        Ok(self.bindings.get(key).copied())
    }

    fn entry(&self, index: u64) -> Result<Entry, Unreadable> {
        let place = index as usize;
        let missing = || Unreadable::new(format!("there is no entry {index} before"));
        let end = *self.ends.get(place).ok_or_else(missing)?;
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let mut bytes = vec![0; (end - start).saturating_sub(1) as usize];
        self.file.read_exact_at(&mut bytes, start).map_err(|error| Unreadable::new(error.to_string()))?;
        from_canonical(&bytes).map_err(|error| Unreadable::new(error.to_string()))
    }
}

fn finding(index: Option<u64>, reason: impl Into<String>) -> Finding {
    Finding { index, reason: reason.into() }
}
