//! Which format a state directory has: one number beside the log, looked at before anything is opened or written. What the
//! number stands for is not known here.

use std::{
    io,
    path::{Path, PathBuf},
};

use appliance_wire::{Format, NewerFormat};

use crate::own_file;

/// What this program writes, and the newest it reads. Raised with everything an older program could not read, or would
/// read as less than it is: a kind or member of an entry, a key of the policy, a table of the store.
const FORMAT: u64 = 1;
/// Of what says none.
pub(crate) const OLDEST: u64 = 1;
const FILE: &str = "format";

/// Why a state is not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    /// A newer program wrote it.
    #[error(transparent)]
    Newer(#[from] NewerFormat),
    /// The file says nothing.
    #[error("{} is damaged", .0.display())]
    Damaged(PathBuf),
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What this program writes.
pub(crate) fn own() -> Format {
    let release = crate::testing_only::release();
    release.unwrap_or_else(|| Format { number: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// Refuses what a newer program wrote.
pub(crate) fn check(found: &Format) -> Result<(), NewerFormat> {
    found.check("chancery", &own())
}

/// Refuses a state that a newer program wrote. One that says nothing is of format 1.
pub(crate) fn check_state(directory: &Path) -> Result<(), FormatError> {
    match read(directory)? {
        Some(found) => Ok(check(&found)?),
        None => Ok(()),
    }
}

/// Whether a format of this number is a newer program's.
pub(crate) fn is_newer(number: u64) -> bool {
    number > own().number
}

/// This program's, where it is newer than `number`.
pub(crate) fn newer_than(number: u64) -> Option<Format> {
    let own = own();
    (own.number > number).then_some(own)
}

/// Says that from now on this program's format is there, where it is newer than what is said. To be called when everything
/// was read and proven, and before anything is written that an older program cannot read.
pub(crate) fn raise(directory: &Path) -> Result<(), FormatError> {
    match newer_than(read(directory)?.map_or(OLDEST, |found| found.number)) {
        Some(own) => write(directory, &own),
        None => Ok(()),
    }
}

/// Says it in a new directory.
pub(crate) fn create(directory: &Path) -> Result<(), FormatError> {
    write(directory, &own())
}

fn read(directory: &Path) -> Result<Option<Format>, FormatError> {
    let path = directory.join(FILE);
    match own_file::read(&path) {
        Ok(Some(bytes)) => Format::from_line(&bytes).map(Some).ok_or(FormatError::Damaged(path)),
        Ok(None) => Ok(None),
        Err(source) => Err(FormatError::Unusable { path, source }),
    }
}

fn write(directory: &Path, format: &Format) -> Result<(), FormatError> {
    let path = directory.join(FILE);
    let line = format.to_line().map_err(io::Error::other);
    let written = line.and_then(|line| own_file::replace(&path, line.as_bytes()));
    written.map_err(|source| FormatError::Unusable { path, source })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_state_that_says_nothing_is_format_1_and_an_older_program_changes_nothing_of_a_newer_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        check_state(path).unwrap();
        raise(path).unwrap();
        assert!(!path.join(FILE).exists(), "format 1 needs no word");

        write(path, &Format { number: 2, version: "0.3.0".to_owned() }).unwrap();
        let said = fs::read(path.join(FILE)).unwrap();
        assert!(check_state(path).unwrap_err().to_string().contains("install chancery 0.3.0 or later"));
        raise(path).unwrap();
        assert_eq!(fs::read(path.join(FILE)).unwrap(), said, "a newer number is never lowered");
    }

    #[test]
    fn a_damaged_number_is_not_taken_for_none() {
        let directory = tempfile::tempdir().unwrap();
        create(directory.path()).unwrap();
        assert_eq!(read(directory.path()).unwrap(), Some(own()));
        for damaged in ["", "1\n"] {
            fs::write(directory.path().join(FILE), damaged).unwrap();
            assert!(matches!(check_state(directory.path()), Err(FormatError::Damaged(_))), "{damaged:?}");
            assert!(matches!(raise(directory.path()), Err(FormatError::Damaged(_))), "{damaged:?}");
        }
        fs::remove_file(directory.path().join(FILE)).unwrap();
        fs::create_dir(directory.path().join(FILE)).unwrap();
        assert!(matches!(check_state(directory.path()), Err(FormatError::Unusable { .. })));
    }
}
