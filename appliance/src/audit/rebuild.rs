//! `audit rebuild`: one copy of the log remade from another, while no appliance holds the state directory.
//!
//! What is replaced is kept beside it. The last step is the start's own check: a directory it would refuse is put back
//! as it was.

use std::{
    collections::HashMap,
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use appliance_wire::{
    Checkpoint, Entry, LogKey, from_canonical,
    tree::{Frontier, Hash},
};

use super::{
    anchor::{self, Anchor, AnchorFile},
    archive::Archive,
    export::layout::CHECKPOINT,
    in_place::InPlace,
    journal::{self, Lines, Next},
    log::{Log, Published, Tip},
    open::{lock, open_whole},
    read_entry::read_entry,
    store::Store,
    tiles::Tiles,
    unreadable::Unreadable,
};
use crate::{
    own_file,
    state::{State, bindings_of},
};

/// What the others are remade from.
#[derive(Clone, Copy, Debug)]
pub enum RebuildFrom<'a> {
    /// `log.jsonl`: remakes the store.
    Log,
    /// The store: remakes `log.jsonl`.
    Store,
    /// The mirror in this directory: remakes `log.jsonl` and the store.
    Mirror(&'a Path),
}

/// Why nothing was rebuilt; everything is as it was.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RebuildError {
    /// The source is damaged, or does not reach what is known to have been there.
    #[error("{0}. Nothing was changed")]
    NotValid(String),
    /// It cannot be read or written, or an appliance holds it.
    #[error("{0}. Nothing was changed")]
    Failed(String),
}

/// What was rebuilt.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Rebuilt {
    /// Entries of the log now.
    pub entries: u64,
    /// Entries behind the source's end that were taken from the old `log.jsonl`.
    pub kept_entries: u64,
    /// Files and directories that were replaced, under the names they are kept by.
    pub replaced: Vec<PathBuf>,
}

const BUILDING: &str = "rebuilding";
const PART_ENTRIES: usize = 1_000;

/// Rebuilds.
///
/// # Errors
/// [`RebuildError`].
pub fn rebuild(directory: &Path, from: RebuildFrom<'_>, progress: &dyn Fn(u64)) -> Result<Rebuilt, RebuildError> {
    let held = lock(directory).map_err(|error| RebuildError::Failed(error.to_string()))?;
    let building = building_in(directory)?;
    let failed = |error: &dyn std::fmt::Display| RebuildError::Failed(format!("{}: {error}", building.display()));
    let built = build(directory, &building, from, progress);
    let rebuilt = built.and_then(|(entries, kept_entries, names)| {
        let in_place = InPlace::put(directory, &building, &names, "before-rebuild").map_err(|error| failed(&error))?;
        drop(held);
        match open_whole(directory, Archive::default()) {
            Ok(_) => Ok(Rebuilt { entries, kept_entries, replaced: in_place.kept() }),
            Err(error) => {
                in_place.put_back().map_err(|error| failed(&error))?;
                Err(RebuildError::NotValid(format!("what came out is refused, and was put back: {}", error.reason)))
            }
        }
    });
    // Whatever is left there is of no use to anybody.
    let _ = fs::remove_dir_all(&building);
    rebuilt
}

/// An empty directory, on the same disk, for what is being built.
pub(super) fn building_in(directory: &Path) -> Result<PathBuf, RebuildError> {
    let building = directory.join(BUILDING);
    let failed = |error: std::io::Error| RebuildError::Failed(format!("{}: {error}", building.display()));
    match fs::remove_dir_all(&building) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        Err(_) | Ok(()) => {}
    }
    fs::create_dir(&building).map_err(failed)?;
    Ok(building)
}

