//! What a module has no business doing, tried: whether the process it was loaded into lets it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    net::TcpListener,
    os::{linux::net::SocketAddrExt, unix::net},
    path::PathBuf,
    process::Command,
    str::SplitWhitespace,
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attempt {
    /// To read a file.
    Read(PathBuf),
    /// To list a folder.
    List(PathBuf),
    /// To open a file for writing.
    Write(PathBuf),
    /// To make a file.
    Make(PathBuf),
    /// To give a file another name, and then its own again.
    Rename(PathBuf),
    /// To listen on a TCP port.
    Listen,
    /// To connect to an abstract socket.
    Abstract(String),
    /// To signal a process; the signal is none.
    Signal(u32),
}

impl Attempt {
    pub(crate) fn parse(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        let kind = words.next()?;
        if kind == "listen" {
            return Some(Self::Listen);
        }
        let on = words.next()?;
        Some(match kind {
            "read" => Self::Read(on.into()),
            "list" => Self::List(on.into()),
            "write" => Self::Write(on.into()),
            "make" => Self::Make(on.into()),
            "rename" => Self::Rename(on.into()),
            "abstract" => Self::Abstract(on.to_owned()),
            "signal" => Self::Signal(on.parse().ok()?),
            _ => return None,
        })
    }

    /// `done`, or the kind of the error: `PermissionDenied`.
    pub(crate) fn outcome(&self) -> String {
        self.make().map_or_else(|error| format!("{:?}", error.kind()), |()| "done".to_owned())
    }

    fn make(&self) -> io::Result<()> {
        match self {
            Self::Read(path) => fs::read(path).map(|_| ()),
            Self::List(path) => fs::read_dir(path).map(|_| ()),
            Self::Write(path) => OpenOptions::new().write(true).open(path).map(|_| ()),
            Self::Make(path) => File::create_new(path).map(|_| ()),
            Self::Rename(path) => {
                let other = path.with_extension("renamed");
                fs::rename(path, &other).and_then(|()| fs::rename(other, path))
            }
            Self::Listen => TcpListener::bind("127.0.0.1:0").map(|_| ()),
            Self::Abstract(name) => {
                net::UnixStream::connect_addr(&net::SocketAddr::from_abstract_name(name)?).map(|_| ())
            }
            // A child is held to what its parent is held to, and `kill` is safe.
            Self::Signal(process) => {
                let status = Command::new("/bin/sh").args(["-c", "kill -0 \"$0\"", &process.to_string()]).status()?;
                if status.success() { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
            }
        }
    }
}
