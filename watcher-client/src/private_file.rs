//! Small files that only their owner can read: keys, tokens, secrets.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// A few lines; a longer one is something else.
const LONGEST: u64 = 4096;

/// Reads one.
///
/// # Errors
/// Also where others than its owner may read it: says what to run.
pub(crate) fn read(file: &Path) -> io::Result<String> {
    if fs::symlink_metadata(file)?.is_symlink() {
        return Err(io::Error::other("is a symbolic link; name the file itself"));
    }
    let opened = File::open(file)?;
    let mode = opened.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "has mode {mode:04o}, open to others than its owner; run chmod 600 on it"
        )));
    }
    let mut text = String::new();
    opened.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}
