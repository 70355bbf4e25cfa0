//! Who looks: collects what is found, and tells each step before it is taken.

use std::time::{Duration, Instant};

use super::{Finding, Level, Report};
use crate::Error;

/// Told what is done next, with all that was found before.
type Tell<'a> = &'a mut dyn FnMut(&str, &Report);

/// How often those who wait are told that the same step goes on.
const AGAIN_EVERY: Duration = Duration::from_millis(250);

/// One look at one token.
pub(crate) struct Examiner<'a> {
    pub(crate) report: Report,
    tell: Tell<'a>,
    told: Instant,
}

impl<'a> Examiner<'a> {
    pub(crate) fn new(tell: Tell<'a>) -> Self {
        Self { report: Report::default(), tell, told: Instant::now() }
    }

    /// To be called before anything that may hang or crash. `doing` completes "the module did not answer ...".
    pub(crate) fn step(&mut self, doing: &str) {
        (self.tell)(doing, &self.report);
        self.told = Instant::now();
    }

    /// To be called in a loop, in place of [`Self::step`] of each turn.
    pub(crate) fn step_on(&mut self, doing: impl FnOnce() -> String) {
        if self.told.elapsed() >= AGAIN_EVERY {
            self.step(&doing());
        }
    }

    pub(crate) fn works(&mut self, what: impl Into<String>) {
        self.find(Level::Works, what.into(), None);
    }

    pub(crate) fn odd(&mut self, what: impl Into<String>, advice: impl Into<String>) {
        self.find(Level::Odd, what.into(), Some(advice.into()));
    }

    pub(crate) fn wrong(&mut self, what: impl Into<String>, advice: impl Into<String>) {
        self.find(Level::Wrong, what.into(), Some(advice.into()));
    }

    /// An error after which the rest can be looked at still.
    pub(crate) fn failed(&mut self, level: Level, error: &Error) {
        self.find(level, error.to_string(), advice(error));
    }

    fn find(&mut self, level: Level, what: String, advice: Option<String>) {
        self.report.findings.push(Finding { level, what, advice });
    }
}

/// What to do about an error whose own words do not say it.
pub(crate) fn advice(error: &Error) -> Option<String> {
    let advice = match error {
        Error::Call { attempted, cause, .. } => of_call(attempted, cause),
        Error::TokenNotFound { .. } => {
            "see that the module finds its own configuration: variables it reads go into environment = { ... }"
        }
        Error::UnknownKey { key } => {
            return Some(format!("make it: `chancery-provision key generate {key} --algorithm secp256k1`"));
        }
        Error::AmbiguousKey { .. } => "give one of them another label: neither is ever chosen",
        Error::KeyUnfit { .. } => "make another key: what a key may do is fixed when it is made",
        Error::WorkerGone { .. } => {
            "the appliance survives this and starts the module afresh, but look for a newer version of it, or report it \
             to its vendor"
        }
        Error::PinRefused { .. }
        | Error::PinNotTried { .. }
        | Error::FactoryPassword { .. }
        | Error::WrapRights { .. }
        | Error::SessionLimit { .. }
        | Error::ModuleUnfit { .. }
        | Error::SessionsFull { .. }
        | Error::AmbiguousToken { .. }
        | Error::TokenExists { .. }
        | Error::KeyExists { .. }
        | Error::WrongInput { .. } => return None,
    };
    Some(advice.to_owned())
}

fn of_call(attempted: &str, cause: &str) -> &'static str {
    if attempted.starts_with("loading PKCS#11 module") {
        "see which library is missing with `ldd` and the module's path"
    } else if cause == "CKR_CANT_LOCK" {
        "the module does not take CKF_OS_LOCKING_OK, without which no two sessions may sign at once: ask its vendor for \
         one that does"
    } else if cause.ends_with("log-full") {
        "the device's own log is full: start the appliance, which empties it, or empty it with the tools of its vendor"
    } else if cause == "CKR_SESSION_COUNT" {
        "write fewer sessions = ..., or end what else holds sessions of this token"
    } else {
        "see whether the device is there and reachable, and what its own tools and logs say; then try again"
    }
}
