//! One sign call of a token, in as many pieces as it takes; its failures are counted by the device's code.

use hsm_drivers::{
    Disposition, Error,
    worker::{Request, Response},
};
use hsm_types::{KeyLabel, RawSignature, ToSign};

use super::{RETRY_AFTER_S, Tokens, device_log::MOST_AT_ONCE, token::Token};
use crate::audit::Failure;

/// Longer than any code's name.
const LONGEST_CODE: usize = 48;

impl Tokens {
    pub(super) async fn sign_in(
        &self,
        token: &Token,
        key: &KeyLabel,
        inputs: &[ToSign],
    ) -> Result<Vec<RawSignature>, Failure> {
        let down = || not_sent(token.down_reason());
        let up = token.worker().ok_or_else(down)?;
        let most = if up.line.device_log.is_some() { MOST_AT_ONCE } else { usize::MAX };
        let mut signatures = Vec::new();
        for inputs in inputs.chunks(most) {
            let request = Request::Sign { key: key.clone(), inputs: inputs.to_vec() };
            match up.line.ask(request, token.load.deadline(inputs.len())).await {
                Ok(Response::Signatures(some)) => signatures.extend(some),
                Ok(_) => return Err(Failure { outcome_unknown: true, ..failure(&nonsense()) }),
                Err(error) => {
                    self.metrics.token_failed(token.name(), error_code(&error));
                    let failure = failure(&error);
                    // Of several, some may have been made when one fails.
                    let several = inputs.len() > 1 || !signatures.is_empty();
                    return Err(Failure { outcome_unknown: several || failure.outcome_unknown, ..failure });
                }
            }
        }
        Ok(signatures)
    }
}

fn failure(error: &Error) -> Failure {
    let outcome_unknown = error.disposition() == Disposition::OutcomeUnknown;
    Failure { reason: error.to_string(), outcome_unknown, retry_after_s: RETRY_AFTER_S }
}

pub(super) fn nonsense() -> Error {
    Error::WorkerGone { reason: "it answered something else".to_owned() }
}

pub(super) fn not_sent(reason: String) -> Failure {
    Failure { reason, outcome_unknown: false, retry_after_s: RETRY_AFTER_S }
}

/// The code as a metric's label: only such as are named in a specification, for a module may answer any number.
fn error_code(error: &Error) -> &str {
    if let Error::Call { cause, .. } = error {
        return if is_a_name(cause) { cause } else { "other" };
    }
    let kinds = [
        (matches!(error, Error::PinRefused { .. } | Error::PinNotTried { .. }), "pin"),
        (matches!(error, Error::UnknownKey { .. }), "unknown-key"),
        (matches!(error, Error::KeyUnfit { .. }), "key-unfit"),
        (matches!(error, Error::WrongInput { .. }), "wrong-input"),
        (matches!(error, Error::WorkerGone { .. }), "worker-gone"),
    ];
    kinds.into_iter().find_map(|(is_it, code)| is_it.then_some(code)).unwrap_or("other")
}

fn is_a_name(cause: &str) -> bool {
    cause.len() <= LONGEST_CODE && cause.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_has_no_name_is_no_label() {
        let call = |cause: &str| Error::Call {
            attempted: "C_Sign with key \"btc-hot\"".to_owned(),
            cause: cause.to_owned(),
            disposition: Disposition::OutcomeUnknown,
        };
        assert_eq!(error_code(&call("CKR_DEVICE_REMOVED")), "CKR_DEVICE_REMOVED");
        assert_eq!(error_code(&call("session-failed")), "session-failed");
        for unnamed in ["0x80000123", "the token returned 63 bytes, not 64", &"A".repeat(49)] {
            assert_eq!(error_code(&call(unnamed)), "other");
        }
        assert_eq!(error_code(&Error::WorkerGone { reason: "killed".to_owned() }), "worker-gone");
    }
}
