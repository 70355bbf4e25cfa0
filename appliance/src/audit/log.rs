//! The durable log as readers see it: the store, and in memory the last entries it does not hold yet.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use appliance_wire::{
    Entry, from_canonical,
    tree::{self, Hash, Nodes, leaf_hash},
};
use tokio::sync::watch;

use super::{
    store::{Store, StoreBatch},
    tile_reader::{ProvenTiles, TileReader},
    tiles::Tiles,
    unreadable::Unreadable,
};
use crate::state::{Binding, BindingKey, Bindings};

/// Everything durable, readable from any thread.
#[derive(Debug)]
pub struct Log {
    store: Store,
    proven: ProvenTiles,
    recent: RwLock<Recent>,
    /// Durable bytes, told to who waits for more.
    grown: (Mutex<u64>, Condvar),
    /// Number of durable entries, likewise.
    size: watch::Sender<u64>,
}

/// What is durable in the journal; the part below `first` is in the store as well.
#[derive(Debug, Default)]
struct Recent {
    first: u64,
    entries: VecDeque<Arc<[u8]>>,
    bindings: HashMap<BindingKey, (Binding, u64)>,
    tiles: Tiles,
    tip: Tip,
    /// A snapshot of the state that the store does not hold yet, with the size it is of.
    snapshot: Option<(u64, Vec<u8>)>,
}

/// Where the durable log ends.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tip {
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Length of `log.jsonl`.
    pub bytes: u64,
}

/// Entries of one batch with what they bind, as published after their sync.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub(super) entries: Vec<Arc<[u8]>>,
    pub(super) leaves: Vec<Hash>,
    pub(super) bindings: Vec<(BindingKey, Binding)>,
    pub(super) tip: Tip,
}

impl Log {
    /// A log whose entries up to `tip`, with these tiles, are in the store.
    pub(super) fn new(store: Store, tip: Tip, tiles: Tiles) -> Self {
        let recent = Recent { first: tip.size, tiles, tip, ..Recent::default() };
        Self {
            store,
            proven: ProvenTiles::default(),
            recent: RwLock::new(recent),
            grown: (Mutex::new(tip.bytes), Condvar::new()),
            size: watch::Sender::new(tip.size),
        }
    }

    /// Where the durable log ends.
    #[must_use]
    pub fn tip(&self) -> Tip {
        self.recent().tip
    }

    /// Exact bytes of an entry: those the tree has at this index, whatever the store says.
    ///
    /// # Errors
    /// There is no such entry, or it cannot be read.
    pub fn bytes(&self, index: u64) -> Result<Arc<[u8]>, Unreadable> {
        {
            let recent = self.recent();
            if index >= recent.first {
                let place = (index - recent.first) as usize;
                let bytes = recent.entries.get(place).cloned();
                return bytes.ok_or_else(|| Unreadable::new(format!("there is no entry {index}")));
            }
        }
        let bytes = self.store.entry(index)?;
        let bytes = bytes.ok_or_else(|| Unreadable::new(format!("entry {index} is missing from the store")))?;
        if self.with_tiles(|_, tiles| tiles.node(0, index))? != leaf_hash(&bytes) {
            let reason = format!(
                "entry {index} in {} is not the one the tree has there: it was altered",
                self.store.place_of(index)
            );
            return Err(Unreadable::new(reason));
        }
        Ok(bytes)
    }

    /// What is behind it, as it says, unproven.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Root over the first `size` entries; none where there are fewer.
    ///
    /// # Errors
    /// A tile cannot be read.
    pub fn root(&self, size: u64) -> Result<Option<Hash>, Unreadable> {
        self.with_tiles(
            |recent, tiles| {
                if size > recent.tip.size { Ok(None) } else { tree::root(tiles, size).map(Some) }
            },
        )
    }

