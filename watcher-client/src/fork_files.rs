//! What was found of forks, in the state directory: each file for whoever has the log key and believes nobody.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use appliance_wire::{Checkpoint, Fork, LogKey, tree::Hash};

use crate::{Error, state_directory::StateDirectory};

/// Of the state directory.
pub(crate) const FOLDER: &str = "witness";

/// The files `witness/fork-SIZE.json`.
#[derive(Clone, Debug)]
pub(crate) struct ForkFiles {
    folder: PathBuf,
    log_keys: Vec<LogKey>,
}

/// A file that was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForkFile {
    /// Where.
    pub path: PathBuf,
    /// Whether the log key alone is enough to see that there is a fork.
    pub proven: bool,
}

impl ForkFiles {
    /// Those beside the other files of the memory; the folder is made with the first of them.
    pub(crate) fn new(state: &StateDirectory, log_keys: Vec<LogKey>) -> Self {
        Self { folder: state.file(FOLDER), log_keys }
    }

    /// What is found now.
    pub(crate) fn of(&self, known: &Checkpoint, offered: &Checkpoint, proof: &[Hash], why: String) -> Fork {
        Fork::new(known, offered, proof, &self.log_keys, why, seconds_since_1970())
    }

    /// Whether it is proven to whoever has the log key.
    pub(crate) fn proves(&self, fork: &Fork) -> bool {
        fork.verify(&self.log_keys).is_ok()
    }

    /// Writes it, synced. The first file of a size stays, unless this one proves what that one does not.
    pub(crate) fn keep(&self, fork: &Fork) -> Result<ForkFile, Error> {
        let directory = StateDirectory::open(&self.folder)?;
        let size = fork.larger.lines().nth(1).unwrap_or_default();
        let name = format!("fork-{size}.json");
        let path = directory.file(&name);
        let kept = directory.read(&name)?.and_then(|text| serde_json::from_str::<Fork>(&text).ok());
        let proven = self.proves(fork);
        match kept.map(|kept| self.proves(&kept)) {
            Some(kept_proves) if kept_proves || !proven => Ok(ForkFile { path, proven: kept_proves }),
            _ => {
                let text = serde_json::to_string_pretty(fork).map_err(|error| {
                    let source = io::Error::other(error);
                    Error::State { doing: "writing", file: path.clone(), source }
                })?;
                directory.replace(&name, &text)?;
                Ok(ForkFile { path, proven })
            }
        }
    }

    /// One of them, where there are some.
    pub(crate) fn any(&self) -> Result<Option<PathBuf>, Error> {
        let failed = |source| Error::State { doing: "reading", file: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if is_fork(&path) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

fn is_fork(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("fork-") && name.ends_with(".json")
}

/// The wall clock; 0 where it is before 1970.
pub(crate) fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
