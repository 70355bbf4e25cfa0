//! Receipts: an entry, its place in the tree, and the signed checkpoint that covers it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    BadCheckpoint, Body, Checkpoint, Entry, LogKey, NotCanonical, from_canonical,
    tree::{self, BadProof, Hash},
};

/// Proof that an entry is in the log; anyone with the log key can check it offline.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
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
    /// It is proven to be in the log, and of a kind that only a later version knows.
    #[error(
        "the entry is in the log, and its kind \"{kind}\" is not known to this version: it takes a newer one to read it"
    )]
    Unknown {
        /// Its kind.
        kind: String,
    },
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
        let leaf = self.leaf()?;
        let proof = decode_hashes(&self.proof).ok_or(BadReceipt::Encoding("proof"))?;
        tree::verify_inclusion(&tree::leaf_hash(&leaf), self.index, checkpoint.size(), &proof, checkpoint.root())?;
        let entry = read_leaf(&leaf)?;
        if entry.index != self.index {
            return Err(BadReceipt::Index { found: entry.index, expected: self.index });
        }
        Ok((entry, checkpoint))
    }

    /// The leaf's exact bytes.
    ///
    /// # Errors
    /// Not base64.
    pub fn leaf(&self) -> Result<Vec<u8>, BadReceipt> {
        STANDARD.decode(&self.entry).map_err(|_| BadReceipt::Encoding("entry"))
    }
}

/// The bytes are what is proven: members that a later version added take nothing from what the known ones say.
fn read_leaf(leaf: &[u8]) -> Result<Entry, BadReceipt> {
    let value: Value = from_canonical(leaf)?;
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    let is_word = !kind.is_empty() && kind.len() <= 32 && kind.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let unknown = (is_word && !Body::KINDS.contains(&kind)).then(|| kind.to_owned());
    match (serde_json::from_value(value), unknown) {
        (Ok(entry), _) => Ok(entry),
        (Err(_), Some(kind)) => Err(BadReceipt::Unknown { kind }),
        (Err(error), None) => Err(BadReceipt::Entry(error.into())),
    }
}

/// Hashes as proofs carry them on the wire; `None` where one is not 32 bytes of base64.
#[must_use]
pub fn decode_hashes(proof: &[String]) -> Option<Vec<Hash>> {
    proof.iter().map(|hash| STANDARD.decode(hash).ok()?.try_into().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = r#"{"accepted":3,"elapsed":5,"index":7,"kind":"signed","of_later":{"a":1},"policy":1,"request_id":"wd-1","salt":"","signatures":[],"time":"","watcher":"w"}"#;

    #[test]
    fn what_a_later_version_added_takes_nothing_from_what_an_entry_says() {
        let entry = read_leaf(SIGNED.as_bytes()).unwrap();
        assert_eq!(entry.body.signed().unwrap().accepted, 3);
        let other = SIGNED.replace("\"signed\"", "\"sealed\"");
        assert!(matches!(read_leaf(other.as_bytes()), Err(BadReceipt::Unknown { kind }) if kind == "sealed"));
        let without = SIGNED.replace("\"watcher\":\"w\"", "\"watcher\":1");
        assert!(matches!(read_leaf(without.as_bytes()), Err(BadReceipt::Entry(_))));
        let spelt = SIGNED.replace("{\"accepted\"", "{ \"accepted\"");
        assert!(matches!(read_leaf(spelt.as_bytes()), Err(BadReceipt::Entry(NotCanonical::Spelling))));
    }

    #[test]
    fn a_receipt_with_members_of_a_later_version_is_one() {
        let text = r#"{"index":1,"entry":"","proof":[],"checkpoint":"","of_later":true}"#;
        assert_eq!(serde_json::from_str::<Receipt>(text).unwrap().index, 1);
    }
}
