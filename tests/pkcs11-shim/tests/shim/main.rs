//! The shim on a real SoftHSM token: untouched without faults, and each fault once.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

mod cases;
mod client;

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, ExitCode},
};

use libtest_mimic::Arguments;

/// Signs once and ends: for faults that end the process.
const SIGN_ONCE: &str = "sign-once";

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some(SIGN_ONCE) {
        client::sign_once();
        return ExitCode::SUCCESS;
    }
    if env::var_os("PKCS11_SHIM_FAULTS").is_none() {
        return prepare_and_run_again();
    }
    // A login belongs to the process, and so do faults.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, cases::trials()).exit_code()
}

/// A module reads its environment when it is loaded, so it is set for a process of its own.
fn prepare_and_run_again() -> ExitCode {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (tokens, configuration) = (directory.path().join("tokens"), directory.path().join("softhsm2.conf"));
    fs::create_dir(&tokens).expect("a token directory");
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
    fs::write(&configuration, text).expect("softhsm2.conf");
    let status = Command::new(env::current_exe().expect("this program"))
        .args(env::args_os().skip(1))
        .env("SOFTHSM2_CONF", &configuration)
        .env("PKCS11_SHIM_MODULE", softhsm())
        .env("PKCS11_SHIM_FAULTS", directory.path().join("faults"))
        .env("PKCS11_SHIM_JOURNAL", directory.path().join("journal"))
        .status()
        .expect("this program runs again");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn softhsm() -> PathBuf {
    if let Some(named) = env::var_os("SOFTHSM2_MODULE") {
        return PathBuf::from(named);
    }
    let known = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
    ];
    let found = known.into_iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("SoftHSM 2 is not installed: run `make test`, which installs it")
}
