//! The watcher API over HTTP: every route on one screen, each handler one call of the core.

use std::sync::Arc;

use appliance_wire::{AddressesRequest, ProblemCode, RequestStatus, SignatureAnswer};
use axum::{
    Router,
    extract::Request,
    response::Response,
    routing::{get, post},
};
use hyper::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Limits,
    answers::{finished, json, json_with, stored_json},
    openapi,
    served::Listener,
};
use crate::{
    metrics::AuthFailure,
    operations::{Operations, SignReply},
    refusal::Refusal,
};

pub(super) mod body;
mod call;
mod query;
mod stream;

use body::Bodies;
use call::{Call, CallWithQuery};
use stream::Upgrade;

type Answer = Result<Response, Refusal>;

/// What the handlers share.
#[derive(Clone, Debug)]
struct Api {
    operations: Arc<Operations>,
    bodies: Bodies,
}

/// Every route of the watcher listener.
pub(super) fn router(operations: &Arc<Operations>, limits: &Limits) -> Router {
    let api = Api { operations: Arc::clone(operations), bodies: Bodies::new(limits) };
    let refusals = Arc::clone(operations);
    let routes = Router::new()
        .route("/v1/signatures/{request_id}", get(request).put(sign).delete(withdraw))
        .route("/v1/signatures/{request_id}/explain", post(explain))
        .route("/v1/keys", get(keys))
        .route("/v1/keys/{key}", get(key))
        .route("/v1/keys/{key}/addresses", get(addresses).post(allocate))
        .route("/v1/limits", get(limits_left))
        .route("/v1/events", get(events))
        .route("/v1/log/checkpoint", get(checkpoint))
        .route("/v1/log/checkpoint/cosigned", get(cosigned_checkpoint))
        .route("/v1/log/cosignatures", post(cosignatures))
        .route("/v1/log/entries/{index}", get(entry))
        .route("/v1/log/proof/inclusion", get(inclusion_proof))
        .route("/v1/log/proof/consistency", get(consistency_proof))
        .route("/v1/freeze", post(freeze))
        .route("/openapi.json", get(document))
        .route("/healthz", get(healthz))
        .with_state(api);
    finished(routes, move |served| {
        if served.refused.is_some_and(|refused| refused.code == ProblemCode::Unauthenticated) {
            refusals.count_turned_away(AuthFailure::UnknownWatcher);
        }
        served.record(&refusals, Listener::Watcher);
    })
}

async fn sign(call: Call, request: Request) -> Answer {
    let id = call.segment.clone();
    let about = |refusal| call::about(&id, refusal);
    let body = call.api.bodies.read(request).await.map_err(about)?;
    let notes = Arc::clone(&call.notes);
    match call.api.operations.sign(call.peer, id.clone(), body.bytes, call.notes).await.map_err(about)? {
        SignReply::Signed(stored) => {
            notes.note_outcome(RequestStatus::Signed.name());
            Ok(stored_json(StatusCode::OK, stored))
        }
        SignReply::Answer { answer, retry_after_s } => {
            notes.note_outcome(answer.status.name());
            Ok(state(&answer, retry_after_s))
        }
    }
}

async fn request(call: Call) -> Answer {
    let answer = call.api.operations.request(&call.peer, &call.segment).await;
    answer.map(|answer| state(&answer, None)).map_err(|refusal| call::about(&call.segment, refusal))
}

async fn withdraw(call: Call) -> Answer {
    let answer = call.api.operations.withdraw(&call.peer, &call.segment).await;
    answer.map(|answer| state(&answer, None)).map_err(|refusal| call::about(&call.segment, refusal))
}

fn state(answer: &SignatureAnswer, retry_after_s: Option<u64>) -> Response {
    let waits = matches!(answer.status, RequestStatus::Pending | RequestStatus::Accepted);
    let mut response = json_with(if waits { StatusCode::ACCEPTED } else { StatusCode::OK }, answer);
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn explain(call: Call, request: Request) -> Answer {
    let about = |refusal| call::about(&call.segment, refusal);
    let body = call.api.bodies.read(request).await.map_err(about)?;
    let explanation = call.api.operations.explain(&call.peer, &call.segment, &body.bytes).await;
    explanation.map(|explanation| json(&explanation)).map_err(about)
}

async fn keys(call: Call) -> Answer {
    Ok(json(&call.api.operations.keys(&call.peer).await?))
}

async fn key(call: Call) -> Answer {
    Ok(json(&call.api.operations.key(&call.peer, &call.segment).await?))
}

async fn allocate(call: Call, request: Request) -> Answer {
    let asked: AddressesRequest = call.api.bodies.read_small(request).await?;
    Ok(json(&call.api.operations.allocate(&call.peer, &call.segment, asked).await?))
}

async fn addresses(CallWithQuery(call, query): CallWithQuery) -> Answer {
    let after = query::optional_child("after", &query)?;
    Ok(json(&call.api.operations.addresses(&call.peer, &call.segment, after).await?))
}

async fn limits_left(call: Call) -> Answer {
    Ok(json(&call.api.operations.limits(&call.peer).await?))
}

async fn events(CallWithQuery(call, query): CallWithQuery, Upgrade(upgrade): Upgrade) -> Answer {
    let after = query::optional("after", &query)?;
    match upgrade {
        None => Ok(json(&call.api.operations.events(&call.peer, after).await?)),
        Some(upgrade) => Ok(stream::answer(upgrade, call.api.operations.follow_events(call.peer, after)?)),
    }
}

async fn checkpoint(call: Call) -> Answer {
    Ok(note(call.api.operations.checkpoint(&call.peer).await?))
}

async fn cosigned_checkpoint(call: Call) -> Answer {
    Ok(note(call.api.operations.cosigned_checkpoint(&call.peer).await?))
}

fn note(text: String) -> Response {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

async fn cosignatures(call: Call, request: Request) -> Answer {
    let note = call.api.bodies.read_text(request).await?;
    let cosigned_by = call.api.operations.take_cosignatures(&call.peer, &note).await?;
    Ok(json(&json!({ "cosigned_by": cosigned_by })))
}

async fn entry(call: Call) -> Answer {
    let index = query::number("index", &call.segment)?;
    Ok(json(&call.api.operations.entry(&call.peer, index).await?))
}

async fn inclusion_proof(CallWithQuery(call, query): CallWithQuery) -> Answer {
    let [index, size] = query::numbers(&query, ["index", "size"])?;
    Ok(json(&call.api.operations.inclusion_proof(&call.peer, index, size).await?))
}

async fn consistency_proof(CallWithQuery(call, query): CallWithQuery) -> Answer {
    let [from, to] = query::numbers(&query, ["from", "to"])?;
    Ok(json(&call.api.operations.consistency_proof(&call.peer, from, to).await?))
}

/// Body of `POST /v1/freeze`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Freeze {
    reason: String,
}

async fn freeze(call: Call, request: Request) -> Answer {
    let Freeze { reason } = call.api.bodies.read_small(request).await?;
    call.api.operations.freeze_self(&call.peer, reason).await?;
    Ok(json(&json!({ "state": "frozen" })))
}

async fn document(_: Call) -> Response {
    stored_json(StatusCode::OK, openapi::document())
}

/// The one call for anybody with a certificate of the CA: says that the listener lives, and nothing else.
async fn healthz() -> &'static str {
    "ok"
}
