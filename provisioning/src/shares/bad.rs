//! Why a share is not taken, in words for its custodian.

/// A share, or some of them, that will not do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadShare {
    /// Not a share's text.
    #[error("this is no share: {0}; look at the paper again")]
    Form(&'static str),
    /// The checksum does not fit.
    #[error("this share's checksum is wrong: a character was read or typed wrongly; look at the paper again")]
    Checksum,
    /// Of another secret than the others, or than the one that is wanted.
    #[error("this share is of another ceremony: its secret is not this one")]
    OtherSecret,
    /// Given already.
    #[error("share {index} was given already: another custodian's is needed")]
    Twice {
        /// Which one.
        index: u8,
    },
    /// Well formed, but not what was handed out.
    #[error(
        "share {index} is well formed but is not the one that was handed out: the ceremony's commitments do not know it"
    )]
    Wrong {
        /// Which one.
        index: u8,
    },
    /// Somebody else's.
    #[error("this is share {index}, and {custodian} holds share {expected}")]
    NotYours {
        /// Which one it is.
        index: u8,
        /// Whose turn it is.
        custodian: String,
        /// Which one is theirs.
        expected: u8,
    },
    /// Not enough of them.
    #[error("{given} shares are too few: {threshold} are needed")]
    TooFew {
        /// How many there are.
        given: usize,
        /// How many are needed.
        threshold: u8,
    },
    /// None, or none that can be put together.
    #[error("these shares give no secret")]
    None,
    /// A split that cannot be.
    #[error("{threshold} of {custodians} shares cannot be: at least two must be needed, and no more than there are")]
    Numbers {
        /// How many are to be needed.
        threshold: u8,
        /// How many there are to be.
        custodians: u8,
    },
    /// What a transcript says of shares cannot be used.
    #[error("the commitments of the transcript are no points of P-256")]
    Commitments,
    /// The system's random generator failed.
    #[error("this machine gives no random numbers")]
    NoRandom,
}
