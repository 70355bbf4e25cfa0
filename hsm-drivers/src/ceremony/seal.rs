//! What holds the parts of a backup together: a device authenticates the wrapped key alone, not under which label it was
//! kept, nor its chain code. Whoever has the backup key can tell which part was altered.

use std::fmt;

use sha2::{Digest, Sha256};

use super::backup_key::{BackupKey, hmac};

/// Bytes of the tag of one part.
const TAG: usize = 16;

/// The parts of a backup, in the order of their tags, as sentences call them.
pub(super) const PARTS: [&str; 5] = [
    "wrapped bytes",
    "label",
    "public key",
    "chain code",
    "place in the device (driver, mechanism, id, domains, capabilities)",
];

/// The bytes of each part.
pub(super) type Parts = [Vec<u8>; PARTS.len()];

/// HMAC-SHA-256 tags, one a part. Each is also about the wrapped bytes, so that none fits another backup.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Seal(pub(super) [u8; PARTS.len() * TAG]);

impl Seal {
    pub(super) fn new(key: &BackupKey, parts: &Parts) -> Self {
        let key = key.sealing_key();
        let [wrapped, ..] = parts;
        let wrapped = Sha256::digest(wrapped);
        let mut seal = Self([0; PARTS.len() * TAG]);
        for ((tag, part), number) in seal.0.chunks_exact_mut(TAG).zip(parts).zip(0_u8..) {
            let of_part = hmac(&key, &[&[number], &wrapped, part]);
            tag.iter_mut().zip(of_part.iter()).for_each(|(byte, of_part)| *byte = *of_part);
        }
        seal
    }

    /// The first part that is not what it was, by its name.
    pub(super) fn altered(&self, key: &BackupKey, parts: &Parts) -> Option<&'static str> {
        let right = Self::new(key, parts);
        let mut tags = self.0.chunks_exact(TAG).zip(right.0.chunks_exact(TAG)).zip(PARTS);
        tags.find(|((found, right), _)| found != right).map(|(_, name)| name)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({})", hex::encode(self.0))
    }
}
