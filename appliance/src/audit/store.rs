//! The store behind the journal: entries, tiles and bindings, looked up by key. The only file that names sled.
//!
//! sled's `flush` on Linux ends in `sync_file_range`, which no disk cache heeds; a sync of the same file through a
//! descriptor of our own makes it durable. One descriptor is kept for life, because Linux reports a write-back error
//! only to descriptors that were open at the time.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use appliance_wire::tree::Hash;

use super::unreadable::Unreadable;
use crate::state::{Binding, BindingKey};

/// (level, number) of a tile.
pub(super) type TilePlace = (u32, u64);

/// Everything one flush brings into the store, at once or not at all.
#[derive(Debug, Default)]
pub(super) struct StoreBatch {
    pub(super) entries: Vec<(u64, Arc<[u8]>)>,
    pub(super) tiles: Vec<(TilePlace, Arc<[Hash]>)>,
    pub(super) bindings: Vec<(BindingKey, Binding)>,
    /// A snapshot of the state, with the size it is of.
    pub(super) snapshot: Option<(u64, Vec<u8>)>,
    /// Size after the batch.
    pub(super) size: u64,
}

#[derive(Debug)]
pub(super) struct Store {
    database: sled::Db,
    synced: File,
}

const CACHE_BYTES: u64 = 64 << 20;
/// sled puts larger values into files of their own, which a sync of `db` does not reach.
const CHUNK_BYTES: usize = 64 << 10;
const OPEN_DEADLINE: Duration = Duration::from_secs(120);
const SIZE: &[u8] = b"n";
const SNAPSHOT: u8 = b's';

impl Store {
    /// Creates the store; its directory must not exist.
    pub(super) fn create(directory: &Path) -> Result<Self, Unreadable> {
        let path = path_in(directory);
        if path.exists() {
            return Err(Unreadable::new(format!("{} exists already", path.display())));
        }
        let store = Self::open_watched(path.clone())?;
        let sync_all = |path: &Path| File::open(path).and_then(|file| file.sync_all());
        for name in ["conf", "db", "blobs", "."] {
            sync_all(&path.join(name)).map_err(|error| Unreadable::at(&path, &error))?;
        }
        Ok(store)
    }

    /// Opens an existing store. sled may panic or hang on a damaged file: both end here in one refusal.
    pub(super) fn open(directory: &Path) -> Result<Self, Unreadable> {
        let path = path_in(directory);
        if !path.join("db").is_file() {
            return Err(Unreadable::new(format!("{} is missing", path.join("db").display())));
        }
        Self::open_watched(path)
    }

