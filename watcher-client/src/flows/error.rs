//! Why a step, or the daemon, went no further.

use crate::{Error, chains::NodeError, journal::JournalError};

/// By whose fault, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The journal: nothing is done without it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The signer, or what it answered.
    #[error(transparent)]
    Signer(#[from] Box<Error>),
    /// A file that is no withdrawal, or not one that fits.
    #[error("{0}")]
    Portable(String),
    /// A task ended that should not have.
    #[error("the task of a chain ended unexpectedly")]
    Ended,
}

impl From<Error> for FlowError {
    fn from(error: Error) -> Self {
        Self::Signer(Box::new(error))
    }
}

/// An error with its causes, in one line.
pub(super) fn words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
