//! Files that are made once and never overwritten, and the few that may be replaced.
//!
//! Whoever is killed in the middle leaves the file whole or not there: content is written beside it and synced first.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use appliance_wire::Format;

use crate::{Error, report::Outcome};

/// Readable by its owner alone: PINs and private keys.
pub const SECRET: u32 = 0o600;

/// Readable by all: certificates, configuration, policy.
pub const PUBLIC: u32 = 0o644;

/// Makes the file, unless it is there: then it stays as it is.
pub fn create(path: &Path, content: &[u8], mode: u32) -> Result<Outcome, Error> {
    let failed = |source| Error::File { attempted: "write", path: path.to_owned(), source };
    if exists(path)? {
        return Ok(Outcome::Kept);
    }
    let beside = write_beside(path, content, mode).map_err(failed)?;
    // A link, not a rename: a link fails where the name is taken meanwhile, a rename would overwrite.
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside).map_err(failed)?;
    match linked {
        Ok(()) => sync_parent(path).map_err(failed).map(|()| Outcome::Made),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Ok(Outcome::Kept),
        Err(source) => Err(failed(source)),
    }
}

/// Replaces a file that holds neither key nor PIN.
pub fn replace(path: &Path, content: &str) -> Result<(), Error> {
    let failed = |source| Error::File { attempted: "write", path: path.to_owned(), source };
    let beside = write_beside(path, content.as_bytes(), PUBLIC).map_err(failed)?;
    fs::rename(&beside, path).and_then(|()| sync_parent(path)).map_err(failed)
}

/// Puts `next` in the place of `path`; what was there stays as `old`.
pub fn supersede(path: &Path, next: &Path, old: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { attempted: "replace", path: path.to_owned(), source };
    match fs::hard_link(path, old) {
        Ok(()) => {}
        // An interrupted run came so far.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    fs::rename(next, path).and_then(|()| sync_parent(path)).map_err(failed)
}

/// `path` with `.suffix` behind its whole name.
#[must_use]
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Makes a directory and its parents; what this call makes is closed to others.
pub fn create_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| Error::File {
        attempted: "make the directory",
        path: path.to_owned(),
        source,
    })
}

/// The whole text of a file.
pub fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::File { attempted: "read", path: path.to_owned(), source })
}

/// The text of a transcript or a backup that a version up to this one made. Of both there is format 1 alone, which says
/// nothing of itself; one of a later says its number.
///
/// # Errors
/// [`Error::Newer`].
pub fn read_known(path: &Path) -> Result<String, Error> {
    let text = read(path)?;
    let own = Format { number: 1, version: env!("CARGO_PKG_VERSION").to_owned() };
    match Format::of_json(&text).map(|found| found.check("chancery-provision", &own)) {
        Some(Err(newer)) => Err(Error::Newer { path: path.to_owned(), newer }),
        Some(Ok(())) | None => Ok(text),
    }
}

/// Whether something is there; a directory that may not be looked into is an error, not a no.
pub fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(|source| Error::File { attempted: "look for", path: path.to_owned(), source })
}

/// The directory's path from the root, so that it holds whatever the working directory is.
pub fn absolute(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|source| Error::File { attempted: "find", path: path.to_owned(), source })
}

/// Keeps other runs out of a directory until the returned file is dropped.
pub fn lock_directory(path: &Path) -> Result<File, Error> {
    let failed = |source| Error::File { attempted: "lock", path: path.to_owned(), source };
    let directory = File::open(path).map_err(failed)?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => Err(Error::InTheWay {
            path: path.to_owned(),
            reason: "another chancery-provision works in this directory: wait for it, or stop it".to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn write_beside(path: &Path, content: &[u8], mode: u32) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let beside = path.with_file_name(format!(".{}.new", name.to_string_lossy()));
    match fs::remove_file(&beside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(beside)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    // A bare name lies here.
    let parent = if parent == Path::new("") { Path::new(".") } else { parent };
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_of_a_newer_version_says_which_version_is_needed_and_is_not_called_invalid() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backup.json");
        for known in ["{\"label\":\"hot\"}", "no JSON", "{\"format\":{\"number\":1,\"version\":\"0.1.0\"}}"] {
            fs::write(&path, known).unwrap();
            assert_eq!(read_known(&path).unwrap(), known);
        }
        fs::write(&path, "{\"format\":{\"number\":2,\"version\":\"0.3.0\"},\"sealed\":[]}").unwrap();
        let refused = read_known(&path).unwrap_err();
        assert_eq!(refused.exit_status(), 1);
        assert!(refused.to_string().contains("install chancery-provision 0.3.0 or later"), "{refused}");
    }

    #[test]
    fn what_is_there_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pin");
        assert_eq!(create(&path, b"first", SECRET).unwrap(), Outcome::Made);
        assert_eq!(create(&path, b"second", SECRET).unwrap(), Outcome::Kept);
        assert_eq!(read(&path).unwrap(), "first");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, SECRET);
    }

    #[test]
    fn what_an_interrupted_run_left_beside_is_cleared_away() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(".pin.new"), "half").unwrap();
        let path = directory.path().join("pin");
        create(&path, b"whole", SECRET).unwrap();
        assert_eq!(read(&path).unwrap(), "whole");
        assert_eq!(directory.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn two_runs_do_not_share_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let first = lock_directory(directory.path()).unwrap();
        assert!(lock_directory(directory.path()).is_err());
        drop(first);
        assert!(lock_directory(directory.path()).is_ok());
    }
}
