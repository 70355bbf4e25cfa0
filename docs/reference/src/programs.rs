//! The programs that have a reference.

use clap::Command;

/// Each program's command line.
pub(crate) fn all() -> [Command; 3] {
    [appliance::cli::command(), provisioning::cli::command(), watcher_client::cli::command()]
}
