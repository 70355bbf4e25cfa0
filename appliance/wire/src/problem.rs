//! RFC 9457 problem documents: every refusal, with what to do about it.

use serde::{Deserialize, Serialize};

/// The refusals of the API. The wire name is the variant in kebab case, `urn:chancery:problem:<code>`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// The body, a header or the path cannot be read.
    Malformed,
    /// No watcher of the policy has this certificate's key.
    Unauthenticated,
    /// No rule allows it, or one denies it.
    Denied,
    /// A limit's window has too little left.
    LimitExceeded,
    /// No such key, or not granted.
    UnknownKey,
    /// No request of this watcher has this id.
    UnknownRequest,
    /// The id, or a reference, is bound to other content.
    RequestConflict,
    /// An input is held by another withdrawal.
    InputReserved,
    /// `expires_at` has passed.
    Expired,
    /// The body or a message is longer than allowed.
    TooLarge,
    /// A digest is not the transaction's.
    DigestMismatch,
    /// The key's level asks for more than the request carries.
    EvidenceRequired,
    /// The evidence cannot be read or does not fit.
    EvidenceInvalid,
    /// The key, the watcher or the appliance is frozen.
    Frozen,
    /// Too many requests or refusals from this watcher.
    RateLimited,
    /// The audit log cannot be written, so nothing is signed.
    AuditLogUnavailable,
    /// The token does not answer, or is full of work.
    TokenUnavailable,
    /// No such resource.
    NotFound,
    /// The resource does not take this method.
    MethodNotAllowed,
    /// A fault of ours.
    Internal,
}

/// Whether and how the same request may be put again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Retry {
    /// The same id, after `Retry-After`.
    Same,
    /// The same id, decided afresh, when circumstances changed.
    Later,
    /// Never with this content.
    Never,
}

impl ProblemCode {
    /// Every code, in the order of the contract's table.
    pub const ALL: [Self; 20] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::Denied,
        Self::LimitExceeded,
        Self::UnknownKey,
        Self::UnknownRequest,
        Self::RequestConflict,
        Self::InputReserved,
        Self::Expired,
        Self::TooLarge,
        Self::DigestMismatch,
        Self::EvidenceRequired,
        Self::EvidenceInvalid,
        Self::Frozen,
        Self::RateLimited,
        Self::AuditLogUnavailable,
        Self::TokenUnavailable,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Internal,
    ];

    /// Name, HTTP status, title and retry advice.
    fn row(self) -> (&'static str, u16, &'static str, Retry) {
        match self {
            Self::Malformed => ("malformed", 400, "The request cannot be read", Retry::Never),
            Self::Unauthenticated => ("unauthenticated", 401, "The client certificate is not known", Retry::Later),
            Self::Denied => ("denied", 403, "The policy denies this", Retry::Later),
            Self::LimitExceeded => ("limit-exceeded", 403, "A limit has too little left", Retry::Later),
            Self::UnknownKey => ("unknown-key", 404, "No such key is granted", Retry::Later),
            Self::UnknownRequest => ("unknown-request", 404, "No such request", Retry::Later),
            Self::RequestConflict => ("request-conflict", 409, "Bound to other content", Retry::Never),
            Self::InputReserved => ("input-reserved", 409, "An input is held by another withdrawal", Retry::Later),
            Self::Expired => ("expired", 410, "The request has expired", Retry::Never),
            Self::TooLarge => ("too-large", 413, "The request is too large", Retry::Never),
            Self::DigestMismatch => ("digest-mismatch", 422, "A digest is not the transaction's", Retry::Never),
            Self::EvidenceRequired => ("evidence-required", 422, "The key asks for evidence", Retry::Never),
            Self::EvidenceInvalid => ("evidence-invalid", 422, "The evidence does not fit", Retry::Never),
            Self::Frozen => ("frozen", 423, "Frozen", Retry::Later),
            Self::RateLimited => ("rate-limited", 429, "Too many requests", Retry::Same),
            Self::AuditLogUnavailable => ("audit-log-unavailable", 503, "The audit log cannot be written", Retry::Same),
            Self::TokenUnavailable => ("token-unavailable", 503, "The token cannot sign now", Retry::Same),
            Self::NotFound => ("not-found", 404, "No such resource", Retry::Never),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "Method not allowed", Retry::Never),
            Self::Internal => ("internal", 500, "A fault of the appliance", Retry::Same),
        }
    }

    /// The wire name, such as `limit-exceeded`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// Reads the wire name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

/// A problem document (`application/problem+json`). Optional members are there where they matter.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:chancery:problem:<code>`.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// One sentence that says what to do.
    pub detail: String,
    /// Whether the same id may be put again.
    pub retry: Retry,
    /// The rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The limit that is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// What the limit has left: an amount, or a number of signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// When enough of the window will be free again, as far as known (RFC 3339, by today's wall clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frees_at: Option<String>,
    /// The request that holds what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
    /// The request this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Seconds to wait, also in the header `Retry-After`.
    #[serde(skip)]
    pub retry_after_s: Option<u64>,
}

const TYPE_PREFIX: &str = "urn:chancery:problem:";

impl Problem {
    /// A problem without optional members.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        let (name, status, title, retry) = code.row();
        Self {
            type_uri: format!("{TYPE_PREFIX}{name}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            retry,
            rule: None,
            limit: None,
            remaining: None,
            frees_at: None,
            held_by: None,
            request_id: None,
            retry_after_s: None,
        }
    }

    /// The code, where it is one of ours.
    #[must_use]
    pub fn code(&self) -> Option<ProblemCode> {
        self.type_uri.strip_prefix(TYPE_PREFIX).and_then(ProblemCode::from_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_serde_agree() {
        for code in ProblemCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
            assert_eq!(Problem::new(code, "x").code(), Some(code));
        }
    }
}
