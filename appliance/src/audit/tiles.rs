//! The tree's hashes in tiles of 256 (the shape of C2SP tlog-tiles): the right edge of the tree, and the full tiles
//! that grow there until a store holds them. Knows no store.

use std::{collections::BTreeMap, fmt::Display, sync::Arc};

use appliance_wire::tree::{Hash, node_hash};

pub(super) const TILE_HEIGHT: u32 = 8;
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
    /// The edge of a tree of `size` leaves. `leaves` are those of its last, incomplete tile; `tile` reads a full one.
    pub(super) fn restore<E>(
        size: u64,
        leaves: Vec<Hash>,
        mut tile: impl FnMut(u32, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Self, E> {
        let mut edge = vec![Level { full: size >> TILE_HEIGHT, hashes: leaves }];
        let mut below = size >> TILE_HEIGHT;
        for level in 0.. {
            if below == 0 {
                break;
            }
            let full = below >> TILE_HEIGHT;
            let folded = (full << TILE_HEIGHT..below).map(|number| tile(level, number).map(|tile| fold(&tile)));
            edge.push(Level { full, hashes: folded.collect::<Result<_, _>>()? });
            below = full;
        }
        Ok(Self { edge, fresh: BTreeMap::new() })
    }

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

    /// A full tile the store may not hold yet.
    pub(super) fn fresh_at(&self, level: u32, number: u64) -> Option<&Arc<[Hash]>> {
        self.fresh.get(&(level, number))
    }

    /// The last, incomplete tile of a level, and its number.
    pub(super) fn edge(&self, level: u32) -> Option<(u64, &[Hash])> {
        self.edge.get(level as usize).map(|edge| (edge.full, edge.hashes.as_slice()))
    }

    /// The last tile of each level where it is not full, and not empty.
    pub(super) fn partials(&self) -> impl Iterator<Item = ((u32, u64), &[Hash])> {
        let levels = (0..).zip(&self.edge).filter(|(_, edge)| !edge.hashes.is_empty());
        levels.map(|(level, edge)| ((level, edge.full), edge.hashes.as_slice()))
    }

    /// Forgets the full tiles, each of which must be the one that `stored` reads.
    pub(super) fn check<E: Display>(
        &mut self,
        stored: impl Fn(u32, u64) -> Result<Option<Vec<Hash>>, E>,
    ) -> Result<(), String> {
        for ((level, number), tile) in &self.fresh {
            let stored = stored(*level, *number).map_err(|error| error.to_string())?;
            if stored.as_deref() != Some(tile) {
                return Err(format!("tile {number} of level {level} of the store is missing or altered"));
            }
        }
        self.fresh.clear();
        Ok(())
    }

    /// Forgets full tiles the store now holds.
    pub(super) fn forget(&mut self, stored: &[(u32, u64)]) {
        for place in stored {
            self.fresh.remove(place);
        }
    }
}

/// Root of a complete subtree over a power of two of hashes.
pub(super) fn fold(hashes: &[Hash]) -> Hash {
    match hashes {
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&fold(left), &fold(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_restored_from_full_tiles_is_the_one_that_grew() {
        let (mut tiles, mut full) = (Tiles::default(), BTreeMap::new());
        let mut leaves: Vec<Hash> = Vec::new();
        for size in 1..=70_000_u32 {
            let leaf = node_hash(&[size as u8; 32], &[(size >> 8) as u8; 32]);
            tiles.append(leaf);
            leaves.push(leaf);
            full.extend(tiles.fresh());
            tiles.forget(&full.keys().copied().collect::<Vec<_>>());
            leaves.truncate(size as usize % TILE_WIDTH);
            if ![1, 255, 256, 257, 65_535, 65_536, 65_792, 70_000].contains(&size) {
                continue;
            }
            let read = |level, number| full.get(&(level, number)).map(|tile| tile.to_vec()).ok_or(());
            let restored = Tiles::restore(size.into(), leaves.clone(), read).unwrap();
            assert_eq!(restored.edge.len(), tiles.edge.len(), "{size}");
            for level in 0..restored.edge.len() as u32 {
                assert_eq!(restored.edge(level), tiles.edge(level), "{size}");
            }
        }
    }
}