/// Builds the new copies. Returns entries, those kept from the old log, and the names to be replaced.
fn build(
    directory: &Path,
    building: &Path,
    from: RebuildFrom<'_>,
    progress: &dyn Fn(u64),
) -> Result<(u64, u64, Vec<&'static str>), RebuildError> {
    let damaged = |error: Unreadable| RebuildError::NotValid(error.to_string());
    let (source, mut names) = match from {
        RebuildFrom::Log => (directory, Vec::new()),
        RebuildFrom::Store | RebuildFrom::Mirror(_) => (building, vec!["log.jsonl"]),
    };
    let kept = match from {
        RebuildFrom::Log => 0,
        RebuildFrom::Store => {
            let store = Store::open(directory, Archive::default()).map_err(damaged)?;
            refuse_archived(&store)?;
            let mut entries = store.entries();
            write_log(Some(directory), building, || entries.next().transpose().map_err(damaged))?
        }
        RebuildFrom::Mirror(mirror) => copy_log(&journal::path_in(mirror), Some(directory), building)?,
    };
    let with_store = !matches!(from, RebuildFrom::Store);
    let known = Known::of(directory)?;
    let tip = known.read_back(source, with_store.then_some(building), progress)?;
    if with_store {
        names.push("store");
    }
    if known.anchor.is_none() {
        anchor_of(building, tip)?;
        names.push("anchor");
    }
    Ok((tip.size, kept, names))
}

/// The log is made of every entry, and the start holds a store against it that says the same.
fn refuse_archived(store: &Store) -> Result<(), RebuildError> {
    match store.archived() {
        0 => Ok(()),
        archived => Err(RebuildError::NotValid(format!(
            "the first {archived} entries are in the archive, not in the store: rebuild from the mirror, or bring back a \
             copy of log.jsonl"
        ))),
    }
}

/// Writes a new anchor.
pub(super) fn anchor_of(building: &Path, tip: Tip) -> Result<(), RebuildError> {
    let anchor = AnchorFile::create(building).and_then(|mut anchor| anchor.write(tip.size, &tip.root, tip.bytes));
    anchor.map_err(|error| RebuildError::Failed(format!("writing an anchor: {error}")))
}

/// Copies the complete lines of a `log.jsonl`, and behind them those of the log in `old`.
pub(super) fn copy_log(from: &Path, old: Option<&Path>, building: &Path) -> Result<u64, RebuildError> {
    let failed = |error| RebuildError::Failed(format!("{}: {error}", from.display()));
    let mut lines = Lines::of(from).map_err(failed)?;
    write_log(old, building, || match lines.next().map_err(failed)? {
        Next::Line(bytes) => Ok(Some(bytes.into())),
        Next::Rest(_) => Ok(None),
    })
}

/// Writes the entries of the source as a new log, and behind them those of the old log that go on where they end.
fn write_log(
    old: Option<&Path>,
    building: &Path,
    mut next: impl FnMut() -> Result<Option<Arc<[u8]>>, RebuildError>,
) -> Result<u64, RebuildError> {
    let path = journal::path_in(building);
    let failed = |error: std::io::Error| RebuildError::Failed(format!("{}: {error}", path.display()));
    let mut file = std::io::BufWriter::new(fs::File::create(&path).map_err(failed)?);
    let mut put = |bytes: &[u8]| file.write_all(bytes).and_then(|()| file.write_all(b"\n"));
    let (mut size, mut kept) = (0, 0);
    while let Some(entry) = next()? {
        put(&entry).map_err(failed)?;
        size += 1;
    }
    if let Some(Ok(mut old)) = old.map(Lines::open) {
        // Where the old log is damaged, its lines need not be counted right: an entry says its index itself.
        while let Ok(Next::Line(bytes)) = old.next() {
            if from_canonical::<Entry>(bytes).is_ok_and(|entry| entry.index == size + kept) {
                put(bytes).map_err(failed)?;
                kept += 1;
            }
        }
    }
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(kept)
}

/// How far the log went, as it was written down outside of it.
#[derive(Default)]
pub(super) struct Known {
    anchor: Option<Anchor>,
    note: Option<String>,
}

