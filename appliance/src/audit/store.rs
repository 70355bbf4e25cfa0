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

use super::unreadable::Unreadable;
use crate::state::{Binding, BindingKey};

mod buckets;

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

/// What it holds takes several times as much; the kernel keeps the file's pages beside it.
const CACHE_BYTES: u64 = 32 << 20;
/// sled puts a node of over 128 KiB into a file of its own, which it never syncs and removes before what replaces it is
/// durable. A node has up to 16 values, and some more before it is split.
const CHUNK_BYTES: usize = 6 << 10;
/// sled reads hundreds of megabytes a second: so long, and what a disk of a few megabytes a second needs.
const OPEN_DEADLINE: Duration = Duration::from_secs(15);
const SLOWEST_BYTES_A_SECOND: u64 = 4 << 20;
const FLUSH_DEADLINE: Duration = Duration::from_secs(30);
const SIZE: &[u8] = b"n";
const SNAPSHOT: u8 = b's';
const PACK: u8 = b'e';

impl Store {
    /// Creates the store; its directory must not exist.
    pub(super) fn create(directory: &Path) -> Result<Self, Unreadable> {
        let path = path_in(directory);
        if path.exists() {
            return Err(Unreadable::new(format!("{} exists already", path.display())));
        }
        let store = Self::open_watched(path.clone())?;
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
        settle(&path).map_err(|error| Unreadable::at(&path, &error))?;
        let store = Self::open_watched(path.clone())?;
        // sled replaced its snapshot: the older one must not come back once what it names is overwritten.
        sync_all(&path).map_err(|error| Unreadable::at(&path, &error))?;
        Ok(store)
    }

    fn open_watched(path: PathBuf) -> Result<Self, Unreadable> {
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
        Ok(Self { database, synced })
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
        self.database.apply_batch(writes)?;
        if let Some((size, _)) = batch.snapshot {
            self.remove_older_snapshots(size)?;
        }
        crate::testing_only::station("before-store-flush");
        // sled may wait for ever for a write that failed.
        let database = self.database.clone();
        match watched(FLUSH_DEADLINE, move || database.flush()) {
            Some(Ok(Ok(_))) => {}
            Some(Ok(Err(error))) => return Err(error.into()),
            Some(Err(_)) => return Err(Unreadable::new("flushing the store: sled panicked".to_owned())),
            None => return Err(Unreadable::new("flushing the store: sled hangs".to_owned())),
        }
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
        let up_to = chunked_key(PACK, index, u32::MAX as usize);
        let Some(found) = self.database.range(chunked_key(PACK, 0, 0)..=up_to).next_back() else { return Ok(None) };
        let (key, part) = found?;
        let (first, chunk) = pack_place(&key)?;
        let nth = |pack: &[u8]| pack.split(|byte| *byte == b'\n').nth((index - first) as usize).map(Arc::from);
        if chunk == 0 { Ok(nth(&part)) } else { Ok(nth(&self.chunks(&key[..9])?)) }
    }

    /// Every entry, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = Result<Arc<[u8]>, Unreadable>> + use<> {
        self.packs_from(0)
    }

    /// The entries from `first` on, in order.
    pub(super) fn entries_from(
        &self,
        first: u64,
    ) -> Result<impl Iterator<Item = Result<Arc<[u8]>, Unreadable>> + use<>, Unreadable> {
        let up_to = chunked_key(PACK, first, u32::MAX as usize);
        let begin = match self.database.range(chunked_key(PACK, 0, 0)..=up_to).keys().next_back() {
            Some(key) => pack_place(&key?)?.0,
            None => first,
        };
        Ok(self.packs_from(begin).skip((first - begin) as usize))
    }

    /// The entries from the pack that begins with entry `first`.
    fn packs_from(&self, first: u64) -> impl Iterator<Item = Result<Arc<[u8]>, Unreadable>> + use<> {
        let mut parts = self.database.range(chunked_key(PACK, first, 0)..vec![PACK + 1]).peekable();
        let packs = std::iter::from_fn(move || {
            let mut pack = match parts.next()? {
                Ok((_, part)) => part.to_vec(),
                Err(error) => return Some(Err(Unreadable::from(error))),
            };
            while let Some(Ok((_, more))) = parts
                .next_if(|next| next.as_ref().is_ok_and(|(key, _)| pack_place(key).is_ok_and(|(_, chunk)| chunk > 0)))
            {
                pack.extend_from_slice(&more);
            }
            Some(Ok(pack))
        });
        packs.flat_map(|pack| match pack {
            Ok(pack) => pack.split(|byte| *byte == b'\n').map(|entry| Ok(Arc::from(entry))).collect(),
            Err(error) => vec![Err(error)],
        })
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

    fn remove_older_snapshots(&self, size: u64) -> Result<(), Unreadable> {
        let newest = chunked_key(SNAPSHOT, size, 0);
        for key in self.database.range(vec![SNAPSHOT]..newest).keys() {
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

/// Consecutive entries joined into values of a chunk at most, by the index of the first: one insertion for many. An
/// entry that is longer by itself is a pack alone, in several chunks. No entry contains a line end.
fn packs(entries: &[(u64, Arc<[u8]>)]) -> Vec<(u64, Vec<u8>)> {
    let mut packs: Vec<(u64, Vec<u8>)> = Vec::new();
    for (index, bytes) in entries {
        match packs.last_mut().filter(|(_, pack)| pack.len() + 1 + bytes.len() <= CHUNK_BYTES) {
            Some((_, pack)) => {
                pack.push(b'\n');
                pack.extend_from_slice(bytes);
            }
            None => packs.push((*index, bytes.to_vec())),
        }
    }
    packs
}

/// (index of the first entry, number of the chunk) of a pack's key.
fn pack_place(key: &[u8]) -> Result<(u64, u32), Unreadable> {
    let place = || Some((key.get(1..9)?.try_into().ok()?, key.get(9..13)?.try_into().ok()?));
    let (first, chunk) = place().ok_or_else(|| Unreadable::new("a pack's key is damaged".to_owned()))?;
    Ok((u64::from_be_bytes(first), u32::from_be_bytes(chunk)))
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
    fn entries_come_back_one_by_one_and_in_order_whatever_their_length() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::create(directory.path()).unwrap();
        let lengths =
            [1, 500, CHUNK_BYTES - 600, 700, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 2, 40_000, 40_000];
        let entry = |index: usize| -> Arc<[u8]> { vec![b'a' + index as u8; lengths[index]].into() };
        for range in [0..3, 3..4, 4..10] {
            let size = range.end as u64;
            let entries = range.map(|index| (index as u64, entry(index))).collect();
            store.apply(StoreBatch { entries, size, ..StoreBatch::default() }).unwrap();
        }
        for index in 0..lengths.len() {
            assert_eq!(store.entry(index as u64).unwrap(), Some(entry(index)), "{index}");
        }
        assert_eq!(store.entry(10).unwrap(), None);
        for first in 0..=lengths.len() {
            let rest: Vec<Arc<[u8]>> = store.entries_from(first as u64).unwrap().map(Result::unwrap).collect();
            assert!((first..).zip(&rest).all(|(index, bytes)| *bytes == entry(index)), "{first}");
            assert_eq!(rest.len(), lengths.len() - first);
        }
        assert_eq!(store.size().unwrap(), 10);
    }

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
