//! The directory an export is written to. A file gets its name last, and whole.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use appliance_wire::{Checkpoint, LogKey};

use super::{ExportError, layout::CHECKPOINT};

/// The directory, and what was written there.
#[derive(Debug)]
pub(super) struct Out {
    directory: PathBuf,
    made: HashSet<PathBuf>,
    /// Files written.
    pub(super) files: u64,
}

/// The checkpoint of the export that is in `directory`; none where there is none yet.
///
/// # Errors
/// Something else is there: another log, or what is no export at all.
pub(super) fn existing(directory: &Path, log_keys: &[LogKey]) -> Result<Option<Checkpoint>, ExportError> {
    let failed = |error: &dyn std::fmt::Display| ExportError::Failed(format!("{}: {error}", directory.display()));
    match fs::read_to_string(directory.join(CHECKPOINT)) {
        Ok(note) => {
            let other = |error| ExportError::NotValid(format!("{} holds another log: {error}", directory.display()));
            return Checkpoint::open_any(&note, log_keys).map(Some).map_err(other);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&error)),
    }
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    for entry in entries {
        // An export that was cut short has tiles and no checkpoint.
        let name = entry.map_err(|error| failed(&error))?.file_name();
        if name != "tile" {
            return Err(failed(&format!("there is {name:?}, and no export: name an empty directory, or a new one")));
        }
    }
    Ok(None)
}

impl Out {
    /// Makes the directory where it is not there.
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self { directory: directory.to_owned(), made: HashSet::new(), files: 0 })
    }

    /// Writes one file.
    pub(super) fn put(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.directory.join(path);
        if let Some(parent) = path.parent().filter(|parent| !self.made.contains(*parent)) {
            fs::create_dir_all(parent)?;
            self.made.insert(parent.to_owned());
        }
        let mut beside = path.clone().into_os_string();
        beside.push(".next");
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        drop(file);
        fs::rename(beside, path)?;
        self.files += 1;
        Ok(())
    }

    /// Makes everything so far durable, and only then puts the checkpoint that says it is there.
    pub(super) fn finish(&mut self, note: &str) -> io::Result<()> {
        let directory = File::open(&self.directory)?;
        rustix::fs::syncfs(&directory)?;
        self.put(CHECKPOINT, note.as_bytes())?;
        rustix::fs::syncfs(&directory)?;
        Ok(())
    }

    /// Removes partial tiles whose full one is there now.
    pub(super) fn remove(&self, partials: &Path) -> io::Result<()> {
        match fs::remove_dir_all(self.directory.join(partials)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
