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

impl<E> Stop<E> {
    /// What was decided, where anything could be: the refusal is an answer, a log that cannot be read is none.
    pub(super) fn settle<T>(considered: Result<T, Self>) -> Result<Result<T, Refusal>, E> {
        match considered {
            Ok(decided) => Ok(Ok(decided)),
            Err(Self::Refused(refusal)) => Ok(Err(refusal)),
            Err(Self::Unreadable(error)) => Err(error),
        }
    }
}

impl<E> From<Refusal> for Stop<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
