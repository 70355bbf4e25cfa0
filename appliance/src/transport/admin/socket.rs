//! The socket's file: made, found and removed through its directory's descriptor, so that the length of the path
//! (107 bytes for the system) does not matter and the directory cannot be exchanged in between.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, Permissions},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{FileTypeExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    process,
};

use rustix::fs::{Mode, OFlags, open};
use tokio::net::{UnixListener, UnixStream};

use super::TransportError;

/// Owner and group may connect.
const MODE: u32 = 0o660;

/// A bound socket.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    file: SocketFile,
}

impl Socket {
    pub(super) fn bind(path: &Path) -> Result<Self, TransportError> {
        let refused = |what: String| TransportError::Socket { socket: path.to_owned(), what };
        let place = Place::of(path).map_err(|error| refused(format!("opening its directory: {error}")))?;
        clear(&place).map_err(refused)?;
        let listener = bind_ready(&place).map_err(|error| refused(error.to_string()))?;
        Ok(Self { listener, file: SocketFile(place) })
    }

    /// The listener, and what removes the file when dropped.
    pub(super) fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }
}

/// Connects to the socket at `path`.
pub(in crate::transport) async fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Place::of(path)?.path()).await
}

/// The file of a bound socket; removed when dropped.
#[derive(Debug)]
pub(super) struct SocketFile(Place);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(self.0.path()) {
            tracing::warn!(%error, "removing the admin socket");
        }
    }
}

/// A name in an open directory.
#[derive(Debug)]
struct Place {
    directory: OwnedFd,
    name: OsString,
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { directory, name })
    }

    fn path(&self) -> PathBuf {
        self.beside(&self.name)
    }

    fn beside(&self, name: &OsStr) -> PathBuf {
        Path::new("/proc/self/fd").join(self.directory.as_raw_fd().to_string()).join(name)
    }
}

/// Removes the socket of a process that is gone; refuses anything else that is in its place.
fn clear(place: &Place) -> Result<(), String> {
    let file = place.path();
    match fs::symlink_metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
        Ok(found) if !found.file_type().is_socket() => {
            return Err("something that is no socket has this name: remove it or configure another path".to_owned());
        }
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(&file) {
        Ok(_) => Err("another process listens there: stop it, or configure another path".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(&file).map_err(|error| format!("removing what a former process left: {error}"))
        }
        Err(error) => Err(format!("finding out whether another process listens there: {error}")),
    }
}

/// The socket gets its name only once its mode is right, so that nobody connects before.
fn bind_ready(place: &Place) -> io::Result<UnixListener> {
    let unready = place.beside(OsStr::new(&format!(".admin-{}", process::id())));
    let listener = std::os::unix::net::UnixListener::bind(&unready)?;
    let ready = fs::set_permissions(&unready, Permissions::from_mode(MODE))
        .and_then(|()| fs::rename(&unready, place.path()))
        .and_then(|()| listener.set_nonblocking(true))
        .and_then(|()| UnixListener::from_std(listener));
    if ready.is_err() {
        drop(fs::remove_file(&unready));
    }
    ready
}
