//! The start: anchor, journal and store must tell one story, or nothing is signed. Never an empty log for a lost one.

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use appliance_wire::tree::Frontier;

use super::{
    anchor::{self, Anchor, AnchorFile},
    archive::Archive,
    journal::{self, Journal, Lines, Next},
    log::{Log, Published, Tip},
    read_entry::{UnreadEntry, read_entry},
    scrub::Scrub,
    store::Store,
    tiles::Tiles,
    unreadable::Unreadable,
};
use crate::{
    own_file,
    state::{State, bindings_of},
    state_format::{self, FormatError},
};

mod base;

use self::base::Base;

/// Why the log is refused: where, what, and what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the audit log in {} is refused{}: {reason}. {advice}", .directory.display(), .index.map(|index| format!(" at entry {index}")).unwrap_or_default())]
pub struct LogError {
    /// The state directory.
    pub directory: PathBuf,
    /// The first entry that is bad, where one is.
    pub index: Option<u64>,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub advice: &'static str,
}

const RESTORE: &str = "Nothing will be signed. Copy the directory aside before anything else, see with `chancery audit \
                       verify` how far log.jsonl is good, and go on by docs/recover.md";
const CREATE: &str = "A log is created once, by `chancery policy install FILE --genesis`; if there was one before, \
                      bring the state directory back instead of creating a new one";
const WRITABLE: &str = "Nothing was changed. Mount its disk for writing, let this user write there, and start again";
const NEWER: &str = "Nothing was changed";
const FORMAT: &str = "Nothing was changed. Bring a copy of the file back; a state of format 1 needs none, and each newer one \
                      also says its format in its log";
const OTHER: &str = "Stop the other process, or give this one a state directory of its own";

/// The log, read and proven whole; of a long one the end, and the rest is [scrubbed](Scrub) while it is served. What is
/// found is not changed before something is appended: whoever holds it against its mirror, its checkpoint or the token's
/// anchor may yet refuse it.
#[derive(Debug)]
pub struct Opened {
    directory: PathBuf,
    pub(super) log: Arc<Log>,
    pub(super) state: State,
    pub(super) frontier: Frontier,
    pub(super) journal: Journal,
    pub(super) anchor: AnchorFile,
    pub(super) cut_bytes: Option<u64>,
    pub(super) scrub: Scrub,
    /// Held while this process writes the log.
    pub(super) lock: File,
}

impl Opened {
    /// What the log says.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The durable log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// From now on the directory has this program's format. Call it when nothing can refuse it any more.
    pub(super) fn raise_format(&self) -> Result<(), Unreadable> {
        state_format::raise(&self.directory).map_err(|error| Unreadable::new(error.to_string()))
    }

    /// Closes all of it, and goes on holding the directory.
    pub(super) fn into_lock(self) -> File {
        self.lock
    }
}

struct Scan<'a, I> {
    directory: &'a Path,
    anchor: Anchor,
    store: &'a Store,
    /// Where the first line to be read begins.
    position: u64,
    /// Entries of the store, in step with the lines of the journal from the first on that is not archived.
    entries: I,
    stored: u64,
    state: State,
    frontier: Frontier,
    tiles: Tiles,
    tail: Published,
}

/// Logs up to this size are read whole before anything is served: that is the stronger check, and so many entries of
/// 800 bytes are read, compared and hashed in under 100 ms.
const READ_WHOLE: u64 = 20_000;

/// Opens the log of a state directory. Of a long one the end is read, from the snapshot on.
///
/// # Errors
/// [`LogError`]: missing, in use, damaged, shorter than its anchor, or copies that do not agree.
pub fn open(directory: &Path, archive: Archive) -> Result<Opened, LogError> {
    open_reading(directory, archive, READ_WHOLE)
}

/// As [`open`], reading all of it, however long it is.
///
/// # Errors
/// The same.
pub(super) fn open_whole(directory: &Path, archive: Archive) -> Result<Opened, LogError> {
    open_reading(directory, archive, u64::MAX)
}

