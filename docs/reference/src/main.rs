//! Program `reference`.

use std::process::ExitCode;

fn main() -> ExitCode {
    reference::cli::run()
}
