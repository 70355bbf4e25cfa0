//! The watcher's small memory on disk: whole files, replaced atomically, shared by every process of the watcher.
//!
//! The files are a few hundred bytes and change at most once a second, so they are written where they are needed.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use appliance_wire::Format;

use crate::{Error, formats};

const FORMAT: &str = "format";

/// A folder that exists.
#[derive(Clone, Debug)]
pub(crate) struct StateDirectory {
    path: PathBuf,
}

impl StateDirectory {
    /// Opens the folder and makes it where it is missing.
    ///
    /// # Errors
    /// [`Error::StateNewer`]; it cannot be made.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(|source| failed("making the directory", path, source))?;
        let directory = Self { path: path.to_owned() };
        directory.check_format()?;
        Ok(directory)
    }

    /// A later version says in a file of its own that this one would misread the others.
    fn check_format(&self) -> Result<(), Error> {
        let Some(line) = self.read(FORMAT)? else { return Ok(()) };
        let damaged = || Error::StateDamaged { file: self.file(FORMAT), what: "it names no format".to_owned() };
        let found = Format::from_line(line.as_bytes()).ok_or_else(damaged)?;
        formats::check(&found).map_err(|newer| Error::StateNewer { directory: self.path.clone(), newer })
    }

    /// Path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The text of a file; `None` only where there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, Error> {
        let file = self.file(name);
        match fs::read(&file) {
            Ok(bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|_| Error::StateDamaged { file, what: "it is not UTF-8".to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("reading", &file, source)),
        }
    }

    /// Keeps other processes of this watcher from changing a file until the lock is dropped.
    pub(crate) fn lock(&self) -> Result<File, Error> {
        let path = self.file("lock");
        let file = File::options().create(true).append(true).open(&path);
        let locked = file.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| failed("locking", &path, source))
    }

    /// Replaces a file: after a power cut it is the old one or the new one, whole.
    pub(crate) fn replace(&self, name: &str, text: &str) -> Result<(), Error> {
        let target = self.file(name);
        let temporary = self.file(&format!("{name}.new"));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &target)?;
            // The rename itself is durable only once the directory is.
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|source| failed("writing", &target, source))
    }
}

fn failed(doing: &'static str, file: &Path, source: io::Error) -> Error {
    Error::State { doing, file: file.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_newer_version_is_refused_in_one_sentence_and_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let line = |number| Format { number, version: "0.3.0".to_owned() }.to_line().unwrap();
        fs::write(folder.path().join(FORMAT), line(1)).unwrap();
        StateDirectory::open(folder.path()).unwrap();
        fs::write(folder.path().join(FORMAT), line(2)).unwrap();
        let refused = StateDirectory::open(folder.path()).unwrap_err();
        assert!(refused.is_for_good());
        let said = refused.to_string();
        assert!(said.contains("install chancery-watcher 0.3.0 or later; nothing was changed"), "{said}");
        fs::write(folder.path().join(FORMAT), "2\n").unwrap();
        assert!(matches!(StateDirectory::open(folder.path()), Err(Error::StateDamaged { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
