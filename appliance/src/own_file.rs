//! Files of the state directory, which are the appliance's own: opened as they are, or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::{fs::OFlags, io::Errno};

/// Opens the file itself. A link is not followed, for who may change the link may change what is read; and a named pipe
/// is not waited for.
///
/// # Errors
/// It cannot be opened, or is no regular file.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options.custom_flags(flags.bits() as i32).open(path).map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::LOOP.raw_os_error() => refused("it is a symbolic link"),
        _ => error,
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused("it is no regular file")) }
}

/// All of it; none where it is not there.
///
/// # Errors
/// As of [`open`], or it cannot be read.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = match open(path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// As [`read`], of a text.
///
/// # Errors
/// As of [`read`], or it is not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<Option<String>> {
    let text = read(path)?.map(String::from_utf8).transpose();
    text.map_err(|_| refused("it is no text"))
}

/// Writes the file anew. After a power cut it is the old one or the new one, whole; the new one for certain once its
/// folder is synced.
///
/// # Errors
/// It cannot be written.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_extension("next");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(next, path)
}

/// As [`put`], and the new one for certain.
///
/// # Errors
/// As of [`put`].
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn refused(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
