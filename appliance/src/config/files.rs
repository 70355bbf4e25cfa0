//! Opening the files a configuration names.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, Stat, fstat, open},
    io::Errno,
};

/// Why a file a configuration names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// It is not there, or the process may not read it.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// It is a folder, a device or the like.
    #[error("{} is no regular file", .0.display())]
    NotRegular(PathBuf),
    /// It is a symbolic link, and who may change the link may change what is read.
    #[error("{} is a symbolic link; name the file itself", .0.display())]
    Link(PathBuf),
    /// Its mode lets others than the owner at it.
    #[error("{} has mode {mode:04o}, open to others than its owner; run chmod 600 on it", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// The regular file at `path`, open.
pub(crate) fn open_readable(path: &Path) -> Result<File, BadFile> {
    Ok(open_regular(path, OFlags::empty())?.0)
}

/// The regular file at `path`, open, which no one but its owner may read or write.
pub(crate) fn open_private(path: &Path) -> Result<File, BadFile> {
    // The mode is taken from the open file, not from the path, so that what was checked is what is read.
    let (file, stat) = open_regular(path, OFlags::NOFOLLOW)?;
    let mode = stat.st_mode & 0o7777;
    if mode & 0o077 == 0 { Ok(file) } else { Err(BadFile::OpenToOthers { path: path.to_owned(), mode }) }
}

fn open_regular(path: &Path, flags: OFlags) -> Result<(File, Stat), BadFile> {
    let unreadable = |errno: Errno| BadFile::Unreadable { path: path.to_owned(), reason: errno.into() };
    // Without NONBLOCK a named pipe would hold the start up for ever.
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP if flags.contains(OFlags::NOFOLLOW) => BadFile::Link(path.to_owned()),
        _ => unreadable(errno),
    })?;
    let stat = fstat(&file).map_err(unreadable)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(BadFile::NotRegular(path.to_owned()));
    }
    Ok((file.into(), stat))
}
