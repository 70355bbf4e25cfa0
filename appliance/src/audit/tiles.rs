//! The tree's hashes in tiles of 256 (the shape of C2SP tlog-tiles): full ones in the store, the edge in memory.

use std::{collections::BTreeMap, sync::Arc};

use appliance_wire::tree::{Hash, Nodes, node_hash};

use super::{store::Store, unreadable::Unreadable};

const TILE_HEIGHT: u32 = 8;
/// Hashes of a full tile, and entries of a full bundle.
pub(super) const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

/// The right edge of the tree, and full tiles the store does not hold yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Tiles {
    /// Level by level, the hashes of the last, incomplete tile.
    edge: Vec<Level>,
    fresh: BTreeMap<(u32, u64), Arc<[Hash]>>,
}

#[derive(Clone, Debug, Default)]
struct Level {
    full: u64,
    hashes: Vec<Hash>,
}

impl Tiles {
    pub(super) fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if self.edge.len() <= level {
                self.edge.push(Level::default());
            }
            let Some(edge) = self.edge.get_mut(level) else { return };
            edge.hashes.push(hash);
            if edge.hashes.len() < TILE_WIDTH {
                return;
            }
            let tile: Arc<[Hash]> = std::mem::take(&mut edge.hashes).into();
            hash = fold(&tile);
            self.fresh.insert((level as u32, edge.full), tile);
            edge.full += 1;
        }
    }

    /// Full tiles the store does not hold yet.
    pub(super) fn fresh(&self) -> impl Iterator<Item = ((u32, u64), Arc<[Hash]>)> {
        self.fresh.iter().map(|(place, tile)| (*place, Arc::clone(tile)))
    }

    /// The last tile of each level where it is not full, and not empty.
    pub(super) fn partials(&self) -> impl Iterator<Item = ((u32, u64), &[Hash])> {
        let levels = (0..).zip(&self.edge).filter(|(_, edge)| !edge.hashes.is_empty());
        levels.map(|(level, edge)| ((level, edge.full), edge.hashes.as_slice()))
    }

    /// Forgets full tiles the store now holds.
    pub(super) fn forget(&mut self, stored: &[(u32, u64)]) {
        for place in stored {
            self.fresh.remove(place);
        }
    }
}

/// Tiles and store together: where proofs get their hashes.
pub(super) struct TileReader<'a> {
    pub(super) tiles: &'a Tiles,
    pub(super) store: &'a Store,
}

impl Nodes for TileReader<'_> {
    type Error = Unreadable;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Unreadable> {
        let tile_level = level / TILE_HEIGHT;
        let height = level % TILE_HEIGHT;
        let first = index << height;
        let (number, offset) = (first >> TILE_HEIGHT, first as usize % TILE_WIDTH);
        let missing = || Unreadable::new(format!("tile {number} of level {tile_level} is missing or damaged"));
        let edge = self.tiles.edge.get(tile_level as usize).ok_or_else(missing)?;
        let range = offset..offset + (1 << height);
        if number == edge.full {
            return edge.hashes.get(range).map(fold).ok_or_else(missing);
        }
        if let Some(tile) = self.tiles.fresh.get(&(tile_level, number)) {
            return tile.get(range).map(fold).ok_or_else(missing);
        }
        let tile = self.store.tile(tile_level, number)?.ok_or_else(missing)?;
        tile.get(range).map(fold).ok_or_else(missing)
    }
}

/// Root of a complete subtree over a power of two of hashes.
fn fold(hashes: &[Hash]) -> Hash {
    match hashes {
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&fold(left), &fold(right))
        }
    }
}
