//! One connection, served: HTTP with bounds on all a peer can make it hold.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    select,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{Limits, activity::Activity, leftover::ReadToTheEnd, stall::Deadlines, takeover::Takeover};
use crate::principal::Peer;

/// Which HTTP the connection speaks; settled before its first request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::transport) enum Protocol {
    Http1,
    Http2,
}

/// Serves `router` until the peer is done, is idle for too long, or `stop`; what took the connection over, until it
/// ends. Each request carries `peer`.
pub(in crate::transport) async fn serve<S>(
    stream: S,
    protocol: Protocol,
    router: Router,
    peer: Option<Peer>,
    limits: &Limits,
    stop: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let takeover = Takeover { activity: Activity::new(), taken: TaskTracker::new(), stop: stop.clone() };
    serve_requests(stream, protocol, router, peer, limits, &takeover).await;
    takeover.taken.close();
    takeover.taken.wait().await;
}

async fn serve_requests<S>(
    stream: S,
    protocol: Protocol,
    router: Router,
    peer: Option<Peer>,
    limits: &Limits,
    takeover: &Takeover,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Takeover { activity, stop, .. } = takeover;
    let stream = Deadlines::new(stream, Arc::clone(activity), limits.clone(), protocol == Protocol::Http1);
    let requests = Arc::clone(activity);
    let takeover = (protocol == Protocol::Http1).then(|| takeover.clone());
    let of_bodies = limits.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|body| Body::new(ReadToTheEnd::new(body, &of_bodies)));
        if let Some(takeover) = takeover.clone() {
            request.extensions_mut().insert(takeover);
        }
        answer(router.clone(), peer.clone(), Arc::clone(&requests), request)
    });
    let builder = builder(protocol, limits);
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let patience = select! {
        ended = connection.as_mut() => return log_end(ended),
        () = activity.until_over(limits) => limits.write,
        () = stop.cancelled() => limits.drain,
    };
    connection.as_mut().graceful_shutdown();
    match timeout(patience, connection).await {
        Ok(ended) => log_end(ended),
        Err(_) => tracing::debug!("a connection was cut off: its requests did not end in time"),
    }
}

async fn answer(
    router: Router,
    peer: Option<Peer>,
    activity: Arc<Activity>,
    mut request: Request<Body>,
) -> Result<Response<Body>, Infallible> {
    let in_progress = activity.begin();
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| in_progress.until_sent(body)))
}

fn builder(protocol: Protocol, limits: &Limits) -> Builder<TokioExecutor> {
    const HEADER_BYTES: u32 = 16 << 10;
    const HEADERS: usize = 64;
    const STREAMS: u32 = 64;
    const RESET_STREAMS: usize = 64;
    const PING: Duration = Duration::from_secs(20);

    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // hyper's clock also runs between requests; `Deadlines` watches the header itself.
        .header_read_timeout(limits.idle + limits.header)
        .max_buf_size(HEADER_BYTES as usize)
        .max_headers(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(RESET_STREAMS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}

fn log_end(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
