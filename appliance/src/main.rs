//! Program `chancery`.

use std::process::ExitCode;

fn main() -> ExitCode {
    appliance::cli::run(std::env::args_os())
}
