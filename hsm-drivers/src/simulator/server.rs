//! The device behind HTTP, as yubihsm-connector offers one: `POST /connector/api`, `GET /connector/status`.
//!
//! Where controls are allowed, also `GET`, `POST` and `DELETE /simulator/faults` (a plan a line) and `GET /simulator/ca`
//! (the maker's certificate, DER).

mod connection;
mod request;

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::{device::Device, faults::Faults};

/// A device being served. Dropped, it stops and closes every connection.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    faults: Faults,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// What all connections of a server have in common.
#[derive(Debug)]
struct Shared {
    device: Mutex<Device>,
    faults: Faults,
    controls: bool,
    stopping: AtomicBool,
}

impl Shared {
    /// The device works serially: one at a time.
    fn device(&self) -> MutexGuard<'_, Device> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

impl Server {
    pub(super) fn start(device: Device, listener: TcpListener, controls: bool) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let faults = device.faults();
        let stopping = AtomicBool::new(false);
        let shared = Arc::new(Shared { device: Mutex::new(device), faults: faults.clone(), controls, stopping });
        let of_acceptor = Arc::clone(&shared);
        let acceptor = thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || accept(&listener, &of_acceptor))
            .map(Some)?;
        Ok(Self { address, faults, shared, acceptor })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to write behind `connector =` in a configuration.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The faults of its device.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// Certificate (DER) of the simulated maker.
    #[must_use]
    pub fn ca_certificate(&self) -> Vec<u8> {
        self.shared.device().ca_certificate().to_vec()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // Wakes the acceptor, which waits for a connection.
        let _woken = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ended = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        if shared.is_stopping() {
            break;
        }
        connections.retain(|connection| !connection.is_finished());
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        let serve = move || {
            // A connection that fails is the client's to notice.
            let _ended = connection::serve(stream, &shared);
        };
        connections.extend(thread::Builder::new().name("simulator connection".to_owned()).spawn(serve));
    }
    for connection in connections {
        let _ended = connection.join();
    }
}
