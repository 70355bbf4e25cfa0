//! The right edge of a growing tree: enough to append and to know the root, in memory of log size.

use super::{Hash, Nodes, empty_root, leaf_hash, node_hash};

/// The complete subtrees a tree of `size` leaves falls into, largest first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// That of the first `size` leaves of a tree whose complete subtrees are known.
    ///
    /// # Errors
    /// Those of `nodes`.
    pub fn of<N: Nodes>(nodes: &N, size: u64) -> Result<Self, N::Error> {
        let levels = (0..u64::BITS).rev().filter(|level| (size >> level) & 1 == 1);
        let subtrees = levels.map(|level| nodes.node(level, (size >> level) - 1)).collect::<Result<_, _>>()?;
        Ok(Self { size, subtrees })
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends an entry and returns its leaf hash.
    pub fn append(&mut self, entry: &[u8]) -> Hash {
        let leaf = leaf_hash(entry);
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.subtrees.push(hash);
        self.size += 1;
        leaf
    }

    /// Root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.subtrees.iter().rev();
        let Some(last) = smallest_first.next() else { return empty_root() };
        smallest_first.fold(*last, |right, left| node_hash(left, &right))
    }
}
