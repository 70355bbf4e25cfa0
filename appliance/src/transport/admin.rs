//! The admin listener: HTTP/1.1 over a Unix socket. Who may open the socket may freeze and look; all else needs
//! officers, and that is the core's to judge.

use std::{path::Path, sync::Arc};

use appliance_wire::Scope;
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    Limits, TransportError,
    answers::{finished, json},
    connections::{Protocol, accept_until, serve},
    served::Listener,
    watcher_api::body::{Bodies, parse},
};
use crate::{officers::ActRequest, operations::Operations, refusal::Refusal};

pub(super) mod socket;

use socket::Socket;

/// A bound admin listener; its socket is removed when it is dropped.
#[derive(Debug)]
pub struct Admin {
    socket: Socket,
    limits: Limits,
}

impl Admin {
    /// Makes the socket at `path`, for owner and group.
    ///
    /// # Errors
    /// A path that is taken or cannot be used, with what to do about it.
    pub fn bind(path: &Path, limits: Limits) -> Result<Self, TransportError> {
        Ok(Self { socket: Socket::bind(path)?, limits })
    }

    /// Serves until `stop`, then finishes what was begun.
    pub async fn serve(self, operations: Arc<Operations>, stop: CancellationToken) {
        let router = router(operations, &self.limits);
        self.serve_router(router, stop).await;
    }

    async fn serve_router(self, router: Router, stop: CancellationToken) {
        let (limits, ended) = (Arc::new(self.limits), stop.clone());
        let (listener, _file) = self.socket.into_parts();
        accept_until(
            listener,
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

type Answer = Result<Response, Refusal>;

#[derive(Clone, Debug)]
struct Api {
    operations: Arc<Operations>,
    bodies: Bodies,
}

fn router(operations: Arc<Operations>, limits: &Limits) -> Router {
    let refusals = Arc::clone(&operations);
    let routes = Router::new()
        .route("/status", get(status))
        .route("/freeze", post(freeze))
        .route("/pending", get(pending))
        .route("/keys", get(keys))
        .route("/acts", post(act))
        .route("/acts/text", post(act_text))
        .route("/explain", post(explain))
        .with_state(Api { operations, bodies: Bodies::new(limits) });
    finished(routes, move |served| served.record(&refusals, Listener::Admin))
}

/// Body of `POST /freeze`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    what: Scope,
    reason: String,
}

/// Body of `POST /acts`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    request: ActRequest,
    signatures: Vec<String>,
}

/// Body of `POST /explain`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explain {
    watcher: String,
    request_id: String,
    request: Value,
}

async fn status(State(api): State<Api>) -> Response {
    json(&api.operations.status().await)
}

async fn freeze(State(api): State<Api>, request: Request) -> Answer {
    let Change { what, reason } = api.bodies.read_small(request).await?;
    api.operations.freeze(what, reason).await?;
    Ok(json(&json!({ "state": "frozen" })))
}

async fn pending(State(api): State<Api>) -> Answer {
    Ok(json(&api.operations.pending().await?))
}

async fn keys(State(api): State<Api>) -> Answer {
    Ok(json(&json!({ "keys": api.operations.key_statuses().await? })))
}

async fn act(State(api): State<Api>, request: Request) -> Answer {
    let Signed { request, signatures } = parse(&api.bodies.read(request).await?)?;
    Ok(json(&api.operations.act(request, signatures).await?))
}

async fn act_text(State(api): State<Api>, request: Request) -> Answer {
    let request: ActRequest = parse(&api.bodies.read(request).await?)?;
    Ok(json(&api.operations.act_text(request).await?))
}

async fn explain(State(api): State<Api>, request: Request) -> Answer {
    let Explain { watcher, request_id, request } = parse(&api.bodies.read(request).await?)?;
    let body = request.to_string();
    Ok(json(&api.operations.explain_for(&watcher, &request_id, body.as_bytes()).await?))
}

#[cfg(test)]
mod tests;
