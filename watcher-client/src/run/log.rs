//! What the daemon says of itself: lines where a person watches, JSON lines otherwise.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Begins. `CHANCERY_LOG` chooses the level.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("CHANCERY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    // A program that has a log already keeps it.
    let _ = if stderr().is_terminal() { log.with_target(false).try_init() } else { log.json().try_init() };
}
