//! What can go wrong at a device, and what may be done next.

mod login;

use std::time::Duration;

use hsm_types::KeyLabel;

pub use self::login::{Login, TriesLeft};
use crate::yubihsm2::protocol::SESSION_IDLE_SECONDS;

/// Whether a signature can exist, and whether the device is still good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disposition {
    /// The device was not asked: no signature exists.
    NotSent,
    /// The device answered no: no signature exists, the session is good.
    Refused,
    /// The device was asked to sign and gave no usable answer: a signature may exist.
    OutcomeUnknown,
    /// No signature was asked for, but session or token are no longer usable and must be opened afresh.
    Broken,
}

/// A failure of a device, its driver or its worker.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The token does not accept this PIN. Trying it again would use up tries.
    #[error(
        "login to {token}: the PIN was refused; the token {}; it is not tried again: {}",
        tries_left.in_words(),
        tries_left.remedy(*login)
    )]
    PinRefused {
        /// Which token, in words.
        token: String,
        /// Whose PIN.
        login: Login,
        /// What the token said after the refusal.
        tries_left: TriesLeft,
    },

    /// The PIN was not tried, since a wrong one would lock the token.
    #[error("login to {token}: not tried, for the token {}: {}", tries_left.in_words(), tries_left.remedy(*login))]
    PinNotTried {
        /// Which token, in words.
        token: String,
        /// Whose PIN.
        login: Login,
        /// What the token said before any try.
        tries_left: TriesLeft,
    },

    /// The password was not tried, since it is the one every device leaves the factory with.
    #[error(
        "login to {token}: not tried, for its password is the factory's, which everybody knows: make an authentication \
         key of your own, delete this one, and name yours in the configuration"
    )]
    FactoryPassword {
        /// Which token, in words.
        token: String,
    },

    /// Who serves could take keys away with this authentication key.
    #[error(
        "login to {token}: its capabilities {rights} let keys leave the device wrapped, or come in: make an \
         authentication key without them for the appliance, and name that in the configuration"
    )]
    WrapRights {
        /// Which token, in words.
        token: String,
        /// The capabilities, with commas between.
        rights: String,
    },

    /// The device has no session left.
    #[error(
        "login to {token}: all sessions of the device are in use; it forgets each after {} idle seconds: try again then, \
         and see what else holds sessions",
        SESSION_IDLE_SECONDS
    )]
    SessionsFull {
        /// Which token, in words.
        token: String,
    },

    /// A PKCS#11 token gives no further session (`CKR_SESSION_COUNT`).
    #[error(
        "opening session {} of {wanted} on {token}: the token gives no more (CKR_SESSION_COUNT): write a smaller \
         `sessions` for it in the configuration, or end what else holds sessions",
        opened + 1
    )]
    SessionLimit {
        /// Which token, in words.
        token: String,
        /// How many were opened before.
        opened: usize,
        /// How many there were to be.
        wanted: usize,
    },

    /// The file is no module that this machine could load.
    #[error("loading PKCS#11 module {module}: {reason}")]
    ModuleUnfit {
        /// Its path.
        module: String,
        /// Why, and what to do, in words.
        reason: String,
    },

    /// No slot holds the token looked for.
    #[error(
        "{token}: not found; the module shows {}: plug it in, or write its `label` and `serial` as they are",
        if found.is_empty() { "no token" } else { found }
    )]
    TokenNotFound {
        /// Which token, in words.
        token: String,
        /// The tokens there are, in words.
        found: String,
    },

    /// More than one token answers the description.
    #[error(
        "{token}: {} tokens are called so, with serials {}: name the `serial` of the right one in the configuration; \
         where serials are the same, one is a copy: take it away",
        serials.len(),
        serials.join(", ")
    )]
    AmbiguousToken {
        /// Which token, in words.
        token: String,
        /// Their serial numbers.
        serials: Vec<String>,
    },

    /// A token of this label is there already, and initialising another would make the name ambiguous.
    #[error("{token}: there is one already")]
    TokenExists {
        /// Which token, in words.
        token: String,
    },

    /// No private key has this label.
    #[error("key \"{key}\": the device has no such key")]
    UnknownKey {
        /// The label looked for.
        key: KeyLabel,
    },

    /// More than one private key has this label.
    #[error(
        "key \"{key}\": the device has more than one of this label: find out who made the other, and destroy it or give it \
         another label"
    )]
    AmbiguousKey {
        /// The label looked for.
        key: KeyLabel,
    },

    /// A private key of this label is there already.
    #[error("key \"{key}\": the device has one already")]
    KeyExists {
        /// The label wanted for a new key.
        key: KeyLabel,
    },

    /// The key is not what a serving key must be.
    #[error("key \"{key}\" may not serve: {}", findings.join("; "))]
    KeyUnfit {
        /// The key.
        key: KeyLabel,
        /// Every deviation, each a clause in words.
        findings: Vec<String>,
    },

    /// The key does not sign such an input; the device was not asked.
    #[error("key \"{key}\": {reason}")]
    WrongInput {
        /// The key.
        key: KeyLabel,
        /// Why, a clause in words.
        reason: String,
    },

    /// A call to the device failed.
    #[error("{attempted}: {cause}")]
    Call {
        /// What was attempted, on what: `C_Sign with key "btc-hot"`.
        attempted: String,
        /// The code, or what was wrong with the answer.
        cause: String,
        /// What it means for the signature and the session.
        disposition: Disposition,
    },

    /// The worker process ended before it answered.
    #[error("token worker: {reason}")]
    WorkerGone {
        /// How it ended.
        reason: String,
    },
}

