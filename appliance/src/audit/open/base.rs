//! Where a start begins to read: at the first entry; of a long log, where its snapshot was made. What is before that is
//! rebuilt from the store's tiles, and counts for nothing unless it leads to the anchor's root.

use appliance_wire::tree::{Frontier, leaf_hash};

use crate::{
    audit::{
        anchor::Anchor,
        scrub::Snapshot,
        store::Store,
        tile_reader::{ProvenTiles, TileReader},
        tiles::{TILE_WIDTH, Tiles},
        unreadable::Unreadable,
    },
    state::State,
};

/// What the start has before it reads a line.
#[derive(Debug, Default)]
pub(super) struct Base {
    /// The snapshot's, or that of an empty log.
    pub(super) state: State,
    /// Of the entries before `position`.
    pub(super) frontier: Frontier,
    pub(super) tiles: Tiles,
    /// Where in `log.jsonl` the first line to be read begins.
    pub(super) position: u64,
    /// What the scrub must come to, where a snapshot was used.
    pub(super) snapshot: Option<Snapshot>,
}

impl Base {
    /// Chooses it. `stored` entries are in the store; up to `read_whole` are read whole.
    pub(super) fn of(store: &Store, anchor: &Anchor, stored: u64, read_whole: u64) -> Result<Self, Unreadable> {
        let Some((state, bytes)) = newest_snapshot(store, stored)? else { return Ok(Self::default()) };
        let snapshot = Some(Snapshot::of(&state));
        // The anchor is moved after the store: a crash may have come between.
        let (size, position) = match bytes {
            Some(bytes) if state.size < anchor.size => (state.size, bytes),
            Some(_) => (anchor.size, anchor.bytes),
            None => (0, 0),
        };
        if stored <= read_whole || size == 0 {
            return Ok(Self { state, snapshot, ..Self::default() });
        }
        let tiles = restore(store, size)?;
        let proven = ProvenTiles::default();
        let frontier = Frontier::of(&TileReader { tiles: &tiles, store, proven: &proven }, size)?;
        Ok(Self { state, frontier, tiles, position, snapshot })
    }
}

/// The newest usable snapshot, and how many bytes of `log.jsonl` it covers, where it says so.
fn newest_snapshot(store: &Store, stored: u64) -> Result<Option<(State, Option<u64>)>, Unreadable> {
    let Some(bytes) = store.snapshot()? else { return Ok(None) };
    match State::from_snapshot(&bytes) {
        Ok((state, bytes)) if state.size <= stored => Ok(Some((state, bytes))),
        Ok(_) => Ok(None),
        Err(error) => {
            tracing::warn!(%error, "reading the log from the beginning");
            Ok(None)
        }
    }
}

/// The right edge of the tree of the first `size` entries.
fn restore(store: &Store, size: u64) -> Result<Tiles, Unreadable> {
    let count = size as usize % TILE_WIDTH;
    let entries = store.entries_from(size - count as u64)?.take(count);
    let leaves: Vec<_> = entries.map(|entry| entry.map(|bytes| leaf_hash(&bytes))).collect::<Result<_, _>>()?;
    if leaves.len() < count {
        return Err(Unreadable::new(format!("the store has not all entries before {size}")));
    }
    Tiles::restore(size, leaves, |level, number| {
        let tile = store.tile(level, number)?.filter(|tile| tile.len() == TILE_WIDTH);
        tile.ok_or_else(|| Unreadable::new(format!("tile {number} of level {level} is missing from the store")))
    })
}