impl Known {
    fn of(directory: &Path) -> Result<Self, RebuildError> {
        let failed = |error: std::io::Error| RebuildError::Failed(format!("{}: {error}", directory.display()));
        let anchor = match anchor::read(directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            read => read.map_err(failed)?,
        };
        let note = own_file::read_text(&directory.join(CHECKPOINT)).map_err(failed)?;
        if anchor.is_none() && note.is_none() {
            let reason = "there is neither a valid anchor nor a checkpoint: nothing tells how far the log went";
            return Err(RebuildError::NotValid(reason.to_owned()));
        }
        Ok(Self { anchor, note })
    }

    /// Reads `log.jsonl` of `source` whole, makes a store of it in `building`, and compares.
    pub(super) fn read_back(
        &self,
        source: &Path,
        building: Option<&Path>,
        progress: &dyn Fn(u64),
    ) -> Result<Tip, RebuildError> {
        let damaged = |error: Unreadable| RebuildError::Failed(error.to_string());
        let store = building.map(Store::create).transpose().map_err(damaged)?;
        let store = store.map(|store| Log::new(store, Tip::default(), Tiles::default()));
        let signed = self.note.as_deref().and_then(|note| note.lines().nth(1)?.parse().ok());
        let wanted: Vec<u64> = self.anchor.as_ref().map(|anchor| anchor.size).into_iter().chain(signed).collect();
        let (mut state, mut frontier, mut roots) = (State::default(), Frontier::default(), HashMap::new());
        let failed = |error: std::io::Error| RebuildError::Failed(format!("log.jsonl: {error}"));
        let mut lines = Lines::open(source).map_err(failed)?;
        let mut part = Published::default();
        while let Next::Line(bytes) = lines.next().map_err(failed)? {
            let index = frontier.size();
            let bad = |error: String| RebuildError::NotValid(format!("entry {index}: {error}"));
            let entry = read_entry(bytes).map_err(|error| bad(error.to_string()))?;
            state.apply(&entry).map_err(|error| bad(error.to_string()))?;
            part.leaves.push(frontier.append(bytes));
            part.entries.push(bytes.into());
            part.bindings.extend(bindings_of(&entry));
            if wanted.contains(&frontier.size()) {
                roots.insert(frontier.size(), frontier.root());
            }
            if part.entries.len() == PART_ENTRIES {
                progress(lines.position());
                part.tip = Tip { size: frontier.size(), root: frontier.root(), bytes: lines.position() };
                put(store.as_ref(), std::mem::take(&mut part)).map_err(damaged)?;
            }
        }
        let tip = Tip { size: frontier.size(), root: frontier.root(), bytes: lines.position() };
        part.tip = tip;
        put(store.as_ref(), part).map_err(damaged)?;
        self.compare(&state, tip.size, &roots)?;
        Ok(tip)
    }

    fn compare(&self, state: &State, size: u64, roots: &HashMap<u64, Hash>) -> Result<(), RebuildError> {
        let other = |what: &str, known: u64| {
            RebuildError::NotValid(format!(
                "it holds {size} entries, and they do not come to what {what} of {known} entries says: rebuild from another copy"
            ))
        };
        if let Some(anchor) = &self.anchor
            && !roots.get(&anchor.size).is_some_and(|root| anchor.has_root(root))
        {
            return Err(other("the anchor", anchor.size));
        }
        let Some(note) = &self.note else { return Ok(()) };
        let no_key = || RebuildError::NotValid("there is no genesis with a log key".to_owned());
        let log_key = state.log_home.as_ref().and_then(|home| LogKey::parse(&home.log_key).ok()).ok_or_else(no_key)?;
        let checkpoint = Checkpoint::open(note, &log_key).map_err(|error| RebuildError::NotValid(error.to_string()))?;
        if roots.get(&checkpoint.size()) != Some(checkpoint.root()) {
            return Err(other("the checkpoint", checkpoint.size()));
        }
        Ok(())
    }
}

fn put(store: Option<&Log>, part: Published) -> Result<(), Unreadable> {
    let Some(store) = store else { return Ok(()) };
    store.publish(part);
    store.follow().map(|_| ())
}
