//! `anchor`: how long the log was when it was last known whole, kept outside the log, which cannot prove its own tail.
//!
//! Two slots are written in turn, so that a torn write leaves the older one. A slot is JSON and its SHA-256.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use appliance_wire::{sha256_hex, tree::Hash};
use serde::{Deserialize, Serialize};

use crate::own_file;

const SLOT_BYTES: usize = 512;

/// What both copies of the log must reach.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Anchor {
    /// Counts writes; the slot with the higher one is the newer.
    generation: u64,
    /// Number of entries.
    pub(super) size: u64,
    /// Root over them, hexadecimal.
    root: String,
    /// Length of `log.jsonl` at that size.
    pub(super) bytes: u64,
}

impl Anchor {
    /// Whether this is the root it names.
    pub(super) fn has_root(&self, root: &Hash) -> bool {
        self.root == hex::encode(root)
    }
}

/// The file, kept open.
#[derive(Debug)]
pub(super) struct AnchorFile {
    file: File,
    generation: u64,
}

/// Reads the newer valid slot; none where neither is.
pub(super) fn read(directory: &Path) -> io::Result<Option<Anchor>> {
    let bytes = own_file::read(&path_in(directory))?.ok_or(io::ErrorKind::NotFound)?;
    Ok(bytes.chunks(SLOT_BYTES).filter_map(parse_slot).max_by_key(|anchor| anchor.generation))
}

fn path_in(directory: &Path) -> PathBuf {
    directory.join("anchor")
}

fn parse_slot(slot: &[u8]) -> Option<Anchor> {
    let text = std::str::from_utf8(slot).ok()?.trim_end_matches(['\n', ' ']);
    let (digest, json) = text.split_once(' ')?;
    if sha256_hex(json.as_bytes()) == digest { serde_json::from_str(json).ok() } else { None }
}

impl AnchorFile {
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(path_in(directory))?;
        file.set_len(2 * SLOT_BYTES as u64)?;
        Ok(Self { file, generation: 0 })
    }

    pub(super) fn open(directory: &Path, newest: &Anchor) -> io::Result<Self> {
        let file = own_file::open(&path_in(directory), OpenOptions::new().write(true))?;
        Ok(Self { file, generation: newest.generation })
    }

    /// Writes the other slot and syncs. Call it only when log and store hold everything it names: an anchor that
    /// reaches the disk before the log would turn a power cut into a refused start.
    pub(super) fn write(&mut self, size: u64, root: &Hash, bytes: u64) -> io::Result<()> {
        let generation = self.generation + 1;
        let anchor = Anchor { generation, size, root: hex::encode(root), bytes };
        let json = serde_json::to_string(&anchor)?;
        let slot = format!("{:<width$}\n", format!("{} {json}", sha256_hex(json.as_bytes())), width = SLOT_BYTES - 1);
        self.file.write_all_at(slot.as_bytes(), (generation % 2) * SLOT_BYTES as u64)?;
        self.file.sync_data()?;
        self.generation = generation;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_write_leaves_the_older_slot() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = AnchorFile::create(directory.path()).unwrap();
        assert_eq!(read(directory.path()).unwrap(), None);
        file.write(1, &[1; 32], 100).unwrap();
        file.write(2, &[2; 32], 200).unwrap();
        let newest = read(directory.path()).unwrap().unwrap();
        assert_eq!((newest.size, newest.bytes), (2, 200));
        assert!(newest.has_root(&[2; 32]) && !newest.has_root(&[1; 32]));

        let path = directory.path().join("anchor");
        let whole = std::fs::read(&path).unwrap();
        for position in 0..SLOT_BYTES {
            let mut torn = whole.clone();
            torn[position..SLOT_BYTES].fill(0);
            std::fs::write(&path, torn).unwrap();
            let found = read(directory.path()).unwrap().unwrap();
            assert!(found.size == 1 || (found == newest && position > 200), "byte {position}");
        }
    }
}
