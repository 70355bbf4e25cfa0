//! The entries of a store: many in a value, and the first of them, where they were archived, not here at all.

use std::sync::Arc;

use super::{CHUNK_BYTES, PACK, Store, chunked_key};
use crate::audit::unreadable::Unreadable;

impl Store {
    /// How many of the first entries are in the archive, and not here.
    pub(in crate::audit) fn archived(&self) -> u64 {
        self.archived
    }

    /// Where an entry is, for who reads that it is not what it must be.
    pub(in crate::audit) fn place_of(&self, index: u64) -> String {
        if index < self.archived { self.archive.place_of(index) } else { "the store".to_owned() }
    }

    /// Bytes of an entry.
    pub(in crate::audit) fn entry(&self, index: u64) -> Result<Option<Arc<[u8]>>, Unreadable> {
        if index < self.archived {
            return self.archive.entry(index).map(Some);
        }
        let up_to = chunked_key(PACK, index, u32::MAX as usize);
        let Some(found) = self.database.range(chunked_key(PACK, 0, 0)..=up_to).next_back() else { return Ok(None) };
        let (key, part) = found?;
        let (first, chunk) = pack_place(&key)?;
        let nth = |pack: &[u8]| pack.split(|byte| *byte == b'\n').nth((index - first) as usize).map(Arc::from);
        if chunk == 0 { Ok(nth(&part)) } else { Ok(nth(&self.chunks(&key[..9])?)) }
    }

    /// Every entry that is here, in order.
    pub(in crate::audit) fn entries(&self) -> impl Iterator<Item = Result<Arc<[u8]>, Unreadable>> + use<> {
        self.packs_from(self.archived)
    }

    /// The entries from `first` on, in order; of those that are here.
    pub(in crate::audit) fn entries_from(
        &self,
        first: u64,
    ) -> Result<impl Iterator<Item = Result<Arc<[u8]>, Unreadable>> + use<>, Unreadable> {
        let first = first.max(self.archived);
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
}

/// Consecutive entries joined into values of a chunk at most, by the index of the first: one insertion for many. An
/// entry that is longer by itself is a pack alone, in several chunks. No entry contains a line end.
pub(super) fn packs(entries: &[(u64, Arc<[u8]>)]) -> Vec<(u64, Vec<u8>)> {
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

#[cfg(test)]
mod tests {
    use super::{super::StoreBatch, *};

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
}
