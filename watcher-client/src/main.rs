//! `chancery-watcher`: see `watcher_client::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    watcher_client::cli::run(std::env::args_os())
}
