//! RFC 9457 problem documents: every refusal of the daemon's API, with what to do about it.

use std::error::Error;

use appliance_wire::Retry;
use axum::response::{IntoResponse, Response};
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::journal::JournalError;

const TYPE_PREFIX: &str = "urn:chancery-watcher:problem:";

/// The refusals of the daemon's API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProblemCode {
    /// The body, the query or the path cannot be read.
    Malformed,
    /// The token is not the one of `run.token_file`.
    Unauthenticated,
    /// No withdrawal has this id.
    UnknownWithdrawal,
    /// The config has no such chain.
    UnknownChain,
    /// Nothing is at this path.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The id is bound to other content.
    Conflict,
    /// It does not follow on where things stand.
    NotPossible,
    /// The body is over the bound.
    TooLarge,
    /// The chain could never carry it out.
    Invalid,
    /// Too many streams at once.
    TooMany,
    /// What is asked for is not there yet.
    NotReady,
    /// The journal cannot be read or written.
    JournalUnavailable,
    /// A fault of ours.
    Internal,
}

impl ProblemCode {
    /// Every code.
    pub const ALL: [Self; 14] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::UnknownWithdrawal,
        Self::UnknownChain,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::NotPossible,
        Self::TooLarge,
        Self::Invalid,
        Self::TooMany,
        Self::NotReady,
        Self::JournalUnavailable,
        Self::Internal,
    ];

    /// Name, HTTP status, title and retry advice.
    fn row(self) -> (&'static str, u16, &'static str, Retry) {
        match self {
            Self::Malformed => ("malformed", 400, "The request cannot be read", Retry::Never),
            Self::Unauthenticated => ("unauthenticated", 401, "The token is not known", Retry::Later),
            Self::UnknownWithdrawal => ("unknown-withdrawal", 404, "No such withdrawal", Retry::Later),
            Self::UnknownChain => ("unknown-chain", 404, "No such chain", Retry::Later),
            Self::NotFound => ("not-found", 404, "No such resource", Retry::Never),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "Method not allowed", Retry::Never),
            Self::Conflict => ("conflict", 409, "Bound to other content", Retry::Never),
            Self::NotPossible => ("not-possible", 409, "Not possible as things stand", Retry::Later),
            Self::TooLarge => ("too-large", 413, "The request is too large", Retry::Never),
            Self::Invalid => ("invalid", 422, "The chain cannot carry this out", Retry::Never),
            Self::TooMany => ("too-many", 429, "Too many at once", Retry::Same),
            Self::NotReady => ("not-ready", 503, "Not there yet", Retry::Same),
            Self::JournalUnavailable => {
                ("journal-unavailable", 503, "The journal cannot be read or written", Retry::Same)
            }
            Self::Internal => ("internal", 500, "A fault of the watcher", Retry::Same),
        }
    }

    /// The wire name, such as `unknown-withdrawal`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().1
    }
}

/// A problem document (`application/problem+json`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct WatcherProblem {
    /// `urn:chancery-watcher:problem:<code>`.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// One sentence that says what to do.
    pub detail: String,
    /// Whether the same request may be put again.
    pub retry: Retry,
}

impl WatcherProblem {
    /// A problem.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        let (name, status, title, retry) = code.row();
        Self { type_uri: format!("{TYPE_PREFIX}{name}"), title: title.to_owned(), status, detail: detail.into(), retry }
    }

    /// The code, where it is one of ours.
    #[must_use]
    pub fn code(&self) -> Option<ProblemCode> {
        let name = self.type_uri.strip_prefix(TYPE_PREFIX)?;
        ProblemCode::ALL.into_iter().find(|code| code.name() == name)
    }
}

/// A refused call.
#[derive(Debug)]
pub(super) struct Refusal {
    code: ProblemCode,
    problem: Box<WatcherProblem>,
}

impl Refusal {
    pub(super) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { code, problem: Box::new(WatcherProblem::new(code, detail)) }
    }

    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::Malformed, detail)
    }

    fn retry_after_s(&self) -> Option<&'static str> {
        let helps = [ProblemCode::TooMany, ProblemCode::NotReady, ProblemCode::JournalUnavailable];
        helps.contains(&self.code).then_some("5")
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        let code = match &error {
            JournalError::Unknown { .. } => ProblemCode::UnknownWithdrawal,
            JournalError::Conflict(_) => ProblemCode::Conflict,
            JournalError::Refused(_) => ProblemCode::NotPossible,
            JournalError::Stopped => ProblemCode::NotReady,
            JournalError::Held { .. }
            | JournalError::Open { .. }
            | JournalError::Newer { .. }
            | JournalError::OtherFormat { .. }
            | JournalError::Store(_)
            | JournalError::Damaged { .. } => ProblemCode::JournalUnavailable,
        };
        let detail = causes(&error);
        if code == ProblemCode::JournalUnavailable {
            tracing::error!("{detail}");
        }
        Self::new(code, detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.retry_after_s() {
            response.headers_mut().insert(RETRY_AFTER, reqwest::header::HeaderValue::from_static(seconds));
        }
        response.extensions_mut().insert(self.code);
        if self.code == ProblemCode::Unauthenticated {
            response.headers_mut().insert(WWW_AUTHENTICATE, reqwest::header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An error with its causes, in one line.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
