//! The file a device's state is kept in, by one process at a time.
//!
//! A process may be killed at any moment: what is there then is the state before a change or after it. Nothing is synced,
//! so a power cut may take the newest changes or the whole file; that is no place for a key that guards anything.
//!
//! A device that audits changes its log at every command, so entries are appended; any other change replaces the file.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process,
};

use zeroize::Zeroizing;

use super::{BadState, State, text};
use crate::{simulator::log::Log, yubihsm2::protocol::LogEntry};

/// A file that this process alone has open.
pub(in crate::simulator) struct StateFile {
    path: PathBuf,
    /// Beside the file, which is another after every change. The system lets go of it with the process, however that
    /// ends.
    _lock: File,
    /// None until it was written by this process, and after a failure.
    written: Option<Written>,
}

/// What is in the file now.
struct Written {
    file: File,
    head: Zeroizing<String>,
    log: Log,
    appended: usize,
}

impl StateFile {
    /// Takes the file, and gives the state in it; none where it is not there yet.
    pub(in crate::simulator) fn take(path: &Path) -> Result<(Self, Option<State>), BadState> {
        let path = path.to_owned();
        let _lock = lock(&path)?;
        let state = match fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => text::read(&bytes).map(Some).map_err(|line| BadState::Text { path: path.clone(), line })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(BadState::File { path, cause }),
        };
        Ok((Self { path, _lock, written: None }, state))
    }

    /// Writes what is new in this state. The file has mode 0600.
    pub(in crate::simulator) fn keep(&mut self, state: &State) -> Result<(), BadState> {
        let head = text::write_head(state);
        let written = self.written.take().filter(|written| *written.head == *head && written.appended < MOST_APPENDED);
        let going_on = written.and_then(|written| Some((state.log.since(&written.log)?, written)));
        let kept = match going_on {
            Some((entries, written)) => written.append(&entries),
            None => replace(&self.path, head, &state.log),
        };
        self.written = Some(kept.map_err(|cause| BadState::File { path: self.path.clone(), cause })?);
        Ok(())
    }
}

impl Written {
    fn append(mut self, entries: &[LogEntry]) -> io::Result<Self> {
        if !entries.is_empty() {
            self.file.write_all(text::write_entries(entries).as_bytes())?;
            entries.iter().for_each(|entry| self.log.take(*entry));
            self.appended += entries.len();
        }
        Ok(self)
    }
}

fn replace(path: &Path, head: Zeroizing<String>, log: &Log) -> io::Result<Written> {
    let beside = with_ending(path, ".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(head.as_bytes())?;
    file.write_all(text::write_log(log).as_bytes())?;
    fs::rename(beside, path)?;
    Ok(Written { file, head, log: log.clone(), appended: 0 })
}

fn lock(path: &Path) -> Result<File, BadState> {
    let failed = |cause| BadState::File { path: path.to_owned(), cause };
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut lock = options.open(with_ending(path, ".lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Whoever holds it may not have written yet who it is.
            let _ = lock.read_to_string(&mut holder);
            let holder = holder.trim().parse::<u32>().ok();
            return Err(BadState::InUse { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(cause)) => return Err(failed(cause)),
    }
    lock.set_len(0).and_then(|()| writeln!(lock, "{}", process::id())).map_err(failed)?;
    Ok(lock)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Behind so many the file is written anew, lest it grow for ever.
const MOST_APPENDED: usize = 1000;
