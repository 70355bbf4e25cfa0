//! Refusals as they leave: RFC 9457 problem documents, all through the one function of this file.

use appliance_wire::ProblemCode;
use axum::response::{IntoResponse, Response};
use hyper::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};

use crate::refusal::Refusal;

/// Left in a response's extensions, for the count.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) code: ProblemCode,
    /// The rule or limit of the policy that decided.
    pub(super) rule: Option<String>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = self.problem;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = problem.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let (code, rule) = (problem.code().unwrap_or(ProblemCode::Internal), problem.rule.or(problem.limit));
        response.extensions_mut().insert(Refused { code, rule });
        response
    }
}

/// The request cannot be read.
pub(super) fn malformed(detail: impl Into<String>) -> Refusal {
    Refusal::new(ProblemCode::Malformed, detail)
}

/// A fault of ours; what it was is in the log, not in the answer.
pub(super) fn internal() -> Refusal {
    let mut refusal = Refusal::new(ProblemCode::Internal, "put the same request again; the appliance's log says more");
    refusal.problem.retry_after_s = Some(1);
    refusal
}
