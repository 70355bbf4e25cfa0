//! The mirror: a second copy of `log.jsonl`, on another disk. It follows the log in a thread of its own, so that a disk
//! that fails or hangs costs the mirror and never a signature; what it missed it takes from the log later.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{journal, log::Log};
use crate::own_file;

/// Why the mirror is not written.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// It holds what the log does not: one of them is of another history, or the log was shortened.
    #[error(
        "the mirror {} {what}. If the log was put back to an older copy, bring the newer one back with `chancery audit \
         rebuild --from mirror`; otherwise move the mirror aside, and a new one is made", path.display()
    )]
    Contradicts {
        /// The file.
        path: PathBuf,
        /// In what.
        what: &'static str,
    },
    /// It cannot be read or written.
    #[error("the mirror {}: {source}", path.display())]
    Unusable {
        /// File or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How the mirror is.
#[derive(Clone, Debug, serde::Serialize)]
pub struct MirrorStatus {
    /// Where.
    pub directory: PathBuf,
    /// Whether what is committed is there, or will be in a moment.
    pub up: bool,
    /// Bytes of the log it does not hold yet.
    pub behind_bytes: u64,
    /// Why it is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The thread that writes it.
#[derive(Debug)]
pub struct Mirror {
    shared: Arc<Shared>,
    ended: Mutex<Receiver<()>>,
}

#[derive(Debug)]
struct Shared {
    log: Arc<Log>,
    state: PathBuf,
    directory: PathBuf,
    stopping: AtomicBool,
    /// Bytes it holds, and why it holds no more.
    held: Mutex<(u64, Option<String>)>,
}

const CHECKED_WITHIN: Duration = Duration::from_secs(10);
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
const TRIED_EVERY: Duration = Duration::from_secs(10);
const WOKEN_EVERY: Duration = Duration::from_millis(50);
const COMPARED_BYTES: u64 = 64 << 10;
const COPIED_AT_ONCE: u64 = 1 << 20;

/// Whether the mirror in `directory` and the first `bytes` of the log in `state` are of one history. A mirror that cannot
/// be read now does not contradict it.
///
/// # Errors
/// [`MirrorError::Contradicts`].
pub fn check_mirror(state: &Path, directory: &Path, bytes: u64) -> Result<(), MirrorError> {
    let (sender, receiver) = channel();
    let (state, directory) = (state.to_owned(), directory.to_owned());
    thread::spawn(move || sender.send(Copy::compare(&state, &directory, bytes)));
    match receiver.recv_timeout(CHECKED_WITHIN) {
        Ok(Err(error @ MirrorError::Contradicts { .. })) => Err(error),
        _ => Ok(()),
    }
}

impl Mirror {
    /// Begins to follow the log.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(log: Arc<Log>, state: &Path, directory: &Path) -> io::Result<Self> {
        let (state, directory) = (state.to_owned(), directory.to_owned());
        let (stopping, held) = (AtomicBool::new(false), Mutex::new((0, None)));
        let shared = Arc::new(Shared { log, state, directory, stopping, held });
        let (ending, ended) = channel();
        let followed = Arc::clone(&shared);
        thread::Builder::new().name("audit-mirror".to_owned()).spawn(move || {
            followed.follow();
            drop(ending);
        })?;
        Ok(Self { shared, ended: Mutex::new(ended) })
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> MirrorStatus {
        let (held, reason) = self.shared.held().clone();
        let behind_bytes = self.shared.log.tip().bytes.saturating_sub(held);
        MirrorStatus { directory: self.shared.directory.clone(), up: reason.is_none(), behind_bytes, reason }
    }

    /// Ends it once it holds the whole log, or cannot; not later than in a few seconds.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(STOPPED_WITHIN) == Err(RecvTimeoutError::Timeout) {
            tracing::error!(directory = %self.shared.directory.display(), "the mirror's disk hangs: the mirror is behind");
        }
    }
}

impl Shared {
    fn held(&self) -> std::sync::MutexGuard<'_, (u64, Option<String>)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self) {
        let mut copy = None;
        let mut tried: Option<Instant> = None;
        loop {
            let stopping = self.stopping.load(Ordering::Relaxed);
            let tip = self.log.wait_beyond(copy.as_ref().map_or(0, |copy: &Copy| copy.length), WOKEN_EVERY);
            if copy.is_none() && !stopping && tried.is_some_and(|tried| tried.elapsed() < TRIED_EVERY) {
                thread::sleep(WOKEN_EVERY);
                continue;
            }
            match self.bring(&mut copy, tip.bytes) {
                Ok(()) => self.tell(tip.bytes, None),
                Err(error) => {
                    copy = None;
                    tried = Some(Instant::now());
                    let held = self.held().0;
                    self.tell(held, Some(error.to_string()));
                }
            }
            if stopping {
                return;
            }
        }
    }

    fn bring(&self, copy: &mut Option<Copy>, bytes: u64) -> Result<(), MirrorError> {
        let copy = match copy {
            Some(copy) => copy,
            None => copy.insert(Copy::open(&self.state, &self.directory, bytes)?),
        };
        copy.bring_to(bytes)
    }

    /// Loud when it changes, and only then.
    fn tell(&self, held: u64, reason: Option<String>) {
        let mut now = self.held();
        match (&now.1, &reason) {
            (before, Some(reason)) if before.as_ref() != Some(reason) => {
                tracing::error!(reason, "the mirror is not written: signing goes on with one copy of the log");
            }
            (Some(_), None) => tracing::info!("the mirror holds the whole log again"),
            _ => {}
        }
        *now = (held, reason);
    }
}

