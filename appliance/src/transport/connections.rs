//! Accept loops with bounds. Knows neither TLS nor HTTP nor what is served.

use std::{
    future::{Future, poll_fn},
    io,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::Limits;

mod activity;
mod http;
mod leftover;
mod peers;
mod stall;
mod takeover;

pub(super) use http::{Protocol, serve};
pub(super) use peers::Peers;
pub(super) use takeover::{Taken, Takeover};

/// Something that accepts streams.
pub(super) trait Listen: Send + Sync {
    /// What it accepts.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Self::Stream>>;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let (stream, _) = ready!(Self::poll_accept(self, context))?;
        stream.set_nodelay(true)?;
        Poll::Ready(Ok(stream))
    }
}

impl Listen for UnixListener {
    type Stream = UnixStream;

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        Self::poll_accept(self, context).map_ok(|(stream, _)| stream)
    }
}

/// The place a connection holds among all; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    handshake: Option<OwnedSemaphorePermit>,
    _connection: OwnedSemaphorePermit,
}

impl Slot {
    /// The peer has proven who it is: others may try now.
    pub(super) fn handshake_done(&mut self) {
        self.handshake = None;
    }
}

/// Accepts connections until `stop`, each served by a task of its own, then lets these finish within `limits.drain`.
///
/// A connection over the bounds is closed at once, and `turn_away` is told.
pub(super) async fn accept_until<L, C>(
    listener: L,
    limits: &Limits,
    stop: &CancellationToken,
    turn_away: impl Fn() + Send,
    connection: impl Fn(L::Stream, Slot) -> C + Send,
) where
    L: Listen,
    C: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    let handshakes = Arc::new(Semaphore::new(limits.handshakes));
    let mut open = JoinSet::new();
    loop {
        let accepted = select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = open.join_next() => {
                log_panic(ended);
                continue;
            }
            accepted = poll_fn(|context| listener.poll_accept(context)) => accepted,
        };
        match accepted {
            Ok(stream) => match slot(&places, &handshakes) {
                Some(slot) => drop(open.spawn(connection(stream, slot))),
                None => turn_away(),
            },
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    finish(open, limits.drain).await;
}

fn slot(places: &Arc<Semaphore>, handshakes: &Arc<Semaphore>) -> Option<Slot> {
    let connection = Arc::clone(places).try_acquire_owned().ok()?;
    let handshake = Arc::clone(handshakes).try_acquire_owned().ok()?;
    Some(Slot { handshake: Some(handshake), _connection: connection })
}

async fn finish(mut open: JoinSet<()>, drain: Duration) {
    let all = async {
        while let Some(ended) = open.join_next().await {
            log_panic(ended);
        }
    };
    if timeout(drain, all).await.is_err() {
        tracing::warn!(connections = open.len(), "requests still in progress are cut off: the time to finish is over");
    }
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task ended early");
    }
}

/// A connection that is gone before it is accepted is no reason to wait; too few file descriptors is.
async fn pause_after(error: &io::Error) {
    const PAUSE: Duration = Duration::from_millis(100);
    let gone = matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if !gone {
        tracing::warn!(%error, "accepting a connection");
        sleep(PAUSE).await;
    }
}
