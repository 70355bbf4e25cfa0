//! What a handler knows before it reads a body: who calls, on which path. Nobody unknown comes further.

use appliance_wire::RequestId;
use axum::extract::{FromRequestParts, RawPathParams};
use hyper::http::request::Parts;

use super::Api;
use crate::{
    principal::Peer,
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
        api.operations.authenticate(&peer)?;
        let segments = RawPathParams::from_request_parts(parts, api)
            .await
            .map_err(|_| malformed("the path is not UTF-8 where it is percent-decoded"))?;
        let segment = segments.iter().next().map(|(_, segment)| segment.to_owned()).unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(Self(Call { api: api.clone(), peer, segment }, query))
    }
}

/// `refusal` of the request that `id` names. What is no request id is not repeated.
pub(super) fn about(id: &str, mut refusal: Refusal) -> Refusal {
    if refusal.problem.request_id.is_none() && id.parse::<RequestId>().is_ok() {
        refusal.problem.request_id = Some(id.to_owned());
    }
    refusal
}
