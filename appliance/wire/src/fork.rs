//! A fork: two checkpoints of one log that no log which only grows can have.
//!
//! Its file convinces whoever has the log key and nothing else: neither the appliance nor the finder is believed.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    BadCheckpoint, Checkpoint, LogKey, decode_hashes,
    tree::{Hash, consistency_roots, verify_consistency},
};

/// Two checkpoints and what was answered between them, as kept in a file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    /// What was found, for people. Nothing is concluded from it.
    pub why: String,
    /// When it was found, in seconds since 1970.
    pub found: u64,
    /// The verifier keys of the log, for people: who checks brings the key with him.
    pub log_keys: Vec<String>,
    /// The signed note of the smaller checkpoint; of one size, either.
    pub smaller: String,
    /// That of the larger one.
    pub larger: String,
    /// The consistency proof between them, base64 hashes. It always begins with the subtree it starts from, also where
    /// the smaller size is a power of two and RFC 9162 leaves that out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<String>,
}

/// What a fork's file proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProvenFork {
    /// The log key signed two logs of one size.
    SameSize {
        /// The size.
        size: u64,
    },
    /// The larger log begins with other entries than the smaller one has.
    OtherBeginning {
        /// Size of the smaller log.
        smaller: u64,
        /// Size of the larger log.
        larger: u64,
    },
}

/// Why a file proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum BadFork {
    /// A note is not the log's.
    #[error("the {which} note: {source}")]
    Checkpoint {
        /// `smaller` or `larger`.
        which: &'static str,
        /// Why.
        source: BadCheckpoint,
    },
    /// The proof is not base64 of hashes.
    #[error("the proof is not base64 of 32-byte hashes")]
    Encoding,
    /// Both are of one history.
    #[error("the two checkpoints are of one history: there is no fork")]
    Consistent,
    /// The notes are the log's, and may be of two histories or of one.
    #[error(
        "both notes are the log's, but the proof does not lead to the larger one's root: it stays open whether the \
         larger log begins with the smaller one"
    )]
    Open,
}

impl Fork {
    /// Two checkpoints, in either order, and the whole consistency proof between them as far as there is one.
    #[must_use]
    pub fn new(
        one: &Checkpoint,
        other: &Checkpoint,
        proof: &[Hash],
        log_keys: &[LogKey],
        why: String,
        found: u64,
    ) -> Self {
        let (smaller, larger) = if one.size() <= other.size() { (one, other) } else { (other, one) };
        let proof = proof.iter().map(|hash| STANDARD.encode(hash)).collect();
        let (smaller, larger) = (smaller.note().to_owned(), larger.note().to_owned());
        let log_keys = log_keys.iter().map(ToString::to_string).collect();
        Self { why, found, log_keys, smaller, larger, proof }
    }

    /// What this proves to whoever trusts that `log_keys` are the log's.
    ///
    /// # Errors
    /// [`BadFork`]: it proves nothing.
    pub fn verify(&self, log_keys: &[LogKey]) -> Result<ProvenFork, BadFork> {
        let open = |which, note: &str| {
            Checkpoint::open_any(note, log_keys).map_err(|source| BadFork::Checkpoint { which, source })
        };
        let (smaller, larger) = (open("smaller", &self.smaller)?, open("larger", &self.larger)?);
        let proof = decode_hashes(&self.proof).ok_or(BadFork::Encoding)?;
        let (from, to) = (smaller.size(), larger.size());
        if from == to {
            let forked = smaller.root() != larger.root();
            return if forked { Ok(ProvenFork::SameSize { size: from }) } else { Err(BadFork::Consistent) };
        }
        if from == 0 {
            return verify_consistency(0, to, &[], smaller.root(), larger.root())
                .map_or(Ok(ProvenFork::OtherBeginning { smaller: 0, larger: to }), |()| Err(BadFork::Consistent));
        }
        let (start, path) = proof.split_first().ok_or(BadFork::Open)?;
        match consistency_roots(from, to, start, path) {
            Some((old, new)) if new == *larger.root() && old == *smaller.root() => Err(BadFork::Consistent),
            Some((_, new)) if new == *larger.root() => Ok(ProvenFork::OtherBeginning { smaller: from, larger: to }),
            Some(_) | None => Err(BadFork::Open),
        }
    }
}

#[cfg(test)]
mod tests;
