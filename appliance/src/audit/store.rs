//! The store behind the journal: entries, tiles and bindings, looked up by key. The only file that names sled.
//!
//! sled's `flush` on Linux ends in `sync_file_range`, which no disk cache heeds; a sync of the same file through a
//! descriptor of our own makes it durable. One descriptor is kept for life, because Linux reports a write-back error
//! only to descriptors that were open at the time.

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use appliance_wire::tree::Hash;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{archive::Archive, unreadable::Unreadable};
use crate::state::{Binding, BindingKey};

mod buckets;
mod copy;
mod entries;

use self::entries::packs;

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
    /// So many of the first entries are not here, but in the archive.
    archived: u64,
    archive: Archive,
}

/// What it holds takes several times as much; the kernel keeps the file's pages beside it.
const CACHE_BYTES: u64 = 32 << 20;
/// sled puts a node of over 128 KiB into a file of its own, which it never syncs and removes before what replaces it is
/// durable. A node has up to 16 values, and some more before it is split.
const CHUNK_BYTES: usize = 6 << 10;
/// sled reads hundreds of megabytes a second: so long, and what a disk of a few megabytes a second needs.
const OPEN_DEADLINE: Duration = Duration::from_secs(15);
const SLOWEST_BYTES_A_SECOND: u64 = 4 << 20;
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
const SIZE: &[u8] = b"n";
const SNAPSHOT: u8 = b's';
const PACK: u8 = b'e';
const ARCHIVED: &[u8] = b"archived";

impl Store {
    /// Creates the store; its directory must not exist.
    pub(super) fn create(directory: &Path) -> Result<Self, Unreadable> {
        let path = path_in(directory);
        if path.exists() {
            return Err(Unreadable::new(format!("{} exists already", path.display())));
        }
        let store = Self::open_watched(path.clone(), Archive::default())?;
        for name in ["conf", "db", "blobs", "."] {
            sync_all(&path.join(name)).map_err(|error| Unreadable::at(&path, &error))?;
        }
        Ok(store)
    }

    /// Opens an existing store, and the archive of its older entries. sled may panic or hang on a damaged file: both end
    /// here in one refusal.
    pub(super) fn open(directory: &Path, archive: Archive) -> Result<Self, Unreadable> {
        let path = path_in(directory);
        if !path.join("db").is_file() {
            return Err(Unreadable::new(format!("{} is missing", path.join("db").display())));
        }
        settle(&path).map_err(|error| Unreadable::at(&path, &error))?;
        let store = Self::open_watched(path.clone(), archive)?;
        // sled replaced its snapshot: the older one must not come back once what it names is overwritten.
        sync_all(&path).map_err(|error| Unreadable::at(&path, &error))?;
        Ok(store)
    }

    fn open_watched(path: PathBuf, archive: Archive) -> Result<Self, Unreadable> {
        let opened = path.clone();
        let open = move || {
            wait_until_let_go(&opened.join("db"));
            sled::Config::new().path(opened).cache_capacity(CACHE_BYTES).flush_every_ms(None).open()
        };
        let length = fs::metadata(path.join("db")).map_or(0, |db| db.len());
        let deadline = OPEN_DEADLINE + Duration::from_secs(length / SLOWEST_BYTES_A_SECOND);
        let database = match watched(deadline, open) {
            Some(Ok(Ok(database))) => database,
            Some(Ok(Err(error))) => return Err(Unreadable::at(&path, &error)),
            Some(Err(_)) => return Err(Unreadable::new(format!("{} is damaged: sled panicked on it", path.display()))),
            None => return Err(Unreadable::new(format!("{} is damaged: sled hangs on it", path.display()))),
        };
        let synced = File::open(path.join("db")).map_err(|error| Unreadable::at(&path, &error))?;
        let archived = number(database.get(ARCHIVED)?)?;
        Ok(Self { database, synced, archived, archive })
    }

    /// Applies a batch and makes it durable. Returns only then.
    pub(super) fn apply(&self, batch: StoreBatch) -> Result<(), Unreadable> {
        let mut writes = sled::Batch::default();
        for (first, pack) in packs(&batch.entries) {
            for (chunk, part) in pack.chunks(CHUNK_BYTES).enumerate() {
                writes.insert(chunked_key(PACK, first, chunk), part);
            }
        }
        for ((level, number), hashes) in &batch.tiles {
            for (chunk, part) in hashes.concat().chunks(CHUNK_BYTES).enumerate() {
                writes.insert([tile_key(*level, *number).as_slice(), &[chunk as u8]].concat(), part);
            }
        }
        for (key, bucket) in buckets::with(&batch.bindings, |key| self.bucket(key))? {
            writes.insert(key.as_slice(), bucket);
        }
        if let Some((size, snapshot)) = &batch.snapshot {
            for (chunk, part) in snapshot.chunks(CHUNK_BYTES).enumerate() {
                writes.insert(chunked_key(SNAPSHOT, *size, chunk), part);
            }
        }
        writes.insert(SIZE, &batch.size.to_be_bytes());
        // sled may wait for ever for a write that failed, and a batch that does not fit its buffer is such a wait too.
        let database = self.database.clone();
        let snapshot = batch.snapshot.map(|(size, _)| size);
        let written = watched(WRITE_DEADLINE, move || {
            database.apply_batch(writes)?;
            if let Some(size) = snapshot {
                remove_older_snapshots(&database, size)?;
            }
            crate::testing_only::station("before-store-flush");
            database.flush()
        });
        match written {
            Some(Ok(Ok(_))) => {}
            Some(Ok(Err(error))) => return Err(error.into()),
            Some(Err(_)) => return Err(Unreadable::new("writing the store: sled panicked".to_owned())),
            None => return Err(Unreadable::new("writing the store: sled hangs".to_owned())),
        }
        self.synced.sync_data().map_err(|error| Unreadable::new(format!("syncing the store: {error}")))?;
        crate::testing_only::station("after-store-flush");
        Ok(())
    }