fn open_reading(directory: &Path, archive: Archive, read_whole: u64) -> Result<Opened, LogError> {
    let refuse = |reason: String| refused(directory, None, reason, RESTORE);
    let lock = lock(directory)?;
    let anchor = read_anchor(directory)?;
    let store = Store::open(directory, archive).map_err(|error| refuse(error.to_string()))?;
    let stored = store.size().map_err(|error| refuse(error.to_string()))?;
    if stored < anchor.size {
        return Err(refuse(format!("the store holds {stored} entries, the anchor says {}", anchor.size)));
    }
    let base = Base::of(&store, &anchor, stored, read_whole).map_err(|error| refuse(error.to_string()))?;
    let entries = store.entries_from(base.frontier.size()).map_err(|error| refuse(error.to_string()))?;
    let Base { state, frontier, tiles, position, snapshot } = base;
    let tail = Published::default();
    let mut scan = Scan { directory, anchor, store: &store, position, entries, stored, state, frontier, tiles, tail };
    let (bytes, cut) = scan.run()?;
    Journal::settle(directory, scan.anchor.bytes, bytes)
        .map_err(|error| refuse(format!("writing the end of log.jsonl again: {error}")))?;
    let Scan { anchor, mut state, frontier, tiles, mut tail, .. } = scan;
    tail.tip = Tip { size: frontier.size(), root: frontier.root(), bytes };
    let log = Log::new(store, Tip { size: stored, ..Tip::default() }, tiles);
    log.publish(tail);
    if state.uncounted {
        state.recount(&log).map_err(|error| refuse(error.to_string()))?;
    }
    let journal = Journal::open(directory, bytes).map_err(|error| refuse(format!("opening log.jsonl: {error}")))?;
    let anchor =
        AnchorFile::open(directory, &anchor).map_err(|error| refuse(format!("opening the anchor: {error}")))?;
    let (log, cut_bytes) = (Arc::new(log), (cut > 0).then_some(cut));
    let scrub = Scrub::new(directory, Arc::clone(&log), stored, snapshot);
    let directory = directory.to_owned();
    Ok(Opened { directory, log, state, frontier, journal, anchor, cut_bytes, scrub, lock })
}

/// Takes the directory for this process.
pub(super) fn lock(directory: &Path) -> Result<File, LogError> {
    if !journal::path_in(directory).exists() && !directory.join("anchor").exists() && !directory.join("store").exists()
    {
        return Err(refused(directory, None, "there is none".to_owned(), CREATE));
    }
    take_lock(directory)
}

/// Takes the directory, whatever is in it, but for what a newer program left.
pub(super) fn take_lock(directory: &Path) -> Result<File, LogError> {
    check_format(directory)?;
    let path = directory.join("lock");
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = own_file::open(&path, &mut options)
        .map_err(|error| refused(directory, None, format!("{}: {error}", path.display()), WRITABLE))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| refused(directory, None, "another process has it open".to_owned(), OTHER))?;
    Ok(file)
}

fn check_format(directory: &Path) -> Result<(), LogError> {
    state_format::check_state(directory).map_err(|error| {
        let advice = match &error {
            FormatError::Newer(_) => NEWER,
            FormatError::Damaged(_) | FormatError::Unusable { .. } => FORMAT,
        };
        refused(directory, None, error.to_string(), advice)
    })
}

fn read_anchor(directory: &Path) -> Result<Anchor, LogError> {
    match anchor::read(directory) {
        Ok(Some(anchor)) => Ok(anchor),
        Ok(None) => Err(refused(directory, None, "neither slot of its anchor is valid".to_owned(), RESTORE)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(refused(directory, None, "its anchor is missing beside log or store".to_owned(), RESTORE))
        }
        Err(error) => Err(refused(directory, None, format!("reading its anchor: {error}"), RESTORE)),
    }
}

