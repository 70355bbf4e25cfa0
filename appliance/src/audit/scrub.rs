//! The scrub: while the appliance serves, the whole log is read again as a start reads a short one, slowly, by a thread
//! that gives way to all others. What it finds ends signing. Decides nothing itself.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use appliance_wire::{Entry, tree::Frontier};

use super::{
    journal::{Lines, Next},
    log::Log,
    read_entry::read_entry,
    tiles::Tiles,
    unreadable::Unreadable,
};
use crate::state::{Bindings, bindings_of};

mod snapshot;

use self::snapshot::Replay;
pub(super) use self::snapshot::Snapshot;

/// How far the scrub is.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ScrubStatus {
    /// Entries found whole since the start.
    pub checked: u64,
    /// Entries the store held at the start. Those after them were read by the start, or made by this process.
    pub of: u64,
    /// What is not as it must be: nothing is signed any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
}

/// The log as it was opened, to be checked once more.
#[derive(Debug)]
pub(super) struct Scrub {
    directory: PathBuf,
    log: Arc<Log>,
    /// Entries the store held when it was opened.
    stored: u64,
    snapshot: Option<Snapshot>,
    progress: Arc<Progress>,
}

/// Shared with whoever asks.
#[derive(Debug, Default)]
pub(super) struct Progress {
    checked: AtomicU64,
    of: u64,
    finding: OnceLock<String>,
    stopping: AtomicBool,
}

/// Entries between two looks at the clock.
const STEP: u64 = 256;
/// A step takes at least so long: at most 20,000 entries a second, 5,000,000 in about four minutes. It is idle half of
/// the time on one core, and the disk has time for the log.
const STEP_TAKES: Duration = Duration::from_micros(12_800);
/// Gives way to whoever else wants the processor, but for a tenth of it: a machine that is always busy must not put the
/// end off for ever.
const NICENESS: i32 = 10;
const ADVICE: &str = "Nothing more is signed. Stop the appliance and copy the state directory aside before anything else; \
                      `chancery audit verify` says whether log.jsonl is good, and docs/recover.md how to go on";

impl Progress {
    pub(super) fn status(&self) -> ScrubStatus {
        let finding = self.finding.get().cloned();
        ScrubStatus { checked: self.checked.load(Ordering::Relaxed), of: self.of, finding }
    }

    /// Ends the thread soon.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

impl Scrub {
    /// `snapshot` is what the start relied on.
    pub(super) fn new(directory: &Path, log: Arc<Log>, stored: u64, snapshot: Option<Snapshot>) -> Self {
        let progress = Arc::new(Progress { of: stored, ..Progress::default() });
        Self { directory: directory.to_owned(), log, stored, snapshot, progress }
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Begins. `failed` is told what was found, at most once.
    pub(super) fn start(self, failed: impl FnOnce(String) + Send + 'static) -> std::io::Result<()> {
        thread::Builder::new().name("audit-scrub".to_owned()).spawn(move || self.run(failed)).map(|_| ())
    }

    fn run(self, failed: impl FnOnce(String)) {
        // On Linux this is about the thread that asks.
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "the scrub runs at the priority of the rest");
        }
        let progress = self.progress();
        match self.check() {
            Ok(true) => tracing::info!(entries = progress.of, "the audit log was checked from its first entry on"),
            Ok(false) => {}
            Err(Found { index, reason }) => {
                let finding = format!("the audit log is not whole at entry {index}: {reason}. {ADVICE}");
                tracing::error!(finding, "the audit log is not whole");
                let _ = progress.finding.set(finding.clone());
                failed(finding);
            }
        }
    }

    /// Whether everything is as it must be; false where it was told to stop.
    fn check(self) -> Result<bool, Found> {
        let at_first = |reason: String| Found { index: 0, reason };
        let lines = Lines::open(&self.directory).map_err(|error| at_first(format!("opening log.jsonl: {error}")))?;
        let archived = self.log.store().archived();
        let mut entries = self.log.store().entries();
        let replay = self.snapshot.map(Replay::of);
        let mut reading =
            Reading { log: &self.log, lines, frontier: Frontier::default(), tiles: Tiles::default(), replay };
        let mut begun = Instant::now();
        for index in 0..self.stored {
            // The archive may be away; what is read from it is held against the tree then.
            let stored = if index < archived { None } else { Some(next(&mut entries)) };
            let checked = stored.transpose().and_then(|stored| reading.entry(stored));
            checked.map_err(|reason| Found { index, reason })?;
            self.progress.checked.store(index + 1, Ordering::Relaxed);
            if (index + 1).is_multiple_of(STEP) {
                if self.progress.stopping.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                thread::sleep(STEP_TAKES.saturating_sub(begun.elapsed()));
                begun = Instant::now();
            }
        }
        let (index, root) = (reading.frontier.size(), reading.frontier.root());
        if self.log.root(index).is_ok_and(|begun_with| begun_with == Some(root)) {
            return Ok(true);
        }
        Err(Found { index, reason: "the entries before it are not those the start began with".to_owned() })
    }
}

fn next(entries: &mut impl Iterator<Item = Result<Arc<[u8]>, Unreadable>>) -> Result<Arc<[u8]>, String> {
    let entry = entries.next().ok_or("the store ends before it")?;
    entry.map_err(|error| error.to_string())
}

struct Found {
    index: u64,
    reason: String,
}

struct Reading<'a> {
    log: &'a Log,
    lines: Lines,
    frontier: Frontier,
    tiles: Tiles,
    replay: Option<Replay>,
}

impl Reading<'_> {
    /// The next line, which must be what the store has, where it has it.
    fn entry(&mut self, stored: Option<Arc<[u8]>>) -> Result<(), String> {
        let line = match self.lines.next().map_err(|error| format!("reading log.jsonl: {error}"))? {
            Next::Line(line) if stored.is_none_or(|stored| *line == *stored) => line,
            Next::Line(_) => return Err("log.jsonl and store do not agree".to_owned()),
            Next::Rest(_) => return Err("log.jsonl ends before it".to_owned()),
        };
        self.tiles.append(self.frontier.append(line));
        let entry = read_entry(line).map_err(|error| error.to_string())?;
        self.tiles.check(|level, number| self.log.store().tile(level, number))?;
        self.check_bindings(&entry)?;
        match &mut self.replay {
            Some(replay) => replay.entry(&entry),
            None => Ok(()),
        }
    }

    /// What the entry bound must be bound still: without it, a request that was signed would be new.
    fn check_bindings(&self, entry: &Entry) -> Result<(), String> {
        for (key, binding) in bindings_of(entry) {
            let found = self.log.binding(&key).map_err(|error| error.to_string())?;
            if !found.is_some_and(|found| found.may_follow(&binding)) {
                return Err("what it bound is missing from the store, or is bound otherwise there".to_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
