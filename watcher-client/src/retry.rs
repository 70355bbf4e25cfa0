//! Whether and when the same request is put again: a pure decision, without clock and chance.

use std::time::Duration;

use appliance_wire::{Problem, Retry};

use crate::TransportError;

/// Why there is no final answer yet.
#[derive(Clone, Copy, Debug)]
pub enum Setback<'a> {
    /// Accepted, but not signed yet; with the seconds of `Retry-After`.
    Accepted(Option<u64>),
    /// Refused.
    Problem(&'a Problem),
    /// No answer arrived; the request may have been accepted and signed all the same.
    Transport(&'a TransportError),
}

/// What to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Put the same bytes again under the same id: not earlier than this.
    Again(Duration),
    /// Asking again cannot help, or is for the caller to decide.
    GiveUp,
}

const LONGEST_RETRY_AFTER_S: u64 = 30;
const FIRST_PAUSE_MS: u64 = 250;
const LONGEST_PAUSE_MS: u64 = 8_000;

/// Decides after attempt number `attempt`, counted from 0.
///
/// `same` is put again; `later` and `never` need a person or another request. A lost reply is asked for again, because
/// the same id and content gives the same bytes. What concerns certificates does not mend itself.
#[must_use]
pub fn decide(setback: Setback<'_>, attempt: u32) -> Decision {
    match setback {
        Setback::Accepted(retry_after_s) => Decision::Again(pause(retry_after_s, attempt)),
        Setback::Problem(problem) => match problem.retry {
            Retry::Same => Decision::Again(pause(problem.retry_after_s, attempt)),
            Retry::Later | Retry::Never => Decision::GiveUp,
        },
        Setback::Transport(error) => match error {
            TransportError::NotReachable { .. } | TransportError::TimedOut { .. } | TransportError::Broken { .. } => {
                Decision::Again(pause(None, attempt))
            }
            TransportError::ClientCertificateRefused { .. }
            | TransportError::ServerCertificate { .. }
            | TransportError::Tls { .. } => Decision::GiveUp,
        },
    }
}

/// What the signer asked for, capped, or our own doubling pause.
fn pause(retry_after_s: Option<u64>, attempt: u32) -> Duration {
    match retry_after_s {
        Some(seconds) => Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER_S)),
        None => Duration::from_millis((FIRST_PAUSE_MS << attempt.min(10)).min(LONGEST_PAUSE_MS)),
    }
}

/// Up to a quarter longer, so that watchers that were refused together do not come back together. `chance` is in 0..1.
#[must_use]
pub(crate) fn with_jitter(pause: Duration, chance: f64) -> Duration {
    pause + pause.mul_f64(chance / 4.0)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use appliance_wire::ProblemCode;

    use super::*;

    #[test]
    fn the_whole_problem_table() {
        for code in ProblemCode::ALL {
            let same = match code {
                ProblemCode::RateLimited
                | ProblemCode::AuditLogUnavailable
                | ProblemCode::TokenUnavailable
                | ProblemCode::Internal => true,
                ProblemCode::Malformed
                | ProblemCode::Unauthenticated
                | ProblemCode::Denied
                | ProblemCode::LimitExceeded
                | ProblemCode::UnknownKey
                | ProblemCode::UnknownRequest
                | ProblemCode::RequestConflict
                | ProblemCode::InputReserved
                | ProblemCode::Expired
                | ProblemCode::TooLarge
                | ProblemCode::DigestMismatch
                | ProblemCode::EvidenceRequired
                | ProblemCode::EvidenceInvalid
                | ProblemCode::Frozen
                | ProblemCode::NotFound
                | ProblemCode::MethodNotAllowed => false,
            };
            let mut problem = Problem::new(code, "x");
            problem.retry_after_s = Some(3);
            let wanted = if same { Decision::Again(Duration::from_secs(3)) } else { Decision::GiveUp };
            assert_eq!(decide(Setback::Problem(&problem), 0), wanted, "{code:?}");
        }
    }

    #[test]
    fn retry_after_is_kept_and_capped_and_our_own_pause_doubles() {
        assert_eq!(decide(Setback::Accepted(Some(2)), 9), Decision::Again(Duration::from_secs(2)));
        assert_eq!(decide(Setback::Accepted(Some(86_400)), 0), Decision::Again(Duration::from_secs(30)));
        let pauses = [0, 1, 2, 3, 4, 5, 6, 63].map(|attempt| decide(Setback::Accepted(None), attempt));
        let wanted = [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000];
        assert_eq!(pauses, wanted.map(|ms| Decision::Again(Duration::from_millis(ms))));
    }

    #[test]
    fn a_lost_reply_is_asked_for_again_and_a_refused_certificate_is_not() {
        let url = || "https://signer".to_owned();
        let reason = || "reset".to_owned();
        let again = Decision::Again(Duration::from_millis(500));
        for (error, wanted) in [
            (TransportError::NotReachable { url: url(), reason: reason() }, again),
            (TransportError::TimedOut { url: url() }, again),
            (TransportError::Broken { url: url(), reason: reason() }, again),
            (
                TransportError::ClientCertificateRefused {
                    url: url(),
                    certificate: PathBuf::new(),
                    alert: reason(),
                    advice: "",
                },
                Decision::GiveUp,
            ),
            (TransportError::ServerCertificate { url: url(), ca: PathBuf::new(), reason: reason() }, Decision::GiveUp),
            (TransportError::Tls { url: url(), reason: reason() }, Decision::GiveUp),
        ] {
            assert_eq!(decide(Setback::Transport(&error), 1), wanted, "{error}");
        }
    }

    #[test]
    fn jitter_never_shortens() {
        let pause = Duration::from_secs(4);
        assert_eq!(with_jitter(pause, 0.0), pause);
        assert_eq!(with_jitter(pause, 0.5), Duration::from_millis(4_500));
    }
}
