//! Stations of a request where a crash test may stop the process; in a product build there are none.

/// Kills this process (SIGKILL, nothing is cleaned up) when the test asked for it at this station.
///
/// `CHANCERY_TESTING_ONLY_KILL_AT=station:n` kills at the n-th time the station is passed.
#[cfg(feature = "testing-hooks")]
pub(crate) fn station(name: &'static str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };
    static PLAN: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let plan = PLAN.get_or_init(|| {
        let plan = std::env::var("CHANCERY_TESTING_ONLY_KILL_AT").ok()?;
        let (station, count) = plan.split_once(':')?;
        Some((station.to_owned(), AtomicU64::new(count.parse().ok()?)))
    });
    if let Some((station, left)) = plan
        && station == name
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing.
#[cfg(not(feature = "testing-hooks"))]
pub(crate) fn station(_name: &'static str) {}
