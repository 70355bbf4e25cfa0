//! `log.jsonl`: one canonical entry a line, appended and synced. The sync's return is the commit point.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// Below this much free space nothing is accepted, so that what was accepted can still be signed and recorded.
pub(super) const FREE_SPACE_FLOOR: u64 = 64 << 20;

/// The write-ahead file, open for appending. After an error it takes nothing more.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    length: u64,
    broken: bool,
}

impl Journal {
    /// Creates the file; it must not exist.
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        let path = path_in(directory);
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        Ok(Self { file: options.open(&path)?, path, length: 0, broken: false })
    }

    /// Opens the file to go on behind `length` bytes; what is behind them, an incomplete line, is cut.
    pub(super) fn open(directory: &Path, length: u64) -> io::Result<Self> {
        let path = path_in(directory);
        let flags = OFlags::NOFOLLOW.bits() as i32;
        let file = OpenOptions::new().append(true).custom_flags(flags).open(&path)?;
        if file.metadata()?.len() != length {
            file.set_len(length)?;
            file.sync_all()?;
        }
        Ok(Self { file, path, length, broken: false })
    }

    /// Bytes written and synced.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Appends complete lines and syncs. An error is final: what the disk holds is then unknown until the next start
    /// has read it back (a sync that failed once may report success later without having written anything).
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed: restart the appliance, which reads the log back"));
        }
        self.broken = true;
        self.file.write_all(lines)?;
        crate::testing_only::station("before-sync");
        self.file.sync_data()?;
        self.broken = false;
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Shows that the log could be written now: it is not broken, there is room, and a sync succeeds.
    pub(super) fn probe(&mut self) -> Result<(), String> {
        self.room(0)?;
        self.append(&[]).map_err(|error| error.to_string())
    }

    /// Refuses where less than the free-space floor would be left after `extra` bytes.
    pub(super) fn room(&self, extra: u64) -> Result<(), String> {
        let free = free_bytes(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))?;
        if free.saturating_sub(extra) >= FREE_SPACE_FLOOR {
            return Ok(());
        }
        Err(format!(
            "the disk of {} has {} MiB free and at least {} MiB are needed: free space; signing goes on by itself",
            self.path.display(),
            free >> 20,
            FREE_SPACE_FLOOR >> 20
        ))
    }
}

/// Free bytes, for this user, of the file system that holds `path`.
///
/// # Errors
/// The path cannot be examined.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail * stat.f_frsize)
}

/// Where the journal of a state directory is.
pub(super) fn path_in(directory: &Path) -> PathBuf {
    directory.join("log.jsonl")
}

/// Reads lines one after another, with where each ends.
#[derive(Debug)]
pub(super) struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
    position: u64,
}

/// What is next in the file.
pub(super) enum Next<'a> {
    /// A complete line, without its end.
    Line(&'a [u8]),
    /// The rest: bytes without a line end, possibly none.
    Rest(u64),
}

/// With its end.
pub(super) const LONGEST_LINE: u64 = 16 << 20;

impl Lines {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::NOFOLLOW.bits() as i32;
        let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path_in(directory))?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 20, file), line: Vec::new(), position: 0 })
    }

    /// End of the last complete line.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        let read = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)? as u64;
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            self.position += read;
            return Ok(Next::Line(&self.line));
        }
        if read == LONGEST_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is over 16 MiB"));
        }
        Ok(Next::Rest(read))
    }
}
