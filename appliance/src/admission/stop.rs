//! Where a decision ends early.

use crate::refusal::Refusal;

/// Why there is no acceptance.
#[derive(Debug)]
pub(super) enum Stop<E> {
    /// It is decided: no.
    Refused(Refusal),
    /// The log cannot be read: nothing may be decided.
    Unreadable(E),
}

impl<E> From<Refusal> for Stop<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
