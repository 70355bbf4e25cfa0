//! A long log without token or watcher: what tests and measurements of scale begin with. In no product build.

use std::path::Path;

use appliance_wire::Body;

use super::{archive::Archive, open::open, unreadable::Unreadable, writer::SNAPSHOT_EVERY};

/// What is committed at once: a sync for each entry would take an hour.
const BATCH: u64 = 2_000;

/// Appends `count` entries to the log of a state directory nobody serves: journal, store, snapshots and anchor as the
/// writer would, in larger batches. `body` is told the index.
///
/// # Errors
/// The log is refused, cannot be written, or an entry cannot follow.
pub fn grow(directory: &Path, count: u64, mut body: impl FnMut(u64) -> Body) -> Result<(), Unreadable> {
    let mut opened = open(directory, Archive::default()).map_err(|error| Unreadable::new(error.to_string()))?;
    let last = opened.state.size + count;
    let mut snapshot_at = opened.state.size;
    while opened.state.size < last {
        let size = opened.state.size;
        if size >= snapshot_at {
            opened.log.keep_snapshot(size, opened.state.snapshot(opened.journal.length()));
            snapshot_at = size + SNAPSHOT_EVERY;
        }
        opened.append((size..last.min(size + BATCH)).map(&mut body).collect())?;
    }
    Ok(())
}
