//! The same cases for every kind of device, and what only one of them can show.
//!
//! SoftHSM finds its tokens by an environment variable that must be there before the module loads, so this program
//! makes a token directory and runs itself again with the variable set. Run as `token-worker` it is the worker that the
//! cases start.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a case fails by panicking")]

mod anchor;
mod backend;
mod backup;
mod cases;
mod forged;
mod mock;
mod pkcs11;
mod probe;
mod replicate;
mod simulator;
mod softhsm;
mod worker;
mod yubihsm;

use std::{
    env, fs,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("token-worker") => return hsm_drivers::worker::serve(),
        Some("babbling-worker") => return worker::babble(),
        Some("silent-worker") => return worker::stay_silent(),
        _ => {}
    }
    if env::var_os(softhsm::CONFIGURATION).is_none() || env::var_os(PREPARED).is_none() {
        return prepare_and_run_again();
    }
    let mut trials = Vec::new();
    trials.extend(cases::trials("softhsm", softhsm::Token::backend));
    trials.extend(cases::trials("yubihsm_mock", mock::Mock::backend));
    trials.extend(anchor::trials());
    trials.extend(backup::trials());
    trials.extend(mock::trials());
    trials.extend(simulator::trials());
    trials.extend(pkcs11::trials());
    trials.extend(probe::trials());
    trials.extend(replicate::trials());
    trials.extend(worker::trials());
    trials.extend(yubihsm::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Tells the second run of this program from the first.
const PREPARED: &str = "HSM_DRIVERS_TESTS_PREPARED";

fn prepare_and_run_again() -> ExitCode {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let tokens = directory.path().join("tokens");
    let configuration = directory.path().join("softhsm2.conf");
    fs::create_dir(&tokens).expect("a token directory");
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.to_str().expect("a path in UTF-8")
    );
    fs::write(&configuration, text).expect("softhsm2.conf");
    let status = Command::new(env::current_exe().expect("this program"))
        .args(env::args_os().skip(1))
        .env(softhsm::CONFIGURATION, &configuration)
        .env(PREPARED, "yes")
        .status()
        .expect("this program runs again");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A case by its name; a panic fails it.
fn trial(name: impl Into<String>, case: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        case();
        Ok(())
    })
}
