//! The watcher listener: TCP, TLS 1.3, a client certificate of the configured CA.
//!
//! What TLS proves is looked up again in the policy for every request; here it only opens the door.

use std::{io, net::SocketAddr, sync::Arc};

use axum::Router;
use rustls::ServerConnection;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    Certificates, Limits, TransportError,
    connections::{Peers, Protocol, Slot, accept_until, serve},
    tls, watcher_api,
};
use crate::{metrics::AuthFailure, operations::Operations, principal::Peer};

/// A bound watcher listener.
pub struct Https {
    listener: TcpListener,
    address: SocketAddr,
    certificates: Arc<Certificates>,
    limits: Limits,
}

/// What becomes of connections, for the count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Event {
    /// It came no further than the door.
    TurnedAway(AuthFailure),
    Opened,
    Closed,
}

impl Https {
    /// Listens on `address`; port 0 means any free one.
    ///
    /// # Errors
    /// An address that cannot be used, with what to do about it.
    pub async fn bind(
        address: SocketAddr,
        certificates: Arc<Certificates>,
        limits: Limits,
    ) -> Result<Self, TransportError> {
        let refused = |source| TransportError::Address { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, certificates, limits })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves the watcher API until `stop`, then finishes what was begun.
    pub async fn serve(self, operations: Arc<Operations>, stop: CancellationToken) {
        let router = watcher_api::router(&operations, &self.limits);
        let count = move |event| match event {
            Event::TurnedAway(why) => operations.count_turned_away(why),
            Event::Opened => operations.connection_opened(),
            Event::Closed => operations.connection_closed(),
        };
        self.serve_router(router, count, stop).await;
    }

    async fn serve_router(
        self,
        router: Router,
        tell: impl Fn(Event) + Clone + Send + Sync + 'static,
        stop: CancellationToken,
    ) {
        let door = Door {
            certificates: self.certificates,
            peers: Peers::new(self.limits.connections_per_peer),
            limits: Arc::new(self.limits.clone()),
            router,
            tell,
            stop: stop.clone(),
        };
        let turn_away = || (door.tell)(Event::TurnedAway(AuthFailure::TooManyConnections));
        accept_until(self.listener, &self.limits, &stop, turn_away, |stream, slot| door.clone().admit(stream, slot))
            .await;
    }
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Https").field("address", &self.address).finish_non_exhaustive()
    }
}

/// All that the connections share.
#[derive(Clone)]
struct Door<T> {
    certificates: Arc<Certificates>,
    peers: Peers,
    limits: Arc<Limits>,
    router: Router,
    tell: T,
    stop: CancellationToken,
}

impl<T: Fn(Event) + Send + Sync> Door<T> {
    async fn admit(self, stream: TcpStream, mut slot: Slot) {
        let (stream, peer) = match self.handshake(stream).await {
            Ok(known) => known,
            Err(why) => return (self.tell)(Event::TurnedAway(why)),
        };
        slot.handshake_done();
        let Some(_place) = self.peers.admit(peer.spki_sha256) else {
            tracing::warn!("a client key has too many connections open; its new one is closed");
            return (self.tell)(Event::TurnedAway(AuthFailure::TooManyOfOneKey));
        };
        (self.tell)(Event::Opened);
        let protocol = protocol(stream.get_ref().1);
        serve(stream, protocol, self.router, Some(peer), &self.limits, &self.stop).await;
        (self.tell)(Event::Closed);
    }

    async fn handshake(&self, stream: TcpStream) -> Result<(TlsStream<TcpStream>, Peer), AuthFailure> {
        let handshake = self.certificates.handshake();
        let acceptor = TlsAcceptor::from(handshake.config());
        let stream = match timeout(self.limits.handshake, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                return Err(why(&error));
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                return Err(AuthFailure::SlowHandshake);
            }
        };
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let peer = handshake.peer(chain).ok_or(AuthFailure::Certificate)?;
        Ok((stream, peer))
    }
}

/// Whether it was the certificate that the handshake failed by.
fn why(error: &io::Error) -> AuthFailure {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => AuthFailure::Certificate,
        _ => AuthFailure::Handshake,
    }
}

fn protocol(connection: &ServerConnection) -> Protocol {
    if connection.alpn_protocol() == Some(tls::HTTP_2) { Protocol::Http2 } else { Protocol::Http1 }
}

#[cfg(test)]
mod tests;
