//! The API's listener: HTTP/1.1, over TLS 1.3 where a certificate is configured, bounded in every way.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{ApiTls, ConfigError, private_file};

const CONNECTIONS: usize = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Also how long a connection may rest between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const HEADER_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
/// However lively a connection is, others want its place.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(600);
/// For requests in progress, when the watcher stops or the connection's time is over.
const DRAIN: Duration = Duration::from_secs(10);
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Who calls, as far as the connection says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// From this machine, over loopback.
    pub(super) is_local: bool,
}

/// The listener's side of TLS.
pub(super) fn config(tls: &ApiTls) -> Result<Arc<ServerConfig>, ConfigError> {
    let bad = |what: String| ConfigError::new(&tls.certificate, what);
    let chain = CertificateDer::pem_file_iter(&tls.certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| bad(format!("`run.certificate`: no certificate in PEM ({error})")))?;
    let of_key = |what: String| ConfigError::new(&tls.private_key, format!("`run.private_key`: {what}"));
    let key = private_file::read(&tls.private_key).map_err(|error| of_key(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
    let key = key.map_err(|error| of_key(format!("no private key in PEM ({error})")))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| bad(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| bad(format!("does not fit `run.private_key`: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves until `stop`, then lets requests in progress end.
pub(super) async fn serve(
    listener: TcpListener,
    tls: watch::Receiver<Option<Arc<ServerConfig>>>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let accepted = select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = open.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let tls = tls.borrow().clone().map(TlsAcceptor::from);
                open.spawn(connection(stream, place, tls, router.clone(), stop.clone()));
            }
            Err(_) => sleep(PAUSE_AFTER_ERROR).await,
        }
    }
    drop(listener);
    let all = async { while open.join_next().await.is_some() {} };
    if timeout(DRAIN, all).await.is_err() {
        tracing::warn!("requests still in progress are cut off: the time to finish is over");
    }
}

/// Without a place, connections wait in the system's queue.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn connection(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    let _place = place;
    let is_local = stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
    let router = router.layer(Extension(Caller { is_local }));
    match tls {
        None => requests(stream, router, stop).await,
        // How a handshake failed interests only the peer.
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                requests(stream, router, stop).await;
            }
        }
    }
}

async fn requests<S>(stream: S, router: Router, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADERS);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    select! {
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
        () = sleep(CONNECTION_TIMEOUT) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(DRAIN, connection).await;
}
