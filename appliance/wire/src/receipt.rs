//! Receipts: an entry, its place in the tree, and the signed checkpoint that covers it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    BadCheckpoint, Checkpoint, Entry, LogKey, NotCanonical, from_canonical,
    tree::{self, BadProof, Hash},
};

/// Proof that an entry is in the log; anyone with the log key can check it offline.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// Index of the entry.
    pub index: u64,
    /// The leaf's exact bytes, base64.
    pub entry: String,
    /// Inclusion proof (RFC 9162), base64 hashes.
    pub proof: Vec<String>,
    /// A signed note whose size is above `index`.
    pub checkpoint: String,
}

/// Why a receipt proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum BadReceipt {
    /// Not base64, or not 32-byte hashes.
    #[error("not base64 where it should be: {0}")]
    Encoding(&'static str),
    /// The checkpoint is not the log's.
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
    /// The proof does not lead to the checkpoint's root.
    #[error(transparent)]
    Proof(#[from] BadProof),
    /// The leaf is no entry.
    #[error("the leaf is no canonical entry: {0}")]
    Entry(#[from] NotCanonical),
    /// The entry says another index.
    #[error("the entry says index {found}, the receipt {expected}")]
    Index {
        /// In the entry.
        found: u64,
        /// In the receipt.
        expected: u64,
    },
}

impl Receipt {
    /// A receipt of its parts.
    #[must_use]
    pub fn new(index: u64, entry: &[u8], proof: &[Hash], checkpoint: &Checkpoint) -> Self {
        Self {
            index,
            entry: STANDARD.encode(entry),
            proof: proof.iter().map(|hash| STANDARD.encode(hash)).collect(),
            checkpoint: checkpoint.note().to_owned(),
        }
    }

    /// Verifies checkpoint, inclusion and form, and returns what was proven.
    ///
    /// # Errors
    /// See [`BadReceipt`].
    pub fn verify(&self, key: &LogKey) -> Result<(Entry, Checkpoint), BadReceipt> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        let leaf = STANDARD.decode(&self.entry).map_err(|_| BadReceipt::Encoding("entry"))?;
        let proof = decode_hashes(&self.proof).ok_or(BadReceipt::Encoding("proof"))?;
        tree::verify_inclusion(&tree::leaf_hash(&leaf), self.index, checkpoint.size(), &proof, checkpoint.root())?;
        let entry: Entry = from_canonical(&leaf)?;
        if entry.index != self.index {
            return Err(BadReceipt::Index { found: entry.index, expected: self.index });
        }
        Ok((entry, checkpoint))
    }
}

/// Hashes as proofs carry them on the wire; `None` where one is not 32 bytes of base64.
#[must_use]
pub fn decode_hashes(proof: &[String]) -> Option<Vec<Hash>> {
    proof.iter().map(|hash| STANDARD.decode(hash).ok()?.try_into().ok()).collect()
}
