//! `audit export`: the log as static files for outsiders (C2SP tlog-tiles, <https://c2sp.org/tlog-tiles>).
//!
//! The log is read twice: whole, to know that what will be written is what the checkpoint was signed for, and again from
//! where the export ends. Needs no token and no store, and runs beside a serving appliance.

use std::path::Path;

use appliance_wire::{
    Checkpoint,
    tree::{Frontier, Hash},
};

use self::{layout::Bundle, out::Out};
use super::{
    journal::{Lines, Next},
    log_keys::log_keys,
    tiles::{TILE_WIDTH, Tiles},
};

pub(super) mod layout;
mod out;

/// Why there is no export. Whatever was there is as it was, but for whole tiles of the same log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ExportError {
    /// The log, the checkpoint or what is in the directory contradict each other.
    #[error("{0}")]
    NotValid(String),
    /// It cannot be read or written.
    #[error("{0}")]
    Failed(String),
}

/// What is to be exported, and where to.
#[derive(Clone, Copy)]
pub struct Export<'a> {
    /// The state directory.
    pub state: &'a Path,
    /// Where the tiles go: a new or empty directory, or an export of the same log.
    pub out: &'a Path,
    /// A checkpoint note whose tiles the reader has already; of no effect where `out` reaches further.
    pub since: Option<&'a str>,
    /// Told how far the reading is, in bytes of the log.
    pub progress: &'a dyn Fn(u64),
}

impl std::fmt::Debug for Export<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Export({} to {})", self.state.display(), self.out.display())
    }
}

/// What was exported.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Exported {
    /// The log's name.
    pub origin: String,
    /// Entries the checkpoint covers: all of them can be read now.
    pub entries: u64,
    /// Entries that were not there before.
    pub new_entries: u64,
    /// Root over them, hexadecimal.
    pub root: String,
    /// Files written.
    pub files: u64,
    /// Bundles written as `tile/long-entries`, for one of their entries has over 65,535 bytes.
    pub long_bundles: u64,
}

/// Exports the entries the newest checkpoint covers.
///
/// # Errors
/// [`ExportError`].
pub fn export(request: &Export<'_>) -> Result<Exported, ExportError> {
    let note = newest(request.state)?;
    let log_keys = log_keys(request.state, &note).map_err(|error| unreadable(request.state, &error))?;
    let checkpoint = Checkpoint::open_any(&note, &log_keys);
    let checkpoint = checkpoint.map_err(|error| ExportError::NotValid(format!("its newest checkpoint: {error}")))?;
    let before = out::existing(request.out, &log_keys)?;
    let since = request.since.map(|note| Checkpoint::open_any(note, &log_keys)).transpose();
    let since = since.map_err(|error| ExportError::NotValid(format!("--since: {error}")))?;
    for (older, what) in before.iter().map(|older| (older, "the export")).chain(since.iter().map(|s| (s, "--since"))) {
        if older.size() > checkpoint.size() {
            return Err(ExportError::NotValid(format!(
                "{what} reaches {} entries, the log's newest checkpoint {}: the log is an older copy, or was shortened",
                older.size(),
                checkpoint.size()
            )));
        }
    }
    let begin = before.as_ref().or(since.as_ref()).map_or(0, Checkpoint::size);
    let known: Vec<&Checkpoint> = [Some(&checkpoint), before.as_ref(), since.as_ref()].into_iter().flatten().collect();
    let start = prove(request, &known, begin)?;
    let mut exported = Exported {
        origin: log_keys.last().map_or_else(String::new, |key| key.origin().to_owned()),
        entries: checkpoint.size(),
        new_entries: checkpoint.size() - before.as_ref().map_or(begin, Checkpoint::size),
        root: hex::encode(checkpoint.root()),
        files: 0,
        long_bundles: 0,
    };
    if before.is_some_and(|before| before.note() == checkpoint.note()) {
        return Ok(exported);
    }
    let out = Out::create(request.out).map_err(|error| cannot_write(request.out, &error))?;
    let mut writer = Writer { out, bundle: Vec::new(), long_bundles: 0, entries: start.frontier.size() };
    writer.run(request, start, &checkpoint)?;
    writer.remove_partials(begin).map_err(|error| cannot_write(request.out, &error))?;
    exported.files = writer.out.files;
    exported.long_bundles = writer.long_bundles;
    Ok(exported)
}

/// Where the second reading begins: at the first entry of a bundle.
#[derive(Clone, Debug, Default)]
struct Start {
    frontier: Frontier,
    tiles: Tiles,
    position: u64,
}