impl Error {
    /// Whether a signature can exist, and whether the device is still good.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::PinRefused { .. } => Disposition::Refused,
            Self::TokenNotFound { .. } | Self::SessionsFull { .. } | Self::SessionLimit { .. } => Disposition::Broken,
            Self::WorkerGone { .. } => Disposition::OutcomeUnknown,
            Self::Call { disposition, .. } => *disposition,
            Self::PinNotTried { .. }
            | Self::FactoryPassword { .. }
            | Self::WrapRights { .. }
            | Self::ModuleUnfit { .. }
            | Self::AmbiguousToken { .. }
            | Self::TokenExists { .. }
            | Self::UnknownKey { .. }
            | Self::AmbiguousKey { .. }
            | Self::KeyExists { .. }
            | Self::KeyUnfit { .. }
            | Self::WrongInput { .. } => Disposition::NotSent,
        }
    }

    /// Whether trying again cannot help, and may harm, until a person has acted.
    #[must_use]
    pub fn needs_operator(&self) -> bool {
        match self {
            Self::PinRefused { .. }
            | Self::PinNotTried { .. }
            | Self::FactoryPassword { .. }
            | Self::WrapRights { .. }
            | Self::ModuleUnfit { .. }
            | Self::AmbiguousToken { .. }
            | Self::TokenExists { .. }
            | Self::AmbiguousKey { .. }
            | Self::KeyExists { .. }
            | Self::KeyUnfit { .. } => true,
            Self::TokenNotFound { .. }
            | Self::SessionsFull { .. }
            | Self::SessionLimit { .. }
            | Self::UnknownKey { .. }
            | Self::WrongInput { .. }
            | Self::Call { .. }
            | Self::WorkerGone { .. } => false,
        }
    }

    /// How long nothing can change, where that is known: no earlier try is worth its cost.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        matches!(self, Self::SessionsFull { .. }).then_some(Duration::from_secs(SESSION_IDLE_SECONDS))
    }

    /// Whether the session that gave this error must not be used again.
    pub(crate) fn ends_session(&self) -> bool {
        matches!(self.disposition(), Disposition::OutcomeUnknown | Disposition::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_pin_says_what_is_left_and_what_to_do() {
        let refused = |login, tries_left| Error::PinRefused { token: "token \"t\"".to_owned(), login, tries_left };
        assert_eq!(
            refused(Login::User, TriesLeft::CountLow).to_string(),
            "login to token \"t\": the PIN was refused; the token says that fewer tries are left than at first, not \
             how many; it is not tried again: put the right PIN where the configuration says, then start again"
        );
        let locked = |login| refused(login, TriesLeft::Locked).to_string();
        assert!(
            locked(Login::User)
                .ends_with("no try is left; it is not tried again: have the security officer set the PIN anew")
        );
        assert!(!locked(Login::SecurityOfficer).contains("have the security officer"));
        assert!(locked(Login::SecurityOfficer).contains("maker's reset"));
    }

    #[test]
    fn tokens_of_one_name_are_told_by_their_serials() {
        let serials = vec!["0a".to_owned(), "0a".to_owned()];
        let error = Error::AmbiguousToken { token: "token \"t\" with serial 0a".to_owned(), serials }.to_string();
        assert!(
            error.starts_with("token \"t\" with serial 0a: 2 tokens are called so, with serials 0a, 0a: "),
            "{error}"
        );
        assert!(error.ends_with("where serials are the same, one is a copy: take it away"), "{error}");
    }

    #[test]
    fn a_call_is_told_by_attempt_and_code() {
        let error = Error::Call {
            attempted: "C_Sign with key \"btc-hot\"".to_owned(),
            cause: "CKR_DEVICE_REMOVED".to_owned(),
            disposition: Disposition::OutcomeUnknown,
        };
        assert_eq!(error.to_string(), "C_Sign with key \"btc-hot\": CKR_DEVICE_REMOVED");
    }
}
