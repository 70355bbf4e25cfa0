//! Why the log cannot be read: nothing may then be decided.

use std::{fmt::Display, path::Path};

/// The log cannot be read, or says what it cannot say.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    pub(super) fn new(reason: String) -> Self {
        Self(reason)
    }

    pub(super) fn at(path: &Path, error: &dyn Display) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}