/// Reads the log up to the newest checkpoint, and proves that it has the root of each.
fn prove(request: &Export<'_>, known: &[&Checkpoint], begin: u64) -> Result<Start, ExportError> {
    let size = known.iter().map(|checkpoint| checkpoint.size()).max().unwrap_or(0);
    let first = begin - begin % TILE_WIDTH as u64;
    let mut lines = Lines::open(request.state).map_err(|error| unreadable(request.state, &error))?;
    let (mut reached, mut start) = (Start::default(), None);
    loop {
        let at = reached.frontier.size();
        if at == first {
            start = Some(reached.clone());
        }
        let root = reached.frontier.root();
        if let Some(checkpoint) = known.iter().find(|known| known.size() == at && *known.root() != root) {
            return Err(ExportError::NotValid(format!(
                "a checkpoint of {} entries has another root than the log: one of them is of another history",
                checkpoint.size()
            )));
        }
        if at == size {
            return start.ok_or_else(|| ExportError::Failed("nothing to begin with".to_owned()));
        }
        reached.read(&mut lines, request)?;
        let full: Vec<_> = reached.tiles.fresh().map(|(place, _)| place).collect();
        reached.tiles.forget(&full);
        if at.is_multiple_of(1_000) {
            (request.progress)(reached.position);
        }
    }
}

impl Start {
    /// One entry further.
    fn read<'l>(&mut self, lines: &'l mut Lines, request: &Export<'_>) -> Result<&'l [u8], ExportError> {
        let index = self.frontier.size();
        let next = lines.next().map_err(|error| unreadable(request.state, &error))?;
        let Next::Line(bytes) = next else {
            return Err(ExportError::NotValid(format!(
                "a checkpoint of more entries was signed, but log.jsonl ends before entry {index}"
            )));
        };
        self.position += bytes.len() as u64 + 1;
        self.tiles.append(self.frontier.append(bytes));
        Ok(bytes)
    }
}

struct Writer {
    out: Out,
    bundle: Vec<Vec<u8>>,
    long_bundles: u64,
    /// Written so far, those of the bundle included.
    entries: u64,
}

impl Writer {
    fn run(&mut self, request: &Export<'_>, mut at: Start, checkpoint: &Checkpoint) -> Result<(), ExportError> {
        let failed = |error| cannot_write(request.out, &error);
        let mut lines = Lines::open(request.state).map_err(|error| unreadable(request.state, &error))?;
        lines.go_to(at.position).map_err(|error| unreadable(request.state, &error))?;
        while self.entries < checkpoint.size() {
            let entry = at.read(&mut lines, request)?.to_vec();
            self.bundle.push(entry);
            self.entries += 1;
            if self.bundle.len() == TILE_WIDTH {
                self.put_bundle().map_err(failed)?;
            }
            let full: Vec<_> = at.tiles.fresh().collect();
            for ((level, number), hashes) in &full {
                self.put_tile(*level, *number, hashes).map_err(failed)?;
            }
            at.tiles.forget(&full.iter().map(|(place, _)| *place).collect::<Vec<_>>());
            if self.entries.is_multiple_of(1_000) {
                (request.progress)(at.position);
            }
        }
        if !self.bundle.is_empty() {
            self.put_bundle().map_err(failed)?;
        }
        for ((level, number), hashes) in at.tiles.partials() {
            self.put_tile(level, number, hashes).map_err(failed)?;
        }
        if at.frontier.root() != *checkpoint.root() {
            let reason = "log.jsonl was changed while it was exported: the checkpoint was not written";
            return Err(ExportError::NotValid(reason.to_owned()));
        }
        self.out.finish(checkpoint.note()).map_err(failed)
    }

    fn put_bundle(&mut self) -> std::io::Result<()> {
        let (bundle, bytes) = Bundle::of(&self.bundle);
        let number = (self.entries - 1) / TILE_WIDTH as u64;
        self.long_bundles += u64::from(bundle == Bundle::LongEntries);
        self.out.put(&bundle.path(number, self.bundle.len()), &bytes)?;
        self.bundle.clear();
        Ok(())
    }

    fn put_tile(&mut self, level: u32, number: u64, hashes: &[Hash]) -> std::io::Result<()> {
        self.out.put(&layout::tile(level, number, hashes.len()), hashes.as_flattened())
    }

    /// A partial tile may be asked for until the full one is there, by whoever knows an older checkpoint.
    fn remove_partials(&self, begin: u64) -> std::io::Result<()> {
        let mut hashes = begin;
        for level in 0.. {
            let number = hashes / TILE_WIDTH as u64;
            let is_full = (self.entries >> (8 * level)) / TILE_WIDTH as u64 > number;
            if is_full {
                self.out.remove(&layout::partials(&layout::tile(level, number, TILE_WIDTH)))?;
            }
            if is_full && level == 0 {
                for bundle in [Bundle::Entries, Bundle::LongEntries] {
                    self.out.remove(&layout::partials(&bundle.path(number, TILE_WIDTH)))?;
                }
            }
            if number == 0 {
                break;
            }
            hashes = number;
        }
        Ok(())
    }
}

fn newest(state: &Path) -> Result<String, ExportError> {
    let path = state.join(layout::CHECKPOINT);
    std::fs::read_to_string(&path).map_err(|error| {
        let no_checkpoint = "an export ends at a signed checkpoint, and a serving appliance signs one";
        ExportError::Failed(format!("{}: {error}: {no_checkpoint}", path.display()))
    })
}

fn unreadable(state: &Path, error: &std::io::Error) -> ExportError {
    ExportError::Failed(format!("{}: {error}", state.join("log.jsonl").display()))
}

fn cannot_write(out: &Path, error: &std::io::Error) -> ExportError {
    ExportError::Failed(format!("writing to {}: {error}", out.display()))
}
