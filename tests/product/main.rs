//! The whole product under test: real processes, a real SoftHSM token, real TLS.
//!
//! This one binary is also each of the programs: run under the name `chancery`, it is `chancery`. So tests start exactly
//! what they were built with, and nothing is looked for under `target/`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod harness;
mod the_way;

fn main() -> ExitCode {
    if let Some(code) = harness::program() {
        return code;
    }
    let trials: Vec<Trial> = [the_way::trials()].into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
