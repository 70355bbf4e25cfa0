//! Roots and proofs of RFC 9162 (2.1.1, 2.1.3.1, 2.1.4.1), by their recursive definitions.

use std::ops::Range;

use super::{Hash, Nodes, empty_root, node_hash};

/// Root of the first `size` leaves.
///
/// # Errors
/// Those of `nodes`.
pub fn root<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    if size == 0 { Ok(empty_root()) } else { subtree(nodes, 0..size) }
}

/// Proof that leaf `index` is in the tree of `size` leaves. `None` where `index >= size`.
///
/// # Errors
/// Those of `nodes`.
pub fn inclusion_proof<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Option<Vec<Hash>>, N::Error> {
    if index >= size {
        return Ok(None);
    }
    let mut proof = Vec::new();
    let mut range = 0..size;
    while range.end - range.start > 1 {
        let middle = split(&range);
        let sibling = if index < middle { middle..range.end } else { range.start..middle };
        range = if index < middle { range.start..middle } else { middle..range.end };
        proof.push(subtree(nodes, sibling)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Proof that the tree of `to` leaves begins with the tree of `from` leaves. `None` where `from > to`.
///
/// # Errors
/// Those of `nodes`.
pub fn consistency_proof<N: Nodes>(nodes: &N, from: u64, to: u64) -> Result<Option<Vec<Hash>>, N::Error> {
    if from > to {
        return Ok(None);
    }
    let mut proof = Vec::new();
    let mut range = 0..to;
    let mut known = true;
    while from != 0 && from != range.end {
        let middle = split(&range);
        let sibling = if from <= middle { middle..range.end } else { range.start..middle };
        known = known && from <= middle;
        range = if from <= middle { range.start..middle } else { middle..range.end };
        proof.push(subtree(nodes, sibling)?);
    }
    if from != 0 && !known {
        proof.push(subtree(nodes, range)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// The largest power of two smaller than the range's length, from its start. The length is at least 2.
fn split(range: &Range<u64>) -> u64 {
    range.start + (1 << (range.end - range.start - 1).ilog2())
}

fn subtree<N: Nodes>(nodes: &N, range: Range<u64>) -> Result<Hash, N::Error> {
    let length = range.end - range.start;
    if length.is_power_of_two() {
        let level = length.ilog2();
        return nodes.node(level, range.start >> level);
    }
    let middle = split(&range);
    Ok(node_hash(&subtree(nodes, range.start..middle)?, &subtree(nodes, middle..range.end)?))
}
