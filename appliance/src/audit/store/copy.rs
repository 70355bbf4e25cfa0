//! A store made anew from another, without the entries that are archived.

use std::sync::Arc;

use super::{ARCHIVED, PACK, Store, StoreBatch};
use crate::audit::unreadable::Unreadable;

/// Entries brought over at once.
const PART: usize = 1_000;

impl Store {
    /// Brings everything into `empty` but the first `archived` entries. `progress` is told how many entries are there.
    pub(in crate::audit) fn copy_without(
        &self,
        archived: u64,
        empty: &Self,
        progress: &dyn Fn(u64),
    ) -> Result<(), Unreadable> {
        self.copy_values(empty)?;
        empty.database.insert(ARCHIVED, &archived.to_be_bytes())?;
        let mut size = archived.max(self.archived);
        let mut part: Vec<(u64, Arc<[u8]>)> = Vec::new();
        for entry in self.entries_from(size)? {
            part.push((size, entry?));
            size += 1;
            if part.len() == PART {
                progress(size);
                empty.apply(StoreBatch { entries: std::mem::take(&mut part), size, ..StoreBatch::default() })?;
            }
        }
        // Makes durable what was brought over before it as well.
        empty.apply(StoreBatch { entries: part, size, ..StoreBatch::default() })
    }

    /// All that is not an entry, byte for byte.
    fn copy_values(&self, empty: &Self) -> Result<(), Unreadable> {
        for value in self.database.iter() {
            let (key, value) = value?;
            if key.first() != Some(&PACK) {
                empty.database.insert(key, value)?;
            }
        }
        Ok(())
    }
}
