//! The calls of the daemon's API: `/v1/...` for whoever shows the token, `/healthz` for anybody.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;

use super::{
    body::with_small_body,
    desk::Desk,
    openapi,
    problem::{ProblemCode, Refusal},
    served::UnderWay,
    server::Caller,
};

mod addresses;
mod chains;
mod deposits;
mod events;
mod portable;
mod withdrawals;

pub(super) use chains::standing;

/// What a page holds where nothing else is asked for.
const USUAL_PAGE: usize = 100;
/// What it holds at most.
const LARGEST_PAGE: usize = 1_000;

/// Every call, and a problem for whatever is none.
pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(document))
        .route("/v1/withdrawals", get(withdrawals::list))
        // So no withdrawal is called `import`.
        .route("/v1/withdrawals/import", post(portable::import))
        .route("/v1/withdrawals/{id}", get(withdrawals::show).put(withdrawals::put))
        .route("/v1/withdrawals/{id}/bump", post(withdrawals::bump))
        .route("/v1/withdrawals/{id}/cancel", post(withdrawals::cancel))
        .route("/v1/withdrawals/{id}/export", get(portable::export))
        .route("/v1/deposits", get(deposits::list))
        .route("/v1/chains", get(chains::list))
        .route("/v1/chains/{chain}", get(chains::show))
        .route("/v1/chains/{chain}/resume", post(chains::resume))
        .route("/v1/chains/{chain}/addresses", get(addresses::list))
        .route("/v1/chains/{chain}/addresses/{name}", put(addresses::assign))
        .route("/v1/events", get(events::list))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&desk), admit))
        .with_state(desk)
}

/// No token, no answer but to `/healthz`, and to `/metrics` from this machine; and no panic costs more than its request.
async fn admit(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let (under_way, request) = UnderWay::begin(&desk, request).await;
    let answer = admitted(&desk, request, next).await;
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    under_way.finish(&response);
    response
}

async fn admitted(desk: &Desk, request: Request, next: Next) -> Result<Response, Refusal> {
    let request = with_small_body(request).await?;
    let shown = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let is_open = match request.uri().path() {
        "/healthz" => true,
        "/metrics" => request.extensions().get::<Caller>().is_some_and(|caller| caller.is_local),
        _ => false,
    };
    if is_open || shown.is_some_and(|header| desk.token.is_shown(header)) {
        return Ok(without_panic(request, next).await);
    }
    let detail = "show the content of `run.token_file`: `authorization: Bearer TOKEN`";
    Err(Refusal::new(ProblemCode::Unauthenticated, detail))
}

async fn without_panic(request: Request, next: Next) -> Response {
    let mut answer = pin!(next.run(request));
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
        Ok(polled) => polled,
        Err(_) => {
            // The panic told where it was; the call's own line says whose it is.
            let detail = "report this with the watcher's log; the same request may be put again";
            Poll::Ready(Refusal::new(ProblemCode::Internal, detail).into_response())
        }
    })
    .await
}

async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], openapi::document()).into_response()
}

async fn metrics(State(desk): State<Arc<Desk>>) -> Result<Response, Refusal> {
    let text = super::metrics::text(&desk).await?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

async fn not_found() -> Refusal {
    Refusal::new(ProblemCode::NotFound, "nothing is at this path: see /openapi.json for what there is")
}

async fn method_not_allowed() -> Refusal {
    Refusal::new(ProblemCode::MethodNotAllowed, "use a method that the header `allow` names")
}

/// `200` with a JSON body.
fn json(answer: &impl Serialize) -> Result<Response, Refusal> {
    json_with(StatusCode::OK, answer)
}

fn json_with(status: StatusCode, answer: &impl Serialize) -> Result<Response, Refusal> {
    let body = serde_json::to_vec(answer);
    let body = body.map_err(|error| Refusal::new(ProblemCode::Internal, error.to_string()))?;
    Ok((status, [(CONTENT_TYPE, "application/json")], body).into_response())
}

/// Where a page begins: after this cursor, or at the first.
fn cursor(after: Option<u64>) -> Result<u64, Refusal> {
    let after = after.unwrap_or_default();
    let fits = i64::try_from(after).is_ok();
    fits.then_some(after).ok_or_else(|| Refusal::malformed(format!("`after` is a cursor: at most {}", i64::MAX)))
}

/// How long a page is.
fn page(limit: Option<usize>) -> Result<usize, Refusal> {
    let limit = limit.unwrap_or(USUAL_PAGE);
    let fits = (1..=LARGEST_PAGE).contains(&limit);
    fits.then_some(limit).ok_or_else(|| Refusal::malformed(format!("`limit` is 1 to {LARGEST_PAGE}")))
}