    /// Inclusion proof of an entry in the tree of `size`; none where either is not there.
    ///
    /// # Errors
    /// A tile cannot be read.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Option<Vec<Hash>>, Unreadable> {
        self.with_tiles(
            |recent, tiles| {
                if size > recent.tip.size { Ok(None) } else { tree::inclusion_proof(tiles, index, size) }
            },
        )
    }

    /// Consistency proof between two sizes; none where either is not there.
    ///
    /// # Errors
    /// A tile cannot be read.
    pub fn consistency_proof(&self, from: u64, to: u64) -> Result<Option<Vec<Hash>>, Unreadable> {
        self.with_tiles(
            |recent, tiles| {
                if to > recent.tip.size { Ok(None) } else { tree::consistency_proof(tiles, from, to) }
            },
        )
    }

    /// Publishes a batch. Only what is synced may come here.
    pub(super) fn publish(&self, published: Published) {
        let mut recent = self.recent_mut();
        recent.entries.extend(published.entries);
        let size = published.tip.size;
        recent.bindings.extend(published.bindings.into_iter().map(|(key, binding)| (key, (binding, size))));
        for leaf in published.leaves {
            recent.tiles.append(leaf);
        }
        recent.tip = published.tip;
        drop(recent);
        let (bytes, grown) = &self.grown;
        *bytes.lock().unwrap_or_else(PoisonError::into_inner) = published.tip.bytes;
        grown.notify_all();
        self.size.send_replace(size);
    }

    /// Where the durable log ends, once it is longer than `bytes` or this time is over.
    pub(super) fn wait_beyond(&self, bytes: u64, timeout: Duration) -> Tip {
        let (length, grown) = &self.grown;
        let length = length.lock().unwrap_or_else(PoisonError::into_inner);
        drop(grown.wait_timeout_while(length, timeout, |length| *length <= bytes));
        self.tip()
    }

    /// Number of entries, followed as it grows. A batch is readable before it is told.
    #[must_use]
    pub fn growth(&self) -> watch::Receiver<u64> {
        self.size.subscribe()
    }

    /// Hands over a snapshot of the state at `size`, to be stored with the next entries.
    pub(super) fn keep_snapshot(&self, size: u64, snapshot: Vec<u8>) {
        self.recent_mut().snapshot = Some((size, snapshot));
    }

    /// Brings into the store what is not there yet, and forgets it here. Returns how far the store then reaches.
    pub(super) fn follow(&self) -> Result<Tip, Unreadable> {
        let (tip, batch) = {
            let mut recent = self.recent_mut();
            let snapshot = recent.snapshot.take();
            let entries = recent.entries.iter().enumerate();
            let batch = StoreBatch {
                entries: entries.map(|(place, bytes)| (recent.first + place as u64, Arc::clone(bytes))).collect(),
                tiles: recent.tiles.fresh().collect(),
                bindings: recent.bindings.iter().map(|(key, (binding, _))| (*key, *binding)).collect(),
                snapshot,
                size: recent.tip.size,
            };
            (recent.tip, batch)
        };
        let tiles: Vec<(u32, u64)> = batch.tiles.iter().map(|(place, _)| *place).collect();
        self.store.apply(batch)?;

        let mut recent = self.recent_mut();
        let stored = (tip.size - recent.first) as usize;
        recent.entries.drain(..stored);
        recent.first = tip.size;
        recent.bindings.retain(|_, (_, at)| *at > tip.size);
        recent.tiles.forget(&tiles);
        Ok(tip)
    }

    fn with_tiles<T>(&self, read: impl FnOnce(&Recent, &TileReader<'_>) -> T) -> T {
        let recent = self.recent();
        read(&recent, &TileReader { tiles: &recent.tiles, store: &self.store, proven: &self.proven })
    }

    fn recent(&self) -> RwLockReadGuard<'_, Recent> {
        self.recent.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent_mut(&self) -> RwLockWriteGuard<'_, Recent> {
        self.recent.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bindings for Log {
    type Error = Unreadable;

    fn binding(&self, key: &BindingKey) -> Result<Option<Binding>, Unreadable> {
        if let Some((binding, _)) = self.recent().bindings.get(key) {
            return Ok(Some(*binding));
        }
        self.store.binding(key)
    }

    fn entry(&self, index: u64) -> Result<Entry, Unreadable> {
        let bytes = self.bytes(index)?;
        from_canonical(&bytes).map_err(|error| Unreadable::new(format!("entry {index} is damaged: {error}")))
    }
}
