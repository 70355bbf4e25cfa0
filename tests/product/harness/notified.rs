//! A service manager's end of `sd_notify(3)`.

use std::{
    io::ErrorKind,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::{Duration, Instant},
};

use super::Installation;

/// What a program is told to notify, and what was heard there.
pub(crate) struct Notified {
    socket: UnixDatagram,
    /// `NOTIFY_SOCKET`.
    pub(crate) name: String,
}

const WITHIN: Duration = Duration::from_secs(60);

impl Notified {
    /// At a path.
    pub(crate) fn at_path(installation: &Installation) -> Self {
        let path = installation.path("notify");
        Self { socket: UnixDatagram::bind(&path).unwrap(), name: path.to_str().unwrap().to_owned() }
    }

    /// Under a name of the abstract kind.
    pub(crate) fn abstract_one(installation: &Installation) -> Self {
        let name = installation.path("notify").to_str().unwrap().to_owned();
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        Self { socket: UnixDatagram::bind_addr(&address).unwrap(), name: format!("@{name}") }
    }

    /// The next message, its words one a line.
    pub(crate) fn next(&self) -> String {
        self.next_within(WITHIN).unwrap_or_else(|| panic!("nothing was heard within {WITHIN:?}"))
    }

    /// The next message, where one comes.
    pub(crate) fn next_within(&self, time: Duration) -> Option<String> {
        let mut message = [0; 4096];
        self.socket.set_read_timeout(Some(time)).unwrap();
        match self.socket.recv(&mut message) {
            Ok(length) => Some(String::from_utf8(message[..length].to_vec()).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// The next message that has this word; others may come before.
    pub(crate) fn until(&self, word: &str) -> String {
        let (begun, mut others) = (Instant::now(), Vec::new());
        while begun.elapsed() < WITHIN {
            let message = self.next();
            if message.lines().any(|line| line.contains(word)) {
                return message;
            }
            others.push(message);
        }
        panic!("{word} was not heard, but {others:?}");
    }
}
