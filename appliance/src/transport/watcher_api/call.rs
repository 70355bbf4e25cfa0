//! What a handler knows before it reads a body: who calls, on which path. Nobody unknown comes further.

use std::sync::Arc;

use appliance_wire::RequestId;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use hyper::http::request::Parts;

use super::Api;
use crate::{
    call_notes::CallNotes,
    principal::{Peer, Principal},
    refusal::Refusal,
    transport::problem::{internal, malformed},
};

/// A call of a watcher in the policy, without query parameters.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) api: Api,
    pub(super) peer: Peer,
    /// The path's variable part, decoded; empty where it has none.
    pub(super) segment: String,
    /// For the line in the log.
    pub(super) notes: Arc<CallNotes>,
}

/// Likewise, with the query's text.
#[derive(Debug)]
pub(super) struct CallWithQuery(pub(super) Call, pub(super) String);

impl FromRequestParts<Api> for Call {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let CallWithQuery(call, query) = CallWithQuery::from_request_parts(parts, api).await?;
        if query.is_empty() { Ok(call) } else { Err(malformed("this call takes no query parameters")) }
    }
}

impl FromRequestParts<Api> for CallWithQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<Peer>().cloned().ok_or_else(internal)?;
        let notes = parts.extensions.get::<Arc<CallNotes>>().cloned().unwrap_or_default();
        let principal = api.operations.authenticate(&peer)?;
        notes.note_watcher(principal.watcher());
        let segments = RawPathParams::from_request_parts(parts, api)
            .await
            .map_err(|_| malformed("the path is not UTF-8 where it is percent-decoded"))?;
        let segment = segments.iter().next().map(|(_, segment)| segment.to_owned()).unwrap_or_default();
        note(&notes, parts, api, &principal, &segment);
        let query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(Self(Call { api: api.clone(), peer, segment, notes }, query))
    }
}

/// Notes the request or the key that the path names, where it is one.
fn note(notes: &CallNotes, parts: &Parts, api: &Api, principal: &Principal, segment: &str) {
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if route.starts_with("/v1/signatures/") && segment.parse::<RequestId>().is_ok() {
        notes.note_request(segment);
    } else if route.starts_with("/v1/keys/")
        && let Some(key) = api.operations.granted(principal, segment)
    {
        notes.note_key(&key);
    }
}

/// `refusal` of the request that `id` names. What is no request id is not repeated.
pub(super) fn about(id: &str, mut refusal: Refusal) -> Refusal {
    if refusal.problem.request_id.is_none() && id.parse::<RequestId>().is_ok() {
        refusal.problem.request_id = Some(id.to_owned());
    }
    refusal
}
