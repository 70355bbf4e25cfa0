//! Stations of a request where a crash test may stop the process, or a thread, and the release a test lets it pass for; in a
//! product build there is neither.

/// Kills this process (SIGKILL, nothing is cleaned up), or keeps this thread for ever, when the test asked for it at this
/// station.
///
/// `CHANCERY_TESTING_ONLY_KILL_AT=station:n` kills at the n-th time the station is passed, `..._STALL_AT` keeps.
#[cfg(feature = "testing-hooks")]
pub(crate) fn station(name: &'static str) {
    static KILL: Plan = Plan::new();
    static STALL: Plan = Plan::new();
    if is_due(&KILL, "CHANCERY_TESTING_ONLY_KILL_AT", name) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    if is_due(&STALL, "CHANCERY_TESTING_ONLY_STALL_AT", name) {
        loop {
            std::thread::park();
        }
    }
}

#[cfg(feature = "testing-hooks")]
type Plan = std::sync::OnceLock<Option<(String, std::sync::atomic::AtomicU64)>>;

#[cfg(feature = "testing-hooks")]
fn is_due(plan: &Plan, variable: &str, name: &str) -> bool {
    let plan = plan.get_or_init(|| {
        let plan = std::env::var(variable).ok()?;
        let (station, count) = plan.split_once(':')?;
        Some((station.to_owned(), std::sync::atomic::AtomicU64::new(count.parse().ok()?)))
    });
    let Some((station, left)) = plan else { return false };
    station == name && left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) == 1
}

/// The release this program passes for, where a test asked for one: `CHANCERY_TESTING_ONLY_RELEASE=0.3.0:2` is version 0.3.0,
/// which writes format 2.
#[cfg(feature = "testing-hooks")]
pub(crate) fn release() -> Option<appliance_wire::Format> {
    let release = std::env::var("CHANCERY_TESTING_ONLY_RELEASE").ok()?;
    let (version, number) = release.split_once(':')?;
    Some(appliance_wire::Format { number: number.parse().ok()?, version: version.to_owned() })
}

/// None: it is what it was built as.
#[cfg(not(feature = "testing-hooks"))]
pub(crate) fn release() -> Option<appliance_wire::Format> {
    None
}

/// Nothing.
#[cfg(not(feature = "testing-hooks"))]
pub(crate) fn station(_name: &'static str) {}
