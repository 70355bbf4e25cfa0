//! The monitor listener: plain HTTP on loopback, read only. Without a word about any request, but for the console page,
//! which is there where the configuration says so.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::State, response::Response, routing::get};
use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderValue},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    Limits, TransportError,
    answers::{finished, json_with},
    connections::{Protocol, accept_until, serve},
    served::Listener,
};
use crate::operations::Operations;

mod console;

/// A bound monitor listener.
#[derive(Debug)]
pub struct Monitor {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Monitor {
    /// Listens on `address`, which must be a loopback one; port 0 means any free one.
    ///
    /// # Errors
    /// An address that cannot be used, with what to do about it.
    pub async fn bind(address: SocketAddr, limits: Limits) -> Result<Self, TransportError> {
        if !address.ip().is_loopback() {
            return Err(TransportError::NotLoopback(address));
        }
        let refused = |source| TransportError::Address { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, limits })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then finishes what was begun.
    pub async fn serve(self, operations: Arc<Operations>, stop: CancellationToken) {
        let router = router(operations);
        self.serve_router(router, stop).await;
    }

    async fn serve_router(self, router: Router, stop: CancellationToken) {
        let (limits, ended) = (Arc::new(self.limits), stop.clone());
        accept_until(
            self.listener,
            &limits,
            &stop,
            || {},
            |stream, slot| {
                let (router, limits, stop) = (router.clone(), Arc::clone(&limits), ended.clone());
                async move {
                    let _slot = slot;
                    serve(stream, Protocol::Http1, router, None, &limits, &stop).await;
                }
            },
        )
        .await;
    }
}

fn router(operations: Arc<Operations>) -> Router {
    let refusals = Arc::clone(&operations);
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .with_state(Arc::clone(&operations));
    let routes = if operations.serves_console() { routes.merge(console::routes(operations)) } else { routes };
    finished(routes, move |served| served.record(&refusals, Listener::Monitor))
}

/// OpenMetrics for those who ask for it, as Prometheus does; for others the format every reader of metrics knows.
async fn metrics(State(operations): State<Arc<Operations>>, headers: HeaderMap) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let (kind, text) = if accepted.any(|accept| accept.contains("application/openmetrics-text")) {
        (OPEN_METRICS, operations.open_metrics().await)
    } else {
        (CLASSIC, operations.classic_metrics().await)
    };
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

async fn readyz(State(operations): State<Arc<Operations>>) -> Response {
    let readiness = operations.readiness().await;
    json_with(if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &readiness)
}

#[cfg(test)]
mod tests;
