//! The Merkle tree of RFC 9162 section 2.1 (that of RFC 6962): SHA-256, leaf prefix 0x00, node prefix 0x01.
//!
//! Roots and proofs are computed from the hashes of complete subtrees ([`Nodes`]), wherever these are kept.

use sha2::{Digest, Sha256};

mod frontier;
mod proof;
mod verify;

pub use frontier::Frontier;
pub use proof::{consistency_proof, inclusion_proof, root};
pub use verify::{BadProof, consistency_roots, root_before, verify_consistency, verify_inclusion};

/// A leaf, node or root hash.
pub type Hash = [u8; 32];

/// Where the hashes of complete subtrees come from.
pub trait Nodes {
    /// Why a hash cannot be had.
    type Error;

    /// Hash of the complete subtree over the leaves `index * 2^level` to `(index + 1) * 2^level - 1`.
    ///
    /// # Errors
    /// The hash cannot be read.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Hash of a leaf.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// Hash of an inner node.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Root of the empty tree.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

#[cfg(test)]
mod tests;
