//! Why a listener cannot start.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::config::BadFile;

/// A listener that cannot start: which address or file, what is wrong with it, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The address cannot be listened on.
    #[error("listening on {address}: {}", advice(.source))]
    Address {
        /// As configured.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The monitor listener has no TLS, so it stays on this machine.
    #[error(
        "monitor_listener.address is {0}, which other machines can reach: use a loopback address such as 127.0.0.1:9464"
    )]
    NotLoopback(SocketAddr),
    /// A file cannot be read, or others than its owner can.
    #[error(transparent)]
    File(#[from] BadFile),
    /// A file is not what it should be.
    #[error("{}: {what}", .file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// The Unix socket cannot be made.
    #[error("admin socket {}: {what}", .socket.display())]
    Socket {
        /// Its path.
        socket: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
}

/// What the usual ones mean here; the system's words for the others.
fn advice(source: &io::Error) -> String {
    const KNOWN: [(io::ErrorKind, &str); 3] = [
        (io::ErrorKind::AddrInUse, "in use by another process; stop that one or configure another port"),
        (io::ErrorKind::AddrNotAvailable, "no interface of this machine has that address"),
        (io::ErrorKind::PermissionDenied, "not permitted; ports below 1024 need CAP_NET_BIND_SERVICE"),
    ];
    let known = KNOWN.iter().find(|(kind, _)| *kind == source.kind());
    known.map_or_else(|| source.to_string(), |(_, advice)| (*advice).to_owned())
}
