//! What one listener spends on those who ask, before anybody has decided anything.

use std::time::Duration;

const MIB: usize = 1 << 20;

/// Bounds of a listener. The default is what production uses; tests shorten the times.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once; one more is closed as soon as it is accepted.
    pub connections: usize,
    /// Connections at once whose TLS handshake is under way; likewise.
    pub handshakes: usize,
    /// Connections open at once with one client key, so that one watcher cannot shut out the others.
    pub connections_per_peer: usize,
    /// From the accepted connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of an HTTP/1.1 request to the end of its header.
    pub header: Duration,
    /// From the first look at a body to its end.
    pub body: Duration,
    /// Longest body of a `PUT`, in bytes.
    pub body_bytes: usize,
    /// All bodies held at once, in bytes.
    pub bodies_bytes: usize,
    /// How long a connection stays open with no request in progress.
    pub idle: Duration,
    /// How long a connection stays open with a request in progress, none beginning and none ending.
    pub request: Duration,
    /// How long a write may wait for a peer that reads nothing.
    pub write: Duration,
    /// How long requests in progress may take when the listener stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            handshakes: 256,
            connections_per_peer: 256,
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            body: Duration::from_secs(15),
            body_bytes: 8 * MIB,
            bodies_bytes: 256 * MIB,
            idle: Duration::from_secs(75),
            request: Duration::from_secs(120),
            write: Duration::from_secs(20),
            drain: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// Bounds of the monitor listener.
    #[must_use]
    pub fn monitor() -> Self {
        Self { connections: 64, handshakes: 64, ..Self::default() }
    }

    /// Bounds of the admin listener.
    #[must_use]
    pub fn admin() -> Self {
        Self { connections: 64, handshakes: 64, body_bytes: MIB, bodies_bytes: 8 * MIB, ..Self::default() }
    }
}
