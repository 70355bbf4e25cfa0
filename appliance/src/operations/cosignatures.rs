//! Cosignatures of witnesses: for each the newest checkpoint it vouched for.
//!
//! No part of the truth: what is lost here is handed over again in a few seconds.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use appliance_wire::{Checkpoint, Cosignature, LogKey, ProblemCode, WitnessKey};
use jiff::Timestamp;
use serde::Serialize;

use super::Operations;
use crate::{config::WitnessConfig, own_file, principal::Peer, refusal::Refusal};

/// What the configured witnesses vouched for, also in the file `cosigned` of the state directory.
#[derive(Debug)]
pub struct Cosignatures {
    log_key: LogKey,
    path: PathBuf,
    witnesses: Vec<WitnessConfig>,
    /// By the witness's verifier key.
    newest: RwLock<BTreeMap<String, Cosigned>>,
}

#[derive(Clone, Debug)]
struct Cosigned {
    checkpoint: Checkpoint,
    cosignature: Cosignature,
}

/// How long ago a witness was there.
#[derive(Clone, Debug, Serialize)]
pub struct WitnessStatus {
    /// Its name in the config.
    pub name: String,
    /// Entries of the log it vouched for; none where it never did.
    pub size: Option<u64>,
    /// When, by its own clock (RFC 3339).
    pub cosigned: Option<String>,
    /// Likewise, in seconds since 1970.
    #[serde(skip)]
    pub timestamp: Option<u64>,
}

impl Cosignatures {
    /// Reads what is remembered. A file that cannot be used is no reason not to serve: it is told, and begun anew.
    #[must_use]
    pub fn open(state_directory: &Path, log_key: LogKey, witnesses: Vec<WitnessConfig>) -> Self {
        let path = state_directory.join("cosigned");
        let cosignatures = Self { log_key, path, witnesses, newest: RwLock::default() };
        match cosignatures.read() {
            Ok(newest) => Self { newest: RwLock::new(newest), ..cosignatures },
            Err(reason) => {
                tracing::warn!(reason, "the cosignatures remembered are not used");
                cosignatures
            }
        }
    }

    fn read(&self) -> Result<BTreeMap<String, Cosigned>, String> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(format!("{}: {error}", self.path.display())),
        };
        let notes: BTreeMap<String, String> =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", self.path.display()))?;
        let read = |witness: &WitnessConfig| {
            let note = notes.get(&witness.key.to_string())?;
            let checkpoint = Checkpoint::open(note, &self.log_key).ok()?;
            Some((witness.key.to_string(), self.cosigned(&witness.key, &checkpoint)?))
        };
        Ok(self.witnesses.iter().filter_map(read).collect())
    }

    fn cosigned(&self, key: &WitnessKey, checkpoint: &Checkpoint) -> Option<Cosigned> {
        let cosignature = key.newest(checkpoint.note())?;
        Some(Cosigned { checkpoint: checkpoint.clone(), cosignature })
    }

    /// Keeps the valid cosignatures by configured witnesses: the names of these. None replaces one of a larger log.
    fn keep(&self, checkpoint: &Checkpoint) -> Vec<String> {
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        let mut names = Vec::new();
        for witness in &self.witnesses {
            let Some(cosigned) = self.cosigned(&witness.key, checkpoint) else { continue };
            names.push(witness.name.clone());
            let key = witness.key.to_string();
            let rank = |cosigned: &Cosigned| (cosigned.checkpoint.size(), cosigned.cosignature.timestamp);
            if newest.get(&key).is_none_or(|known| rank(known) <= rank(&cosigned)) {
                newest.insert(key, cosigned);
            }
        }
        if !names.is_empty()
            && let Err(error) = self.write(&newest)
        {
            tracing::warn!(%error, path = %self.path.display(), "cosignatures are kept in memory only");
        }
        names
    }

    fn write(&self, newest: &BTreeMap<String, Cosigned>) -> std::io::Result<()> {
        let notes: BTreeMap<&String, String> = newest.iter().map(|(key, cosigned)| (key, cosigned.note())).collect();
        own_file::put(&self.path, &serde_json::to_vec(&notes)?)
    }

    /// The newest checkpoint some witness vouched for, with the cosignatures of all that did.
    fn newest(&self) -> Option<String> {
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        let size = newest.values().map(|cosigned| cosigned.checkpoint.size()).max()?;
        let mut of_size = newest.values().filter(|cosigned| cosigned.checkpoint.size() == size).peekable();
        let bare = of_size.peek()?.checkpoint.bare_note().to_owned();
        Some(of_size.fold(bare, |note, cosigned| format!("{note}{}\n", cosigned.cosignature.line)))
    }

    /// How long ago each witness was there.
    #[must_use]
    pub fn status(&self) -> Vec<WitnessStatus> {
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        let status = |witness: &WitnessConfig| {
            let cosigned = newest.get(&witness.key.to_string());
            let timestamp = cosigned.map(|cosigned| cosigned.cosignature.timestamp);
            let time = timestamp.and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok());
            WitnessStatus {
                name: witness.name.clone(),
                size: cosigned.map(|cosigned| cosigned.checkpoint.size()),
                cosigned: time.map(|time| time.to_string()),
                timestamp,
            }
        };
        self.witnesses.iter().map(status).collect()
    }
}