/// The file, and the log it is a copy of.
#[derive(Debug)]
struct Copy {
    log: File,
    file: File,
    path: PathBuf,
    length: u64,
}

impl Copy {
    /// Opens the mirror of a log of `bytes`, or begins one. Only an incomplete last line is cut.
    fn open(state: &Path, directory: &Path, bytes: u64) -> Result<Self, MirrorError> {
        let path = journal::path_in(directory);
        let unusable = |source| MirrorError::Unusable { path: path.clone(), source };
        let copy = match Self::compare(state, directory, bytes)? {
            Some(copy) => copy,
            None => {
                let file = options().create_new(true).open(&path).map_err(unusable)?;
                File::open(directory).and_then(|directory| directory.sync_all()).map_err(unusable)?;
                let log = own_file::open(&journal::path_in(state), OpenOptions::new().read(true)).map_err(unusable)?;
                Self { log, file, path: path.clone(), length: 0 }
            }
        };
        let (written, source) = (copy.file.metadata().map_err(unusable)?, copy.log.metadata().map_err(unusable)?);
        if written.dev() == source.dev() {
            tracing::warn!(path = %path.display(), "the mirror is on the same disk as the log: it outlives no disk");
        }
        if copy.length < written.len() {
            copy.file.set_len(copy.length).map_err(unusable)?;
        }
        Ok(copy)
    }

    /// Holds the mirror, where there is one, against a log of `bytes`. Changes nothing: the log may yet be refused.
    fn compare(state: &Path, directory: &Path, bytes: u64) -> Result<Option<Self>, MirrorError> {
        let path = journal::path_in(directory);
        let unusable = |source| MirrorError::Unusable { path: path.clone(), source };
        // Never made: below a mount point without its disk it would be on the first one.
        if !directory.is_dir() {
            let source = io::Error::new(ErrorKind::NotFound, "its directory is not there: is the disk mounted?");
            return Err(MirrorError::Unusable { path: directory.to_owned(), source });
        }
        let file = match own_file::open(&path, &mut options()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(unusable)?,
        };
        let log = own_file::open(&journal::path_in(state), OpenOptions::new().read(true)).map_err(unusable)?;
        let written = file.metadata().map_err(unusable)?.len();
        let length = end_of_last_line(&file, written).map_err(unusable)?;
        if length > bytes {
            return Err(MirrorError::Contradicts { path, what: "goes on behind the end of the log" });
        }
        if !same_end(&log, &file, length).map_err(unusable)? {
            return Err(MirrorError::Contradicts { path, what: "holds other entries than the log" });
        }
        Ok(Some(Self { log, file, path, length }))
    }

    /// Copies what is new of a log that is durable up to `bytes`, and syncs it.
    fn bring_to(&mut self, bytes: u64) -> Result<(), MirrorError> {
        let mut copy = || -> io::Result<()> {
            let (mut at, mut part) = (self.length, Vec::new());
            while at < bytes {
                part.resize((bytes - at).min(COPIED_AT_ONCE) as usize, 0);
                self.log.read_exact_at(&mut part, at)?;
                self.file.write_all_at(&part, at)?;
                at += part.len() as u64;
            }
            if at > self.length {
                self.file.sync_data()?;
            }
            self.length = at;
            // A file that was removed can be written for ever, and is in no directory.
            fs::symlink_metadata(&self.path).map(|_| ())
        };
        copy().map_err(|source| MirrorError::Unusable { path: self.path.clone(), source })
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn end_of_last_line(file: &File, length: u64) -> io::Result<u64> {
    let (mut end, mut part) = (length, Vec::new());
    while end > 0 {
        let start = end.saturating_sub(COMPARED_BYTES);
        part.resize((end - start) as usize, 0);
        file.read_exact_at(&mut part, start)?;
        if let Some(place) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Entries are salted and numbered: whose last ones are equal are copies of each other.
fn same_end(log: &File, file: &File, length: u64) -> io::Result<bool> {
    let start = length.saturating_sub(COMPARED_BYTES);
    let (mut ours, mut theirs) = (vec![0; (length - start) as usize], vec![0; (length - start) as usize]);
    log.read_exact_at(&mut ours, start)?;
    file.read_exact_at(&mut theirs, start)?;
    Ok(ours == theirs)
}
