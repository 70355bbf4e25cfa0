//! A TCP relay that breaks when told to: what lies between two programs that are on different machines elsewhere.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

/// Relays to one address, from one of its own. Ends with the process.
#[derive(Clone)]
pub(crate) struct Relay {
    /// Where clients connect.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    open: Mutex<Vec<TcpStream>>,
    is_down: AtomicBool,
    /// How many further replies are thrown away, with their connections.
    replies_to_lose: AtomicU32,
}

impl Relay {
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            open: Mutex::default(),
            is_down: AtomicBool::new(false),
            replies_to_lose: AtomicU32::new(0),
        });
        let relaying = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                relaying.clone().relay(client);
            }
        });
        Self { address, shared }
    }

    /// From now on to another address.
    pub(crate) fn point_to(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap() = target;
    }

    /// Breaks every connection there is.
    pub(crate) fn cut(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes no connections, or takes them again.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.shared.is_down.store(is_down, Ordering::SeqCst);
        if is_down {
            self.cut();
        }
    }

    /// The next replies are lost: what was asked for is done, and nobody hears of it.
    pub(crate) fn lose_replies(&self, count: u32) {
        self.shared.replies_to_lose.store(count, Ordering::SeqCst);
    }
}

impl Shared {
    fn relay(self: Arc<Self>, client: TcpStream) {
        if self.is_down.load(Ordering::SeqCst) {
            return;
        }
        let Ok(server) = TcpStream::connect(*self.target.lock().unwrap()) else { return };
        let mut open = self.open.lock().unwrap();
        open.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
        drop(open);
        let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || copy(from, to, || true));
        thread::spawn(move || {
            let lose = |left: u32| left.checked_sub(1);
            copy(server, client, || {
                self.replies_to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose).is_err()
            });
        });
    }
}

/// Until one end closes, or something must not pass: then both are closed.
fn copy(mut from: TcpStream, mut to: TcpStream, passes: impl Fn() -> bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !passes() || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
