//! What was cosigned last, and the one rule of a witness: never a smaller log, never another one, never unrecorded.
//!
//! Knows nothing of HTTP and of the signer; whoever submits a checkpoint is not believed.

use std::{
    fs::File,
    sync::{Mutex, PoisonError},
};

use appliance_wire::{
    AddCheckpoint, BadCheckpoint, Checkpoint, Fork, LogKey, WitnessKey,
    tree::{empty_root, verify_consistency},
};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::key::Signer;
use crate::{
    Error, ForkFile,
    fork_files::{FOLDER, ForkFiles, seconds_since_1970},
    state_directory::StateDirectory,
};

/// The file whose lock makes a witness the only one of its state directory.
const RUNNING: &str = "running";

/// How many submitted checkpoints wait to be held against the signer's log.
const MOST_SUSPECTS: usize = 64;

/// The memory of a witness.
#[derive(Debug)]
pub(super) struct Ledger {
    directory: StateDirectory,
    log_keys: Vec<LogKey>,
    signer: Signer,
    forks: ForkFiles,
    /// Held while a size is compared and replaced: C2SP tlog-witness asks for both in one.
    news: Mutex<News>,
    wake: Notify,
    _running: File,
}

/// What came in since the last round.
#[derive(Debug, Default)]
struct News {
    suspects: Vec<String>,
    fork: Option<Fork>,
    stopped: bool,
}

/// Why a submitted checkpoint is not cosigned; each is a status of C2SP tlog-witness.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// Not readable.
    Malformed(String),
    /// No log key is for its origin.
    UnknownLog,
    /// No log key signed it.
    NotSigned,
    /// The size its proof starts from is beyond its own.
    OldTooLarge,
    /// Something else was cosigned last: of this size.
    Conflict(u64),
    /// The proof does not lead from what was cosigned last to it.
    BadProof,
    /// A fork was found; nothing is cosigned any more.
    Stopped,
}

/// The first 16 hexadecimal digits of SHA-256 of an origin line: its name in paths.
pub(super) fn origin_hash(origin: &str) -> String {
    let digest = hex::encode(Sha256::digest(origin));
    digest.split_at(16).0.to_owned()
}

impl Ledger {
    pub(super) fn open(
        state: &StateDirectory,
        log_keys: Vec<LogKey>,
        signer: Signer,
        forks: ForkFiles,
    ) -> Result<Self, Error> {
        let directory = StateDirectory::open(&state.file(FOLDER))?;
        let running = directory.file(RUNNING);
        let file = File::options().create(true).append(true).open(&running);
        let file = file.map_err(|source| Error::State { doing: "opening", file: running.clone(), source })?;
        file.try_lock().map_err(|_| Error::WitnessRunning(running))?;
        if let Some(fork) = forks.any()? {
            return Err(Error::ForkKnown(fork));
        }
        let ledger =
            Self { directory, log_keys, signer, forks, news: Mutex::default(), wake: Notify::new(), _running: file };
        for key in &ledger.log_keys {
            ledger.newest(key.origin())?;
        }
        Ok(ledger)
    }

    pub(super) fn key(&self) -> &WitnessKey {
        self.signer.key()
    }

    /// The newest checkpoint cosigned of a log. A damaged file is an error, never "nothing yet".
    pub(super) fn newest(&self, origin: &str) -> Result<Option<Checkpoint>, Error> {
        let name = origin_hash(origin);
        let Some(note) = self.directory.read(&name)? else { return Ok(None) };
        let damaged = |what: String| Error::StateDamaged { file: self.directory.file(&name), what };
        let checkpoint = Checkpoint::open_any(&note, &self.log_keys).map_err(|error| damaged(error.to_string()))?;
        // The name of the file is the hash of the origin, so a good note of another log does not belong there.
        if checkpoint.origin() == origin {
            Ok(Some(checkpoint))
        } else {
            Err(damaged("it is of another log".to_owned()))
        }
    }

    /// The newest note of the log whose origin has this hash, with our cosignature.
    pub(super) fn note_of(&self, hash: &str) -> Result<Option<String>, Error> {
        match self.log_keys.iter().find(|key| origin_hash(key.origin()) == hash) {
            Some(_) => self.directory.read(hash),
            None => Ok(None),
        }
    }

