//! Verification of proofs, by the algorithms of RFC 9162 (2.1.3.2 and 2.1.4.2).

use super::{Hash, node_hash};

/// The proof does not show what it should.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the proof does not lead to the root")]
pub struct BadProof;

/// Verifies that `leaf` is leaf `index` of the tree with `size` leaves and this `root`.
///
/// # Errors
/// [`BadProof`] otherwise.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), BadProof> {
    if index >= size {
        return Err(BadProof);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(BadProof);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            skip_missing_siblings(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(BadProof) }
}

/// Verifies that the tree of `to` leaves with root `to_root` begins with the tree of `from` leaves with `from_root`.
///
/// # Errors
/// [`BadProof`] otherwise.
pub fn verify_consistency(
    from: u64,
    to: u64,
    proof: &[Hash],
    from_root: &Hash,
    to_root: &Hash,
) -> Result<(), BadProof> {
    if from > to || (from == 0 && (!proof.is_empty() || *from_root != super::empty_root())) {
        return Err(BadProof);
    }
    if from == to {
        return if proof.is_empty() && from_root == to_root { Ok(()) } else { Err(BadProof) };
    }
    if from == 0 {
        return Ok(());
    }
    let (start, path) = match proof.split_first() {
        _ if from.is_power_of_two() => (from_root, proof),
        Some((start, path)) => (start, path),
        None => return Err(BadProof),
    };
    let roots = consistency_roots(from, to, start, path);
    if roots == Some((*from_root, *to_root)) { Ok(()) } else { Err(BadProof) }
}

/// The roots of the first `from` and of all `to` leaves that a consistency proof leads to, where it says what it starts
/// from: the root of the last complete subtree of the first `from` leaves. `None` unless `0 < from < to` and the path
/// is as long as it must be.
///
/// A pair with the root of the tree of `to` leaves has the one root its first `from` leaves have.
#[must_use]
pub fn consistency_roots(from: u64, to: u64, start: &Hash, path: &[Hash]) -> Option<(Hash, Hash)> {
    if from == 0 || from >= to {
        return None;
    }
    let (mut node, mut last) = (from - 1, to - 1);
    let shift = node.trailing_ones();
    node >>= shift;
    last >>= shift;
    let (mut old, mut new) = (*start, *start);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            skip_missing_siblings(&mut node, &mut last);
        } else {
            new = node_hash(&new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some((old, new))
}

/// Root of the leaves before leaf `index`, a power of two, out of that leaf's inclusion proof: its first sibling to the
/// left. `None` where `index` is none, or the proof has no such sibling.
#[must_use]
pub fn root_before(index: u64, size: u64, inclusion: &[Hash]) -> Option<Hash> {
    if !index.is_power_of_two() || index >= size {
        return None;
    }
    let (mut node, mut last) = (index, size - 1);
    for sibling in inclusion {
        if node & 1 == 1 || node == last {
            return Some(*sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    None
}

/// On the right edge a node may have no sibling on some levels: it is carried up unchanged.
fn skip_missing_siblings(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}
