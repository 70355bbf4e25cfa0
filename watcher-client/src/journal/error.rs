//! Why the journal did not do what was asked.

use std::path::{Path, PathBuf};

use appliance_wire::NewerFormat;

/// What is wrong, and what to do. Nothing of a failed transaction is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process has the file.
    #[error("the journal {} is open in another process: stop it; there is one watcher to a journal", file.display())]
    Held {
        /// The journal.
        file: PathBuf,
    },
    /// The file cannot be opened.
    #[error("opening the journal {}", file.display())]
    Open {
        /// The journal.
        file: PathBuf,
        /// The store's words.
        source: Box<redb::DatabaseError>,
    },
    /// A later version wrote it.
    #[error("the journal {} is not opened: {newer}; nothing was changed", file.display())]
    Newer {
        /// The journal.
        file: PathBuf,
        /// Which version.
        newer: NewerFormat,
    },
    /// It is something else.
    #[error("{} is no journal of a watcher: name another file as `run.journal`", file.display())]
    OtherFormat {
        /// The file.
        file: PathBuf,
    },
    /// Reading or writing failed: nothing was changed.
    #[error("the journal cannot be read or written: is the disk full or failing?")]
    Store(#[source] Box<redb::Error>),
    /// A record that cannot be read.
    #[error("the journal is damaged: {what}; restore it from a copy, and compare with the signer's audit log")]
    Damaged {
        /// Which, and how.
        what: String,
    },
    /// No such record.
    #[error("there is no {what}")]
    Unknown {
        /// What was asked for.
        what: String,
    },
    /// The id is taken for something else.
    #[error("{0}")]
    Conflict(String),
    /// The step does not follow on where things stand.
    #[error("{0}")]
    Refused(String),
    /// The runtime ends.
    #[error("the watcher is stopping")]
    Stopped,
}

impl JournalError {
    pub(super) fn opening(file: &Path, error: redb::DatabaseError) -> Self {
        let file = file.to_owned();
        if matches!(error, redb::DatabaseError::DatabaseAlreadyOpen) {
            return Self::Held { file };
        }
        Self::Open { file, source: Box::new(error) }
    }
}

/// All of redb's errors are failures of the store.
macro_rules! of_the_store {
    ($($error:ty),*) => {$(
        impl From<$error> for JournalError {
            fn from(error: $error) -> Self {
                Self::Store(Box::new(error.into()))
            }
        }
    )*};
}

of_the_store!(redb::TransactionError, redb::TableError, redb::StorageError, redb::CommitError);