    /// Number of entries.
    pub(super) fn size(&self) -> Result<u64, Unreadable> {
        number(self.database.get(SIZE)?)
    }

    /// The hashes of a full tile.
    pub(super) fn tile(&self, level: u32, number: u64) -> Result<Option<Vec<Hash>>, Unreadable> {
        let bytes = self.chunks(&tile_key(level, number))?;
        Ok((!bytes.is_empty()).then(|| bytes.as_chunks::<32>().0.to_vec()))
    }

    /// What a key is bound to.
    pub(super) fn binding(&self, key: &BindingKey) -> Result<Option<Binding>, Unreadable> {
        let bucket = self.bucket(&buckets::bucket_of(key))?;
        // A store of before has each binding under its own key.
        let bytes = match buckets::find(&bucket, key) {
            Some(bytes) => bytes.into(),
            None => match self.database.get(key.as_bytes())? {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        Binding::from_bytes(&bytes).map(Some).ok_or_else(|| Unreadable::new("a binding is damaged".to_owned()))
    }

    fn bucket(&self, key: &buckets::BucketKey) -> Result<Vec<u8>, Unreadable> {
        Ok(self.database.get(key)?.map(|bucket| bucket.to_vec()).unwrap_or_default())
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
}

impl From<sled::Error> for Unreadable {
    fn from(error: sled::Error) -> Self {
        Self::new(format!("the store: {error}"))
    }
}

fn remove_older_snapshots(database: &sled::Db, size: u64) -> sled::Result<()> {
    let newest = chunked_key(SNAPSHOT, size, 0);
    for key in database.range(vec![SNAPSHOT]..newest).keys() {
        database.remove(key?)?;
    }
    Ok(())
}

/// A count of entries, 0 where there is none.
fn number(bytes: Option<sled::IVec>) -> Result<u64, Unreadable> {
    let Some(bytes) = bytes else { return Ok(0) };
    let bytes = bytes.as_ref().try_into().map_err(|_| Unreadable::new("the store's size is damaged".to_owned()))?;
    Ok(u64::from_be_bytes(bytes))
}

/// Waits a little for whoever closed the store last: sled lets go of its lock in a thread of its own. That nobody else
/// has it open, the state's own lock says.
fn wait_until_let_go(db: &Path) {
    let Ok(file) = File::open(db) else { return };
    for _ in 0..LOCK_TRIES {
        if flock(&file, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK) {
            return; // let go of again with the descriptor
        }
        thread::sleep(LOCK_PAUSE);
    }
}

const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// What sled does, on a thread of its own; an error where it panics, none where it does not end in time.
fn watched<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<thread::Result<T>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
    });
    receiver.recv_timeout(deadline).ok()
}

/// Makes durable what sled will read, before it writes a snapshot that rests on it; and removes a snapshot that was
/// never finished, which sled would take for a damaged one.
fn settle(path: &Path) -> io::Result<()> {
    sync_all(&path.join("db"))?;
    for file in fs::read_dir(path)? {
        let name = file?.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("snap.") && name.ends_with(".generating")) {
            fs::remove_file(path.join(name))?;
        }
    }
    Ok(())
}

fn sync_all(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn path_in(directory: &Path) -> PathBuf {
    directory.join("store")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_so_large_that_it_becomes_a_file_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::create(directory.path()).unwrap();
        let tile: Arc<[Hash]> = vec![[7; 32]; 256].into();
        for round in 0..40 {
            let entry = |index: u64| (round * 100 + index, Arc::from(vec![b'e'; 700 + 150 * index as usize]));
            let batch = StoreBatch {
                entries: (0..100).map(entry).collect(),
                tiles: (0..20).map(|number| ((0, round * 20 + number), Arc::clone(&tile))).collect(),
                snapshot: Some((round, vec![b's'; 100_000])),
                size: (round + 1) * 100,
                ..StoreBatch::default()
            };
            store.apply(batch).unwrap();
        }
        assert_eq!(store.tile(0, 799).unwrap().as_deref(), Some(&*tile));
        assert_eq!(store.tile(0, 800).unwrap(), None);
        let files = fs::read_dir(directory.path().join("store/blobs")).unwrap().count();
        assert_eq!(files, 0, "files that no sync of `db` reaches");
    }
}
