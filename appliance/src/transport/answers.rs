//! What every answer of every listener has in common.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use appliance_wire::ProblemCode;
use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use hyper::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;

use super::{
    problem::internal,
    served::{Served, UnderWay},
};
use crate::refusal::Refusal;

/// `routes`, whose every answer is of our form: no other path, no other method, no panic ends otherwise than as a
/// problem. `tell` is told of each request, once, when it is over.
pub(super) fn finished(routes: Router, tell: impl Fn(&Served<'_>) + Clone + Send + Sync + 'static) -> Router {
    routes.fallback(not_found).method_not_allowed_fallback(method_not_allowed).layer(from_fn(
        move |mut request: Request, next: Next| {
            let under_way = UnderWay::begin(&mut request, tell.clone());
            async move {
                let mut response = without_panic(request, next).await;
                response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
                under_way.finish(&response);
                response
            }
        },
    ))
}

/// A panic costs its request, not the connection that carries others.
async fn without_panic(request: Request, next: Next) -> Response {
    let mut answer = pin!(next.run(request));
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
        Ok(polled) => polled,
        // The panic told where it was; the request's own line says whose it is.
        Err(_) => Poll::Ready(internal().into_response()),
    })
    .await
}

async fn not_found() -> Refusal {
    Refusal::new(ProblemCode::NotFound, "nothing is at this path: see /openapi.json for what there is")
}

async fn method_not_allowed() -> Refusal {
    Refusal::new(ProblemCode::MethodNotAllowed, "use a method that the header `allow` names")
}

/// `200` with a compact JSON body.
pub(super) fn json(answer: &impl Serialize) -> Response {
    json_with(StatusCode::OK, answer)
}

/// A compact JSON body with another status.
pub(super) fn json_with(status: StatusCode, answer: &impl Serialize) -> Response {
    match serde_json::to_vec(answer) {
        Ok(body) => stored_json(status, body),
        Err(error) => {
            tracing::error!(%error, "an answer has no JSON form");
            internal().into_response()
        }
    }
}

/// A body that is JSON already.
pub(super) fn stored_json(status: StatusCode, body: impl IntoResponse) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{body::Body, routing::get};
    use tower::ServiceExt;

    use super::*;
    use crate::transport::testing::Answer;

    async fn broken() {
        panic!("on purpose");
    }

    #[tokio::test]
    async fn every_refusal_is_a_problem_and_is_told_once() {
        let counted = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&counted);
        let routes =
            Router::new().route("/good", get(|| async { json(&"good") }).put(|| async {})).route("/panic", get(broken));
        let router = finished(routes, move |served| {
            let code = served.refused.map(|refused| refused.code);
            seen.lock().unwrap().push((served.call.to_owned(), served.status, code));
        });
        let cases = [
            ("GET", "/good", 200, None),
            ("HEAD", "/good", 200, None),
            ("GET", "/absent", 404, Some(ProblemCode::NotFound)),
            ("GET", "/good/", 404, Some(ProblemCode::NotFound)),
            ("GET", "//good", 404, Some(ProblemCode::NotFound)),
            ("GET", "/x/../good", 404, Some(ProblemCode::NotFound)),
            ("DELETE", "/good", 405, Some(ProblemCode::MethodNotAllowed)),
            ("BREW", "/good", 405, Some(ProblemCode::MethodNotAllowed)),
            ("OPTIONS", "*", 404, Some(ProblemCode::NotFound)),
            ("GET", "/panic", 500, Some(ProblemCode::Internal)),
        ];
        for (method, path, status, problem) in cases {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let answer = Answer::read(router.clone().oneshot(request).await.unwrap()).await;
            assert_eq!(answer.status, status, "{method} {path}");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.header("allow"), if status == 405 { "GET,HEAD,PUT" } else { "" });
            if let Some(code) = problem {
                assert_eq!(answer.problem(), code.name());
            }
            let mut told = counted.lock().unwrap();
            let (call, told_status, code) = told.pop().unwrap();
            assert_eq!((told_status, code, told.len()), (Some(status), problem, 0), "{method} {path}");
            // Neither a path nor a method that a caller made up is repeated.
            let known = ["GET", "HEAD", "DELETE", "OPTIONS"].contains(&method);
            let route = if status == 404 { "-" } else { path };
            assert_eq!(call, format!("{} {route}", if known { method } else { "-" }));
        }
    }

    #[tokio::test]
    async fn a_request_whose_caller_leaves_is_told_as_abandoned() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&told);
        let routes = Router::new().route("/slow", get(std::future::pending::<()>));
        let router = finished(routes, move |served| seen.lock().unwrap().push((served.call.to_owned(), served.status)));
        let request = Request::builder().uri("/slow").body(Body::empty()).unwrap();
        let mut answer = Box::pin(router.oneshot(request));
        let is_pending = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context).is_pending())).await;
        assert!(is_pending);
        assert!(told.lock().unwrap().is_empty());
        drop(answer);
        assert_eq!(*told.lock().unwrap(), [("GET /slow".to_owned(), None)]);
    }
}
