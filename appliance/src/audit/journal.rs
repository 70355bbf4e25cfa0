//! `log.jsonl`: one canonical entry a line, appended and synced. The sync's return is the commit point.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::own_file;

/// Below this much free space nothing is accepted, so that what was accepted can still be signed and recorded.
pub(super) const FREE_SPACE_FLOOR: u64 = 64 << 20;

const SETTLED_AT_ONCE: u64 = 1 << 20;

/// The write-ahead file, open for appending. After an error it takes nothing more.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    length: u64,
    /// Whether an incomplete line is behind what is known.
    to_be_cut: bool,
    broken: bool,
}

impl Journal {
    /// Creates the file; it must not exist.
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        let path = path_in(directory);
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        Ok(Self { file: options.open(&path)?, path, length: 0, to_be_cut: false, broken: false })
    }

    /// Opens the file to go on behind `length` bytes; what is behind them, an incomplete line, is cut with the first entry
    /// that is appended, which tells of it.
    pub(super) fn open(directory: &Path, length: u64) -> io::Result<Self> {
        let path = path_in(directory);
        let file = own_file::open(&path, OpenOptions::new().append(true))?;
        let to_be_cut = file.metadata()?.len() != length;
        Ok(Self { file, path, length, to_be_cut, broken: false })
    }

    /// Writes what is between two positions once more, and syncs it. What can be read need not be on the disk: a kill
    /// may have come before its sync, or the sync failed, and then no later one writes what the kernel takes for
    /// written. Call it before store or anchor name what is there.
    pub(super) fn settle(directory: &Path, from: u64, to: u64) -> io::Result<()> {
        let file = own_file::open(&path_in(directory), OpenOptions::new().read(true).write(true))?;
        let mut position = from;
        while position < to {
            let mut chunk = vec![0; (to - position).min(SETTLED_AT_ONCE) as usize];
            file.read_exact_at(&mut chunk, position)?;
            file.write_all_at(&chunk, position)?;
            position += chunk.len() as u64;
        }
        file.sync_data()
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
        if self.to_be_cut {
            self.file.set_len(self.length)?;
            // A power cut must not leave a part of the new line before the rest of the old one.
            self.file.sync_all()?;
            self.to_be_cut = false;
        }
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
        check_room(&self.path, extra)
    }
}

/// Refuses where the disk of `path` would have less than the free-space floor left after `extra` bytes.
///
/// # Errors
/// How much it has and needs.
pub fn check_room(path: &Path, extra: u64) -> Result<(), String> {
    let free = free_bytes(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if free.saturating_sub(extra) >= FREE_SPACE_FLOOR {
        return Ok(());
    }
    Err(format!(
        "the disk of {} has {} MiB free and at least {} MiB are needed: free space; signing goes on by itself",
        path.display(),
        free >> 20,
        FREE_SPACE_FLOOR >> 20
    ))
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
pub(crate) struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
    position: u64,
}

/// What is next in the file.
pub(crate) enum Next<'a> {
    /// A complete line, without its end.
    Line(&'a [u8]),
    /// The rest, possibly none: bytes without a line end, or from the first line with a zero byte on. No entry has
    /// one: a disk that lost its power within a write may have later pages of it, and zeros for the earlier ones.
    Rest(u64),
}

/// With its end.
pub(super) const LONGEST_LINE: u64 = 16 << 20;
const READ_BACK_BYTES: u64 = 64 << 10;

impl Lines {
    /// From the first line on.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        Self::of(&path_in(directory))
    }

    /// Of a copy of the log, wherever it is.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = own_file::open(path, OpenOptions::new().read(true))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 20, file), line: Vec::new(), position: 0 })
    }

    /// From the last `count` complete lines on; what is before them is not read.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub(crate) fn open_last(directory: &Path, count: usize) -> io::Result<Self> {
        let mut lines = Self::open(directory)?;
        let file = lines.reader.get_ref();
        // The end of the last complete line is not the one that begins the last line wanted.
        let mut ends_wanted = count.saturating_add(1);
        let mut chunk = Vec::new();
        let mut start = file.metadata()?.len();
        while start > 0 {
            let end = start;
            start = end.saturating_sub(READ_BACK_BYTES);
            chunk.resize((end - start) as usize, 0);
            file.read_exact_at(&mut chunk, start)?;
            for (place, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
                ends_wanted -= 1;
                if ends_wanted == 0 {
                    lines.go_to(start + place as u64 + 1)?;
                    return Ok(lines);
                }
            }
        }
        Ok(lines)
    }

    /// End of the last complete line.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Reads one line further.
    ///
    /// # Errors
    /// The file cannot be read, or a line is longer than any entry.
    pub(crate) fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        let read = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)? as u64;
        if self.line.contains(&0) {
            return Ok(Next::Rest(self.reader.get_ref().metadata()?.len() - self.position));
        }
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            self.position += read;
            return Ok(Next::Line(&self.line));
        }
        if read == LONGEST_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is over 16 MiB"));
        }
        Ok(Next::Rest(read))
    }

    /// Back behind the last complete line: an incomplete one is read again when there may be more of it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn go_back(&mut self) -> io::Result<()> {
        self.reader.seek(SeekFrom::Start(self.position)).map(|_| ())
    }

    /// To where a line is known to begin.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn go_to(&mut self, position: u64) -> io::Result<()> {
        self.position = position;
        self.go_back()
    }

    /// As [`go_to`](Self::go_to), where it is not known that a line begins there.
    ///
    /// # Errors
    /// None does, or the file cannot be read.
    pub(super) fn go_to_line(&mut self, position: u64) -> io::Result<()> {
        let mut before = [b'\n'];
        if position > 0 {
            self.reader.get_ref().read_exact_at(&mut before, position - 1)?;
        }
        if before != [b'\n'] {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no line ends before it"));
        }
        self.go_to(position)
    }

    /// Whether the directory's log is still the file that is read here, and not shorter than what was read.
    ///
    /// # Errors
    /// Either cannot be examined.
    pub(crate) fn is_current(&self, directory: &Path) -> io::Result<bool> {
        let (named, read) = (fs::symlink_metadata(path_in(directory))?, self.reader.get_ref().metadata()?);
        Ok((named.dev(), named.ino()) == (read.dev(), read.ino()) && read.len() >= self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found_from_the_end_whatever_their_length() {
        let directory = tempfile::tempdir().unwrap();
        let lengths = [0, 5, READ_BACK_BYTES as usize - 1, READ_BACK_BYTES as usize, 3, 200_000, 1];
        let line = |place: usize| vec![b'a' + place as u8; lengths[place]];
        let whole: Vec<u8> = (0..lengths.len()).flat_map(|place| [line(place), vec![b'\n']].concat()).collect();
        for torn in [&b""[..], b"torn"] {
            fs::write(path_in(directory.path()), [&whole, torn].concat()).unwrap();
            for count in 0..=lengths.len() + 2 {
                let mut lines = Lines::open_last(directory.path(), count).unwrap();
                for place in lengths.len().saturating_sub(count)..lengths.len() {
                    assert!(matches!(lines.next().unwrap(), Next::Line(bytes) if *bytes == line(place)), "{count}");
                }
                assert!(matches!(lines.next().unwrap(), Next::Rest(rest) if rest == torn.len() as u64));
                assert_eq!(lines.position(), whole.len() as u64);
            }
        }
    }
}