impl<I: Iterator<Item = Result<Arc<[u8]>, Unreadable>>> Scan<'_, I> {
    /// Reads the journal to its end. Returns where its last complete line ends, and how many bytes are behind it.
    fn run(&mut self) -> Result<(u64, u64), LogError> {
        let mut lines =
            Lines::open(self.directory).map_err(|error| self.refuse(None, format!("opening log.jsonl: {error}")))?;
        let begin = self.frontier.size();
        lines.go_to_line(self.position).map_err(|error| {
            self.refuse(Some(begin), format!("log.jsonl has no line that begins at byte {}: {error}", self.position))
        })?;
        if begin > 0 && begin == self.anchor.size {
            self.check_anchor(begin - 1, self.position)?;
        }
        let cut = loop {
            let before = lines.position();
            match lines.next() {
                Ok(Next::Line(bytes)) => {
                    let end = before + bytes.len() as u64 + 1;
                    let bytes: Arc<[u8]> = bytes.into();
                    self.line(&bytes, end)?;
                }
                Ok(Next::Rest(bytes)) => break bytes,
                Err(error) => {
                    return Err(self.refuse(Some(self.frontier.size()), format!("reading log.jsonl: {error}")));
                }
            }
        };
        let reached = self.frontier.size();
        let needed = self.stored.max(self.anchor.size);
        if reached < needed {
            let reason = format!("log.jsonl ends after {reached} entries, anchor and store say {needed}");
            return Err(self.refuse(Some(reached), reason));
        }
        Ok((lines.position(), cut))
    }

    fn line(&mut self, bytes: &Arc<[u8]>, end: u64) -> Result<(), LogError> {
        let index = self.frontier.size();
        let leaf = self.frontier.append(bytes);
        if index < self.stored {
            // What is archived is held against the tree whenever it is read, and the line by the anchor's root.
            if index >= self.store.archived() {
                self.compare(index, bytes)?;
            }
            self.tiles.append(leaf);
            // They need not be kept here.
            let checked = self.tiles.check(|level, number| self.store.tile(level, number));
            checked.map_err(|reason| self.refuse(Some(index), reason))?;
        }
        if index >= self.state.size.min(self.stored) {
            self.replay(index, bytes, leaf)?;
        }
        if index + 1 == self.anchor.size { self.check_anchor(index, end) } else { Ok(()) }
    }

    fn compare(&mut self, index: u64, bytes: &Arc<[u8]>) -> Result<(), LogError> {
        let stored = self.entries.next().transpose();
        let stored = stored.map_err(|error| self.refuse(Some(index), error.to_string()))?;
        if stored.as_ref() == Some(bytes) {
            return Ok(());
        }
        Err(self.refuse(Some(index), "log.jsonl and store do not agree".to_owned()))
    }

    /// What was read up to the entry with this index, which ends there, must be what the anchor was written for.
    fn check_anchor(&self, index: u64, end: u64) -> Result<(), LogError> {
        if self.anchor.has_root(&self.frontier.root()) && self.anchor.bytes == end {
            return Ok(());
        }
        let reason = "the entries up to here are not those the anchor was written for".to_owned();
        Err(self.refuse(Some(index), reason))
    }

    /// Entries the snapshot does not know, and those the store does not hold.
    fn replay(&mut self, index: u64, bytes: &Arc<[u8]>, leaf: [u8; 32]) -> Result<(), LogError> {
        let entry = read_entry(bytes).map_err(|error| {
            let advice = if matches!(error, UnreadEntry::Newer { .. }) { NEWER } else { RESTORE };
            refused(self.directory, Some(index), error.to_string(), advice)
        })?;
        if index >= self.state.size {
            self.state.apply(&entry).map_err(|error| self.refuse(Some(index), error.to_string()))?;
        }
        if index >= self.stored {
            self.tail.bindings.extend(bindings_of(&entry));
            self.tail.entries.push(Arc::clone(bytes));
            self.tail.leaves.push(leaf);
        }
        Ok(())
    }

    fn refuse(&self, index: Option<u64>, reason: String) -> LogError {
        refused(self.directory, index, reason, RESTORE)
    }
}

fn refused(directory: &Path, index: Option<u64>, reason: String, advice: &'static str) -> LogError {
    LogError { directory: directory.to_owned(), index, reason, advice }
}
