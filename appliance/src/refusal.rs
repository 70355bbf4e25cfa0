//! A refusal: any answer that is not what was asked for. What it becomes on a wire is the transport's business.

use appliance_wire::{Problem, ProblemCode};

/// Why a request is refused, in the words the caller gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The problem document.
    pub problem: Box<Problem>,
}

impl Refusal {
    /// A refusal with its one sentence.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(code, detail)) }
    }

    /// Names the rule that decided.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.problem.rule = Some(rule.into());
        self
    }

    /// Names the request that holds what was asked for.
    #[must_use]
    pub fn held_by(mut self, request: impl Into<String>) -> Self {
        self.problem.held_by = Some(request.into());
        self
    }

    /// Says how many seconds to wait.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.problem.retry_after_s = Some(seconds);
        self
    }

    /// Names the request.
    #[must_use]
    pub fn of_request(mut self, request: impl Into<String>) -> Self {
        self.problem.request_id = Some(request.into());
        self
    }

    /// The problem's code.
    #[must_use]
    pub fn code(&self) -> ProblemCode {
        self.problem.code().unwrap_or(ProblemCode::Internal)
    }

    /// The log cannot be read or written, so nothing leaves.
    #[must_use]
    pub fn log_unavailable(reason: impl std::fmt::Display) -> Self {
        let detail = format!("nothing is signed while the audit log cannot be used: {reason}");
        Self::new(ProblemCode::AuditLogUnavailable, detail).retry_after(5)
    }
}
