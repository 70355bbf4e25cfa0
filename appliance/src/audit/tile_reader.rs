//! Where proofs get their hashes: the edge of the tree in memory, and full tiles from the store, each held against the
//! edge before it is used. What the store says is never believed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use appliance_wire::tree::{Hash, Nodes};

use super::{
    store::{Store, TilePlace},
    tiles::{TILE_HEIGHT, TILE_WIDTH, Tiles, fold},
    unreadable::Unreadable,
};

/// Tiles of the store that were proven to be of this tree, some of those asked for last.
#[derive(Debug, Default)]
pub(super) struct ProvenTiles(Mutex<VecDeque<(TilePlace, Arc<[Hash]>)>>);

/// Half a mebibyte: the way up from many a leaf, and whoever reads entry after entry proves each tile once.
const MOST_PROVEN: usize = 64;

impl ProvenTiles {
    fn get(&self, place: TilePlace) -> Option<Arc<[Hash]>> {
        let proven = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        proven.iter().find(|(other, _)| *other == place).map(|(_, tile)| Arc::clone(tile))
    }

    fn keep(&self, place: TilePlace, tile: Arc<[Hash]>) {
        let mut proven = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if proven.len() == MOST_PROVEN {
            proven.pop_front();
        }
        proven.push_back((place, tile));
    }
}

/// Tiles and store together.
pub(super) struct TileReader<'a> {
    pub(super) tiles: &'a Tiles,
    pub(super) store: &'a Store,
    pub(super) proven: &'a ProvenTiles,
}

impl TileReader<'_> {
    fn tile(&self, level: u32, number: u64) -> Result<Arc<[Hash]>, Unreadable> {
        if let Some(tile) = self.tiles.fresh_at(level, number) {
            return Ok(Arc::clone(tile));
        }
        if let Some(tile) = self.proven.get((level, number)) {
            return Ok(tile);
        }
        let tile = self.store.tile(level, number)?.filter(|tile| tile.len() == TILE_WIDTH);
        let tile: Arc<[Hash]> = tile.ok_or_else(|| missing(level, number))?.into();
        if fold(&tile) != self.node((level + 1) * TILE_HEIGHT, number)? {
            let reason = format!("tile {number} of level {level} in the store is not of this tree: it was altered");
            return Err(Unreadable::new(reason));
        }
        self.proven.keep((level, number), Arc::clone(&tile));
        Ok(tile)
    }
}

impl Nodes for TileReader<'_> {
    type Error = Unreadable;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Unreadable> {
        let tile_level = level / TILE_HEIGHT;
        let height = level % TILE_HEIGHT;
        let first = index << height;
        let (number, offset) = (first >> TILE_HEIGHT, first as usize % TILE_WIDTH);
        let missing = || missing(tile_level, number);
        let (full, edge) = self.tiles.edge(tile_level).filter(|(full, _)| number <= *full).ok_or_else(missing)?;
        let range = offset..offset + (1 << height);
        if number == full {
            return edge.get(range).map(fold).ok_or_else(missing);
        }
        self.tile(tile_level, number)?.get(range).map(fold).ok_or_else(missing)
    }
}

fn missing(level: u32, number: u64) -> Unreadable {
    Unreadable::new(format!("tile {number} of level {level} is missing or damaged"))
}
