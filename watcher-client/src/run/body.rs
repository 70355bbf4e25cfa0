//! Bodies and queries, read within bounds and strictly: what is not meant is refused, never guessed.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::{FromRequest, FromRequestParts, Query, Request},
};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::{ProblemCode, Refusal};

const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// A few words.
pub(super) const SMALL: usize = 64 << 10;
/// An unsigned transaction with the transactions before it, in base64, and some variants of it.
pub(super) const LARGE: usize = 32 << 20;

/// A body of JSON with at most `MOST` bytes.
pub(super) struct Json<T, const MOST: usize = SMALL>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned, const MOST: usize> FromRequest<S> for Json<T, MOST> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let headers = request.headers();
        let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if !essence.eq_ignore_ascii_case(b"application/json") || headers.contains_key(CONTENT_ENCODING) {
            return Err(Refusal::malformed("send the body as it is, with the header `content-type: application/json`"));
        }
        let bytes = read(request.into_body(), MOST).await?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Refusal::malformed(format!("the body is not of the documented form: {error}")))
    }
}

/// The request with its body in memory, where that is small.
///
/// hyper closes the connection behind an answer to a request that was not read to its end, and a client that keeps its
/// connections loses its next one: so small bodies are read before anything can be refused.
pub(super) async fn with_small_body(request: Request) -> Result<Request, Refusal> {
    let length = request.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
    if length.is_none_or(|length| length > SMALL) {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    Ok(Request::from_parts(parts, Body::from(read(body, SMALL).await?)))
}

async fn read(body: Body, most: usize) -> Result<Bytes, Refusal> {
    let read = timeout(BODY_TIMEOUT, to_bytes(body, most)).await;
    let read = read.map_err(|_| Refusal::malformed("the body did not arrive in time: send it faster"))?;
    read.map_err(|_| {
        let detail = format!("this call takes a body of at most {most} bytes: send less, and all of it");
        Refusal::new(ProblemCode::TooLarge, detail)
    })
}

/// What the query asks for.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, Refusal> {
        let asked = Query::try_from_uri(&parts.uri);
        asked.map(|Query(asked)| Self(asked)).map_err(|error| Refusal::malformed(error.body_text()))
    }
}

/// A part of the path.
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Refusal> {
        let named = axum::extract::Path::from_request_parts(parts, state).await;
        named.map(|axum::extract::Path(named)| Self(named)).map_err(|error| Refusal::malformed(error.body_text()))
    }
}
