//! The anchor that the token holds: how far this log reached, and which run of the appliance wrote so. What a disk can be
//! rolled back over, and the token cannot. Knows no token, only the bytes.

use std::ops::Range;

use appliance_wire::{Body, TokenEvent, tree::Hash};
use sha2::{Digest, Sha256};

use super::log::{Log, Tip};
use crate::state::Bindings;

/// What may be accepted beyond the anchor, and what a start that found it open therefore charges, in percent of every
/// limit (`unanchored_share`).
pub const UNANCHORED_PERCENT: u8 = 5;

/// One run of the appliance, by a random name.
pub type Run = [u8; 16];

/// A name for a new run.
///
/// # Errors
/// The kernel gives no randomness.
pub fn new_run() -> Result<Run, String> {
    let mut run = Run::default();
    rustix::rand::getrandom(&mut run, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| format!("no randomness from the kernel: {error}"))?;
    Ok(run)
}

/// What the token holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenAnchor {
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Who wrote it.
    pub run: Run,
    /// Whether that run goes on: the log may be longer. Else it ended in order, with this log.
    pub is_open: bool,
}

const MAGIC: &[u8] = b"chancery anchor 1";
const CHECKSUM: usize = 8;
const LENGTH: usize = MAGIC.len() + 1 + 8 + 32 + 16 + CHECKSUM;

impl TokenAnchor {
    /// As it is kept: name and version, whether it is open, size, root, run, and a checksum.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let open = [u8::from(self.is_open)];
        let mut bytes = [MAGIC, &open, &self.size.to_be_bytes(), &self.root, &self.run].concat();
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(checksum.get(..CHECKSUM).unwrap_or_default());
        bytes
    }

    /// Reads the encoded form; none where it is not of this version, or damaged.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC).filter(|_| bytes.len() == LENGTH)?;
        let (open, rest) = rest.split_first()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (root, rest) = rest.split_first_chunk()?;
        let (run, _) = rest.split_first_chunk()?;
        let anchor = Self { size: u64::from_be_bytes(*size), root: *root, run: *run, is_open: *open == 1 };
        (anchor.encode() == bytes).then_some(anchor)
    }
}

/// What the anchor says of a log that was opened and may be gone on with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Anchored {
    /// The log is exactly what the last run left.
    Whole,
    /// The last run did not end in order: as much may be missing as it was allowed to accept beyond its anchor.
    Perhaps,
}

/// Why a log is not gone on with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAnchored {
    /// There is no anchor, and there was one.
    #[error(
        "the audit log says that token {token} holds its anchor, and there is none: another token, or somebody deleted \
         the anchor. Bring the right token, or the newest copy of it; where it is lost for ever, `chancery token replace`"
    )]
    Missing {
        /// The token.
        token: String,
    },
    /// It cannot be read.
    #[error(
        "the anchor in token {token} is none that this version reads: it was damaged, or a newer version of chancery \
         wrote it"
    )]
    Unreadable {
        /// The token.
        token: String,
    },
    /// The log is shorter than it says.
    #[error(
        "a valid but shorter log: the anchor in token {token} was written for {anchored} entries, the audit log has \
         {found}. Restore the newest copy of the state directory, or its mirror; where there is none, `chancery audit recover`"
    )]
    Shorter {
        /// The token.
        token: String,
        /// What it says.
        anchored: u64,
        /// What is there.
        found: u64,
    },
    /// The log begins with other entries.
    #[error(
        "another log: its first {anchored} entries are not those the anchor in token {token} was written for. Restore \
         the newest copy of the state directory, or its mirror"
    )]
    Other {
        /// The token.
        token: String,
        /// What it says.
        anchored: u64,
    },
    /// The last run ended with fewer entries.
    #[error(
        "the last run ended in order with {anchored} entries, as the anchor in token {token} says, and the audit log has \
         {found}: something else wrote to it since. Restore the copy of the state directory that the last run left"
    )]
    Longer {
        /// The token.
        token: String,
        /// What it says.
        anchored: u64,
        /// What is there.
        found: u64,
    },
    /// The log cannot be read.
    #[error("the audit log cannot be compared with its anchor: {0}")]
    Log(String),
}

/// Holds the log, as it was when it was opened, against what `token` holds. `was_anchored` is whether an entry says that
/// the token has an anchor.
///
/// # Errors
/// [`NotAnchored`]: this must not be gone on with.
pub fn compare(
    found: Option<&[u8]>,
    log: &Log,
    at: Tip,
    was_anchored: bool,
    token: &str,
) -> Result<Anchored, NotAnchored> {
    let token = token.to_owned();
    let Some(found) = found else {
        return if was_anchored { Err(NotAnchored::Missing { token }) } else { Ok(Anchored::Whole) };
    };
    let Some(anchor) = TokenAnchor::decode(found) else { return Err(NotAnchored::Unreadable { token }) };
    let (anchored, found) = (anchor.size, at.size);
    if anchored > found {
        return Err(NotAnchored::Shorter { token, anchored, found });
    }
    let root = log.root(anchored).map_err(|error| NotAnchored::Log(error.to_string()))?;
    if root != Some(anchor.root) {
        return Err(NotAnchored::Other { token, anchored });
    }
    match anchor.is_open {
        true => Ok(Anchored::Perhaps),
        false if only_without_token(log, anchored..found)? => Ok(Anchored::Whole),
        false => Err(NotAnchored::Longer { token, anchored, found }),
    }
}

/// Whether these entries are no more than what runs leave that never reached the token: they say so, and loosen nothing.
fn only_without_token(log: &Log, entries: Range<u64>) -> Result<bool, NotAnchored> {
    for index in entries {
        let entry = log.entry(index).map_err(|error| NotAnchored::Log(error.to_string()))?;
        let is_harmless = match &entry.body {
            Body::Boot(boot) => !boot.anchored && boot.unanchored_percent.is_some(),
            Body::Token(token) => matches!(token.event, TokenEvent::DeviceLog(_)),
            Body::Denied(_) | Body::Frozen(_) => true,
            Body::Genesis(_)
            | Body::Policy(_)
            | Body::Key(_)
            | Body::Addresses(_)
            | Body::Accepted(_)
            | Body::Signed(_)
            | Body::Failed(_)
            | Body::Lapsed(_)
            | Body::Pending(_)
            | Body::Approved(_)
            | Body::Rejected(_)
            | Body::Withdrawn(_)
            | Body::Released(_)
            | Body::Clock(_)
            | Body::Unfrozen(_)
            | Body::Recovered(_) => false,
        };
        if !is_harmless {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHOR: TokenAnchor = TokenAnchor { size: 7, root: [0xa5; 32], run: [3; 16], is_open: true };

    #[test]
    fn it_is_read_as_it_was_written_and_with_any_bit_changed_not_at_all() {
        for anchor in [ANCHOR, TokenAnchor { is_open: false, size: u64::MAX, ..ANCHOR }] {
            let bytes = anchor.encode();
            assert!(bytes.len() == LENGTH && LENGTH <= hsm_drivers::LONGEST_ANCHOR);
            assert_eq!(TokenAnchor::decode(&bytes), Some(anchor));
            for position in 0..8 * bytes.len() {
                let mut changed = bytes.clone();
                changed[position / 8] ^= 1 << (position % 8);
                assert_eq!(TokenAnchor::decode(&changed), None, "bit {position}");
            }
            for length in 0..bytes.len() {
                assert_eq!(TokenAnchor::decode(&bytes[..length]), None, "{length} bytes");
            }
            assert_eq!(TokenAnchor::decode(&[&bytes[..], b"x"].concat()), None);
        }
    }
}
