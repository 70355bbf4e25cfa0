//! The file a device's state is kept in, by one process at a time.
//!
//! A process may be killed at any moment: what is there then is the state before a change or after it. Nothing is synced,
//! so a power cut may take the newest changes or the whole file; that is no place for a key that guards anything.
//!
//! Changes are appended. Now and then the file is written anew beside and renamed, where that is allowed: a confined worker
//! may make no file in a directory that holds what is none of its business.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
};

use zeroize::Zeroizing;

use super::{BadState, State, text};
use crate::simulator::log::Log;

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
    lines: usize,
}

impl StateFile {
    /// Takes the file, and gives the state in it; none where it is not there yet.
    pub(in crate::simulator) fn take(path: &Path) -> Result<(Self, Option<State>), BadState> {
        let path = path.to_owned();
        let _lock = lock(&path)?;
        let state = match fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => {
                // A last line that is not whole is of a process that was killed before it answered.
                let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let whole = bytes.get(..whole).unwrap_or_default();
                text::read(whole).map(Some).map_err(|line| BadState::Text { path: path.clone(), line })?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(BadState::File { path, cause }),
        };
        Ok((Self { path, _lock, written: None }, state))
    }

    /// Writes what is new in this state. The file has mode 0600.
    pub(in crate::simulator) fn keep(&mut self, state: &State) -> Result<(), BadState> {
        let head = text::write_head(state);
        let written = self.written.take().filter(|written| written.lines < MOST_LINES);
        let kept = match written {
            Some(written) => written.go_on(&self.path, head, &state.log),
            None => replace(&self.path, &head, &state.log)
                .or_else(|cause| reopen(&self.path, &head, &state.log).map_err(|_| cause))
                .map(|file| Written { file, head, log: state.log.clone(), lines: 0 }),
        };
        self.written = Some(kept.map_err(|cause| BadState::File { path: self.path.clone(), cause })?);
        Ok(())
    }
}

impl Written {
    /// Appends what happened to the log, or else the whole state.
    fn go_on(mut self, path: &Path, head: Zeroizing<String>, log: &Log) -> io::Result<Self> {
        match log.since(&self.log) {
            Some(changes) if *head == *self.head => {
                if !changes.is_empty() {
                    self.file.write_all(text::write_changes(&changes).as_bytes())?;
                    self.lines += changes.taken.len() + 1;
                }
            }
            Some(_) | None => {
                refuse_moved(&self.file, path)?;
                append(&mut self.file, &head, log)?;
                self.lines += head.lines().count();
            }
        }
        self.log.clone_from(log);
        Ok(Self { head, ..self })
    }
}

/// A file that was moved away or deleted keeps nothing for the next process.
fn refuse_moved(file: &File, path: &Path) -> io::Result<()> {
    let (open, named) = (file.metadata()?, fs::metadata(path)?);
    if (open.dev(), open.ino()) == (named.dev(), named.ino()) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

fn append(file: &mut File, head: &str, log: &Log) -> io::Result<()> {
    file.write_all(head.as_bytes())?;
    file.write_all(text::write_log(log).as_bytes())
}

/// The whole file anew.
fn replace(path: &Path, head: &str, log: &Log) -> io::Result<File> {
    let beside = with_ending(path, ".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    append(&mut file, head, log)?;
    fs::rename(beside, path)?;
    Ok(file)
}

/// The file as it is, behind its last whole line.
fn reopen(path: &Path, head: &str, log: &Log) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let whole = u64::try_from(whole).unwrap_or(u64::MAX);
    file.set_len(whole)?;
    file.seek(SeekFrom::Start(whole))?;
    append(&mut file, head, log)?;
    Ok(file)
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
const MOST_LINES: usize = 1000;
