//! A call that is over: one line in the log. What a caller made up is not repeated in it.

use std::time::Instant;

use axum::{
    extract::{FromRequestParts, MatchedPath, RawPathParams, Request},
    response::Response,
};
use reqwest::Method;

use super::{desk::Desk, problem::ProblemCode};
use crate::journal::WithdrawalId;

/// A call under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    call: String,
    withdrawal: Option<String>,
    chain: Option<String>,
    begun: Instant,
}

impl UnderWay {
    /// Takes its time and what its path names; gives the request back.
    pub(super) async fn begin(desk: &Desk, request: Request) -> (Self, Request) {
        let begun = Instant::now();
        let (mut parts, body) = request.into_parts();
        let route = parts.extensions.get::<MatchedPath>().map_or("-", MatchedPath::as_str);
        let call = format!("{} {route}", method(&parts.method));
        let mut this = Self { call, withdrawal: None, chain: None, begun };
        if let Ok(named) = RawPathParams::from_request_parts(&mut parts, &()).await {
            let find = |name: &str| named.iter().find(|(found, _)| *found == name).map(|(_, value)| value.to_owned());
            this.withdrawal = find("id").filter(|id| id.parse::<WithdrawalId>().is_ok());
            this.chain = find("chain").filter(|name| desk.chain(name).is_ok());
        }
        (this, Request::from_parts(parts, body))
    }

    /// It was answered so. What is asked every few seconds is told at `debug` only: it would fill the disk.
    pub(super) fn finish(self, response: &Response) {
        let code = response.extensions().get::<ProblemCode>().copied();
        let outcome = code.map_or("ok", ProblemCode::name);
        let (status, ms) = (response.status().as_u16(), self.begun.elapsed().as_micros());
        let Self { call, withdrawal, chain, .. } = self;
        let (withdrawal, chain) = (withdrawal.as_deref(), chain.as_deref());
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    call,
                    withdrawal,
                    chain,
                    outcome,
                    status,
                    ms = u64::try_from(ms).unwrap_or(u64::MAX) as f64 / 1_000.0,
                    "request"
                )
            };
        }
        match code {
            Some(ProblemCode::Internal) => line!(error),
            None if ["GET /metrics", "GET /healthz"].contains(&call.as_str()) => line!(debug),
            _ => line!(info),
        }
    }
}

/// A caller may invent methods.
fn method(method: &Method) -> &str {
    let known = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::PATCH, Method::OPTIONS];
    if known.contains(method) { method.as_str() } else { "-" }
}
