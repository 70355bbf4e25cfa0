//! `ballast`: room that is given up when the disk is full, so that outcomes, freezes and a stop in order can still be
//! recorded. Knows nothing of the log.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, fallocate};

use super::journal::{FREE_SPACE_FLOOR, free_bytes};
use crate::own_file;

/// What the file takes up on the disk.
pub const BALLAST_BYTES: u64 = 16 << 20;

/// The file of a state directory.
#[derive(Debug)]
pub struct Ballast {
    directory: PathBuf,
    path: PathBuf,
}

impl Ballast {
    /// That of this state directory, whether it is there or not.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { directory: state.to_owned(), path: state.join("ballast") }
    }

    /// Whether the room is set aside. A copy of the file may have its length, and no room.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|file| file.blocks() * 512 >= BALLAST_BYTES)
    }

    /// Sets the room aside, where that is missing and leaves enough free for the log to be written.
    ///
    /// # Errors
    /// The disk does not say how much it has free, or the file system cannot set room aside.
    pub(super) fn make(&self) -> io::Result<()> {
        if self.is_kept() || free_bytes(&self.directory)? < FREE_SPACE_FLOOR + BALLAST_BYTES {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = own_file::open(&self.path, &mut options)?;
        let made = fallocate(&file, FallocateFlags::empty(), 0, BALLAST_BYTES).map_err(io::Error::from);
        if made.is_err() {
            let _ = fs::remove_file(&self.path);
        }
        made
    }

    /// Gives the room up where the disk has less than it free. Whether it did.
    ///
    /// # Errors
    /// The disk does not say how much it has free, or the file cannot be removed.
    pub(super) fn give_way(&self) -> io::Result<bool> {
        if free_bytes(&self.directory)? >= BALLAST_BYTES {
            return Ok(false);
        }
        match fs::remove_file(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        // A file system with a journal has the room back when the removal is durable.
        File::open(&self.directory)?.sync_all()?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_real_room_and_is_kept_while_there_is_more() {
        let directory = tempfile::tempdir().unwrap();
        let ballast = Ballast::of(directory.path());
        assert!(!ballast.is_kept() && !ballast.give_way().unwrap());
        let path = directory.path().join("ballast");
        // As `cp` makes of it.
        File::create(&path).unwrap().set_len(BALLAST_BYTES).unwrap();
        assert!(!ballast.is_kept());
        if let Err(error) = ballast.make() {
            assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::OPNOTSUPP.raw_os_error()), "{error}");
            assert!(!path.exists());
            return;
        }
        assert!(ballast.is_kept() && !ballast.give_way().unwrap(), "this machine's disk is full");
        assert_eq!(fs::metadata(&path).unwrap().len(), BALLAST_BYTES);
    }
}
