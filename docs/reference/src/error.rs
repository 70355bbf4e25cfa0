//! Why a reference could not be written.

use std::{io, path::Path, path::PathBuf};

/// Why a reference could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder of the reference.
    #[error("writing {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A page of the book.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is said of a file's keys is not what its reader does.
    #[error("{document}, {place}: {why}; mend docs/reference/src/configuration/")]
    Disagree {
        /// The file.
        document: String,
        /// The table's header.
        place: String,
        /// What differs.
        why: String,
    },
    /// A page has no place for what is written into it.
    #[error("{}: it has no two comments between which the keys of {document} go", page.display())]
    NoRegion {
        /// Which.
        page: PathBuf,
        /// The file whose keys they are.
        document: String,
    },
}

impl Error {
    pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }

    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write { path: path.to_owned(), source }
    }
}