    fn open_watched(path: PathBuf) -> Result<Self, Unreadable> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let opened = path.clone();
        thread::spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| {
                sled::Config::new().path(opened).cache_capacity(CACHE_BYTES).flush_every_ms(None).open()
            }));
            let _ = sender.send(result);
        });
        let database = match receiver.recv_timeout(OPEN_DEADLINE) {
            Ok(Ok(Ok(database))) => database,
            Ok(Ok(Err(error))) => return Err(Unreadable::at(&path, &error)),
            Ok(Err(_)) => return Err(Unreadable::new(format!("{} is damaged: sled panicked on it", path.display()))),
            Err(_) => return Err(Unreadable::new(format!("{} is damaged: sled hangs on it", path.display()))),
        };
        let synced = File::open(path.join("db")).map_err(|error| Unreadable::at(&path, &error))?;
        Ok(Self { database, synced })
    }

    /// Applies a batch and makes it durable. Returns only then.
    pub(super) fn apply(&self, batch: StoreBatch) -> Result<(), Unreadable> {
        let mut writes = sled::Batch::default();
        for (index, bytes) in &batch.entries {
            for (chunk, part) in bytes.chunks(CHUNK_BYTES).enumerate() {
                writes.insert(entry_key(*index, chunk), part);
            }
        }
        for ((level, number), hashes) in &batch.tiles {
            writes.insert(tile_key(*level, *number), hashes.concat());
        }
        for (key, binding) in &batch.bindings {
            writes.insert(key.as_bytes().as_slice(), binding.to_bytes().as_slice());
        }
        if let Some((size, snapshot)) = &batch.snapshot {
            for (chunk, part) in snapshot.chunks(CHUNK_BYTES).enumerate() {
                writes.insert(snapshot_key(*size, chunk), part);
            }
        }
        writes.insert(SIZE, &batch.size.to_be_bytes());
        self.database.apply_batch(writes)?;
        if let Some((size, _)) = batch.snapshot {
            self.remove_older_snapshots(size)?;
        }
        crate::testing_only::station("before-store-flush");
        self.database.flush()?;
        self.synced.sync_data().map_err(|error| Unreadable::new(format!("syncing the store: {error}")))?;
        crate::testing_only::station("after-store-flush");
        Ok(())
    }

    /// Number of entries.
    pub(super) fn size(&self) -> Result<u64, Unreadable> {
        let Some(bytes) = self.database.get(SIZE)? else { return Ok(0) };
        let bytes = bytes.as_ref().try_into().map_err(|_| Unreadable::new("the store's size is damaged".to_owned()))?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// Bytes of an entry.
    pub(super) fn entry(&self, index: u64) -> Result<Option<Arc<[u8]>>, Unreadable> {
        let Some(first) = self.database.get(entry_key(index, 0))? else { return Ok(None) };
        if first.len() < CHUNK_BYTES {
            return Ok(Some(first.as_ref().into()));
        }
        Ok(Some(self.chunks(&entry_key(index, 0)[..9])?.into()))
    }

    /// The hashes of a full tile.
    pub(super) fn tile(&self, level: u32, number: u64) -> Result<Option<Vec<Hash>>, Unreadable> {
        let Some(bytes) = self.database.get(tile_key(level, number))? else { return Ok(None) };
        Ok(Some(bytes.as_chunks::<32>().0.to_vec()))
    }

    /// What a key is bound to.
    pub(super) fn binding(&self, key: &BindingKey) -> Result<Option<Binding>, Unreadable> {
        let Some(bytes) = self.database.get(key.as_bytes())? else { return Ok(None) };
        Binding::from_bytes(&bytes).map(Some).ok_or_else(|| Unreadable::new("a binding is damaged".to_owned()))
    }

    /// The newest snapshot.
    pub(super) fn snapshot(&self) -> Result<Option<Vec<u8>>, Unreadable> {
        let Some(last) = self.database.scan_prefix([SNAPSHOT]).keys().next_back() else { return Ok(None) };
        let last = last?;
        let prefix = last.get(..9).ok_or_else(|| Unreadable::new("a snapshot's key is damaged".to_owned()))?;
        Ok(Some(self.chunks(prefix)?))
    }

    fn chunks(&self, prefix: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let mut whole = Vec::new();
        for chunk in self.database.scan_prefix(prefix).values() {
            whole.extend_from_slice(&chunk?);
        }
        Ok(whole)
    }

    fn remove_older_snapshots(&self, size: u64) -> Result<(), Unreadable> {
        let newest = snapshot_key(size, 0);
        for key in self.database.range([SNAPSHOT].to_vec()..newest).keys() {
            self.database.remove(key?)?;
        }
        Ok(())
    }
}

impl From<sled::Error> for Unreadable {
    fn from(error: sled::Error) -> Self {
        Self::new(format!("the store: {error}"))
    }
}

fn path_in(directory: &Path) -> PathBuf {
    directory.join("store")
}

fn entry_key(index: u64, chunk: usize) -> Vec<u8> {
    chunked_key(b'e', index, chunk)
}

fn snapshot_key(size: u64, chunk: usize) -> Vec<u8> {
    chunked_key(SNAPSHOT, size, chunk)
}

fn chunked_key(kind: u8, number: u64, chunk: usize) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend(number.to_be_bytes());
    key.extend((chunk as u32).to_be_bytes());
    key
}

fn tile_key(level: u32, number: u64) -> Vec<u8> {
    let mut key = vec![b't', level as u8];
    key.extend(number.to_be_bytes());
    key
}