    /// Cosigns what is submitted, by the rules of C2SP tlog-witness. The line leaves after it is on stable storage.
    pub(super) fn add(&self, body: &str) -> Result<Result<String, Refusal>, Error> {
        let (request, offered) = match self.read(body) {
            Ok(read) => read,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut news = self.news();
        if news.stopped || news.fork.is_some() {
            return Ok(Err(Refusal::Stopped));
        }
        let known = self.newest(offered.origin())?;
        if let Some(refusal) = self.compare(known.as_ref(), &request, &offered, &mut news) {
            return Ok(Err(refusal));
        }
        let Some(line) = self.signer.cosign(offered.bare_note(), seconds_since_1970()) else {
            return Ok(Err(Refusal::Malformed("not a signed note".to_owned())));
        };
        self.directory.replace(&origin_hash(offered.origin()), &format!("{}{line}\n", offered.bare_note()))?;
        Ok(Ok(line))
    }

    fn read(&self, body: &str) -> Result<(AddCheckpoint, Checkpoint), Refusal> {
        let request = AddCheckpoint::parse(body).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let origin = request.note.lines().next().unwrap_or_default();
        if !self.log_keys.iter().any(|key| key.origin() == origin) {
            return Err(Refusal::UnknownLog);
        }
        let offered = Checkpoint::open_any(&request.note, &self.log_keys).map_err(|error| match error {
            BadCheckpoint::Form(_) => Refusal::Malformed(error.to_string()),
            BadCheckpoint::Origin { .. } | BadCheckpoint::Signature | BadCheckpoint::LogKey(_) => Refusal::NotSigned,
        })?;
        if request.old > offered.size() { Err(Refusal::OldTooLarge) } else { Ok((request, offered)) }
    }

    /// Why `offered` does not follow from `known`. What the log key signed and does not fit is kept in `news`.
    fn compare(
        &self,
        known: Option<&Checkpoint>,
        request: &AddCheckpoint,
        offered: &Checkpoint,
        news: &mut News,
    ) -> Option<Refusal> {
        let (size, root) = known.map_or((0, empty_root()), |known| (known.size(), *known.root()));
        let same_size = size == offered.size();
        let refusal = if request.old != size || (same_size && root != *offered.root()) {
            Refusal::Conflict(size)
        } else if verify_consistency(size, offered.size(), &request.proof, &root, offered.root()).is_err() {
            Refusal::BadProof
        } else {
            return None;
        };
        if let Some(known) = known.filter(|_| !same_size || root != *offered.root()) {
            self.keep_evidence(known, request, offered, news);
        }
        Some(refusal)
    }

    fn keep_evidence(&self, known: &Checkpoint, request: &AddCheckpoint, offered: &Checkpoint, news: &mut News) {
        let whose = format!(
            "one with {} entries was cosigned here, one with {} was submitted by another",
            known.size(),
            offered.size()
        );
        let proof = if request.old == known.size() { &request.proof[..] } else { &[] };
        let fork = self.forks.of(known, offered, proof, whose);
        if self.forks.proves(&fork) {
            news.fork = Some(fork);
        } else if news.suspects.len() < MOST_SUSPECTS {
            news.suspects.push(offered.bare_note().to_owned());
        }
        self.wake.notify_one();
    }

    /// A note of the log key that is to be held against the signer's log.
    pub(super) fn suspect(&self) -> Option<String> {
        self.news().suspects.first().cloned()
    }

    /// It is of the signer's log.
    pub(super) fn clear(&self, suspect: &str) {
        self.news().suspects.retain(|other| other != suspect);
    }

    /// The fork that submissions proved, on stable storage.
    pub(super) fn found_fork(&self) -> Result<Option<(String, ForkFile)>, Error> {
        let fork = self.news().fork.clone();
        fork.map(|fork| self.forks.keep(&fork).map(|file| (fork.why, file))).transpose()
    }

    /// Nothing is cosigned from now on.
    pub(super) fn stop(&self) {
        self.news().stopped = true;
    }

    /// Ends when something came in that cannot wait.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    fn news(&self) -> std::sync::MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
