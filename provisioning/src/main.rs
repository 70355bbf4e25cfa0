//! `chancery-provision`: see the library `provisioning`.

use std::process::ExitCode;

fn main() -> ExitCode {
    provisioning::cli::run(std::env::args_os())
}