impl Cosigned {
    /// The note with this cosignature alone.
    fn note(&self) -> String {
        format!("{}{}\n", self.checkpoint.bare_note(), self.cosignature.line)
    }
}

impl Operations {
    /// Takes a checkpoint of ours with cosignatures: the configured witnesses among them, by name.
    ///
    /// # Errors
    /// `not-found` where no witness is configured; `malformed` where the checkpoint is not of this log, or none of its
    /// cosignatures is a configured witness's.
    pub async fn take_cosignatures(&self, peer: &Peer, note: &str) -> Result<Vec<String>, Refusal> {
        self.principal(peer)?;
        let cosignatures = self.cosignatures()?;
        let malformed = |detail: String| Refusal::new(ProblemCode::Malformed, detail);
        let checkpoint = Checkpoint::open(note, &cosignatures.log_key);
        let checkpoint = checkpoint.map_err(|error| malformed(format!("no checkpoint of this log: {error}")))?;
        let root = if checkpoint.size() > self.audit.log().tip().size {
            None
        } else {
            self.audit.log().root(checkpoint.size()).map_err(Refusal::log_unavailable)?
        };
        if root.as_ref() != Some(checkpoint.root()) {
            // Only the log key can have made it: two appliances with one key, or a log that was rolled back.
            tracing::error!(size = checkpoint.size(), "THE LOG KEY SIGNED A CHECKPOINT THAT IS NOT OF THIS LOG");
            let detail = format!("the log key signed these {} entries, and this log has others", checkpoint.size());
            return Err(malformed(format!("{detail}: a fork. Freeze, and have the log examined")));
        }
        let names = cosignatures.keep(&checkpoint);
        if names.is_empty() {
            let detail = "no cosignature in it is a valid one by a witness of the configuration: compare the `key` of \
                          each [[witness]] with what `chancery-watcher witness` prints";
            return Err(malformed(detail.to_owned()));
        }
        Ok(names)
    }

    /// The newest checkpoint that witnesses vouched for, with their cosignatures.
    ///
    /// # Errors
    /// `not-found` where no witness is configured, or none has cosigned yet.
    pub async fn cosigned_checkpoint(&self, peer: &Peer) -> Result<String, Refusal> {
        self.principal(peer)?;
        let none =
            || Refusal::new(ProblemCode::NotFound, "no witness has cosigned yet: run `chancery-watcher witness`");
        self.cosignatures()?.newest().ok_or_else(none)
    }

    fn cosignatures(&self) -> Result<&Cosignatures, Refusal> {
        let detail = "no witness is configured here: add [[witness]] to chancery.toml";
        let configured = self.cosignatures.as_ref().filter(|cosignatures| !cosignatures.witnesses.is_empty());
        configured.ok_or_else(|| Refusal::new(ProblemCode::NotFound, detail))
    }
}

#[cfg(test)]
mod tests;
