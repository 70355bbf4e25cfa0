//! `audit archive`: older entries leave the store for an export of the log, while no appliance holds the state directory.
//!
//! The tree stays in the store, so that proofs need no archive, and `log.jsonl` stays whole. The store is made anew
//! beside the old one, for sled never gives room back; the last step is the start's own check.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use appliance_wire::tree::{Frontier, leaf_hash};

use super::{
    anchor,
    export::{Export, ExportError, Exported, export},
    in_place::InPlace,
    journal::{self, Next},
    open::{Opened, open_whole},
    rebuild::{RebuildError, building_in},
    store::Store,
    tiles::TILE_WIDTH,
    unreadable::Unreadable,
    verify::{Bundles, TileCheck},
};
use crate::state::State;

mod entries;

pub use self::entries::Archive;

/// Entries of which the store keeps its own copy at least: what is asked for again is mostly younger.
pub const KEPT_AT_LEAST: u64 = 1_000;

/// Why nothing was archived. The store is as it was; the archive may have grown.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ArchiveError {
    /// The log, or what is in the archive, is not what it must be.
    #[error("{0}. The store is as it was")]
    NotValid(String),
    /// Something cannot be read or written, or an appliance holds the directory.
    #[error("{0}. The store is as it was")]
    Failed(String),
}

/// What was archived.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Archived {
    /// Entries of the log.
    pub entries: u64,
    /// Entries in the archive.
    pub exported_entries: u64,
    /// So many of the first entries are in the archive and no longer in the store.
    pub archived_entries: u64,
    /// Those of them that were in the store before.
    pub newly_archived_entries: u64,
    /// Length of the store's file.
    pub store_bytes_before: u64,
    /// The same, now.
    pub store_bytes: u64,
    /// The store of before, where it could not be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<PathBuf>,
}

/// Brings the log into the archive up to its newest checkpoint, and leaves at least the last `keep` entries in the
/// store. `progress` is told of each step how far it is, and of how much.
///
/// # Errors
/// [`ArchiveError`].
pub fn archive(
    directory: &Path,
    archive: &Path,
    keep: u64,
    progress: &dyn Fn(u64, u64),
) -> Result<Archived, ArchiveError> {
    let at = || Archive::at(Some(archive));
    let opened = open_whole(directory, at()).map_err(|error| ArchiveError::Failed(error.to_string()))?;
    let log_bytes = fs::metadata(journal::path_in(directory)).map_or(0, |log| log.len());
    let told = |position| progress(position, log_bytes);
    let exported = export(&Export { state: directory, out: archive, since: None, progress: &told })?;
    read_back(archive, &exported, progress)?;

    let entries = opened.log().tip().size;
    let before = opened.log().store().archived();
    let limit = entries.saturating_sub(keep.max(KEPT_AT_LEAST)).min(exported.entries);
    let border = limit.min(restart_at(directory, opened.log().store())?);
    let border = border - border % TILE_WIDTH as u64;
    let store_bytes = store_bytes(directory);
    let mut archived = Archived {
        entries,
        exported_entries: exported.entries,
        archived_entries: before,
        newly_archived_entries: 0,
        store_bytes_before: store_bytes,
        store_bytes,
        left_behind: None,
    };
    if border <= before {
        return Ok(archived);
    }
    let building = building_in(directory)?;
    let remade = remake(directory, &building, opened, border, &at(), progress);
    // Whatever is left there is of no use to anybody.
    let _ = fs::remove_dir_all(&building);
    archived.left_behind = remade?;
    archived.archived_entries = border;
    archived.newly_archived_entries = border - before;
    archived.store_bytes = self::store_bytes(directory);
    Ok(archived)
}

/// The store without the first `border` entries, in the place of the one that is there. Returns what could not be
/// removed of that.
fn remake(
    directory: &Path,
    building: &Path,
    opened: Opened,
    border: u64,
    archive: &Archive,
    progress: &dyn Fn(u64, u64),
) -> Result<Option<PathBuf>, ArchiveError> {
    let failed = |error: io::Error| ArchiveError::Failed(format!("{}: {error}", building.display()));
    let entries = opened.log().tip().size;
    let store = Store::create(building)?;
    opened.log().store().copy_without(border, &store, &|size| progress(size, entries))?;
    drop(store);
    let held = opened.into_lock();
    let in_place = InPlace::put(directory, building, &["store"], "before-archive").map_err(failed)?;
    drop(held);
    if let Err(error) = open_whole(directory, archive.clone()) {
        in_place.put_back().map_err(failed)?;
        let reason = format!("what came out is refused, and was put back: {}", error.reason);
        return Err(ArchiveError::NotValid(reason));
    }
    // Room is what this was for.
    Ok(in_place.kept().into_iter().find(|kept| fs::remove_dir_all(kept).is_err()))
}

/// What a start of a long log may begin with: it needs the entries from there on.
fn restart_at(directory: &Path, store: &Store) -> Result<u64, ArchiveError> {
    let failed = |error: io::Error| ArchiveError::Failed(format!("reading the anchor: {error}"));
    let anchor = anchor::read(directory).map_err(failed)?.map_or(0, |anchor| anchor.size);
    let snapshot = store.snapshot()?.and_then(|bytes| State::from_snapshot(&bytes).ok());
    Ok(snapshot.map_or(0, |(state, _)| state.size).min(anchor))
}

/// Reads all bundles and tiles of the archive: what an earlier export left there may have been damaged since.
fn read_back(archive: &Path, exported: &Exported, progress: &dyn Fn(u64, u64)) -> Result<(), ArchiveError> {
    let damaged = |reason: String| {
        ArchiveError::NotValid(format!(
            "the archive in {} is not whole: {reason}. Move it away, and archive again into an empty directory",
            archive.display()
        ))
    };
    let (mut bundles, mut tiles) = (Bundles::new(archive, exported.entries), TileCheck::new(archive));
    let mut frontier = Frontier::default();
    while let Next::Line(bytes) = bundles.next().map_err(|error| damaged(error.to_string()))? {
        tiles.leaf(leaf_hash(bytes)).map_err(damaged)?;
        frontier.append(bytes);
        if frontier.size().is_multiple_of(1_000) {
            progress(frontier.size(), exported.entries);
        }
    }
    tiles.finish().map_err(damaged)?;
    if hex::encode(frontier.root()) != exported.root {
        return Err(damaged("its entries are not those of the log".to_owned()));
    }
    Ok(())
}

fn store_bytes(directory: &Path) -> u64 {
    fs::metadata(directory.join("store/db")).map_or(0, |db| db.len())
}

impl From<ExportError> for ArchiveError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::NotValid(reason) => Self::NotValid(reason),
            ExportError::Failed(reason) => Self::Failed(reason),
        }
    }
}

impl From<RebuildError> for ArchiveError {
    fn from(error: RebuildError) -> Self {
        let (RebuildError::NotValid(reason) | RebuildError::Failed(reason)) = error;
        Self::Failed(reason)
    }
}

impl From<Unreadable> for ArchiveError {
    fn from(error: Unreadable) -> Self {
        Self::Failed(error.to_string())
    }
}
