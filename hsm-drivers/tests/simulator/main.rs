//! The simulator against three clients that know nothing of it: the crate `yubihsm`, Yubico's Python library, and the
//! host's end of our own secure channel.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a case fails by panicking")]

#[path = "../conformance/backend.rs"]
mod backend;
#[path = "../conformance/cases.rs"]
mod cases;
mod client;
mod faults;
mod http;
mod log;
mod persistence;
mod python;
mod rights;
mod sessions;
mod yubihsm_crate;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    trials.extend(cases::trials("simulator", yubihsm_crate::Simulated::backend));
    trials.extend(yubihsm_crate::trials());
    trials.extend(python::trials());
    trials.extend(faults::trials());
    trials.extend(http::trials());
    trials.extend(log::trials());
    trials.extend(persistence::trials());
    trials.extend(rights::trials());
    trials.extend(sessions::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A case by its name; a panic fails it.
fn trial(name: impl Into<String>, case: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        case();
        Ok(())
    })
}

/// The cases of a module.
fn trials_of(module: &'static str, cases: &'static [(&'static str, fn())]) -> impl Iterator<Item = Trial> {
    cases.iter().map(move |(name, case)| trial(format!("{module}::{name}"), case))
}
