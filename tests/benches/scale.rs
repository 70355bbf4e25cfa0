//! `cargo bench -p integration-tests --bench scale`: an appliance on a log of `CHANCERY_BENCH_ENTRIES` entries, beside
//! one on a new log in the same run. One line a measurement, `name key=value ...`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement prints, and ends where it fails"
)]

use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

#[path = "end_to_end/load.rs"]
#[expect(dead_code, reason = "of a load its rate and latencies are asked for")]
mod load;
#[path = "../product"]
mod product {
    #![expect(dead_code, reason = "a measurement needs less than the tests")]
    pub(crate) mod harness;
}
#[path = "scale/proofs.rs"]
mod proofs;
#[path = "end_to_end/raw.rs"]
#[expect(dead_code, reason = "of the token alone nothing is measured here")]
mod raw;

use product::harness::{self, Installation, Running, block_on, long_log};

const POLICY: &str = include_str!("end_to_end/policy.toml");

fn main() -> ExitCode {
    if let Some(code) = harness::program() {
        return code;
    }
    let number = |name, default| std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default);
    let entries: u64 = number("CHANCERY_BENCH_ENTRIES", 1_000_000);
    let duration = Duration::from_secs(number("BENCH_SECONDS", 5));
    let new = load::measure(&Installation::with_policy(POLICY), "hot", 64, 1, duration);
    println!("scale-load entries=0 scrubbing=false signatures_per_second={:.0}", new.signatures_per_second);

    let installation = Installation::with_policy(POLICY);
    make(&installation, entries);
    let running = start(&installation, entries, "made");
    report(&installation, &running, &new, entries, true, duration);
    scrub(&running, entries);
    report(&installation, &running, &new, entries, false, duration);
    block_on(proofs::measure(&installation, &running, entries));
    memory(&running, entries, "load");
    running.stop();
    start(&installation, entries, "stop").kill();
    start(&installation, entries, "kill").stop();
    ExitCode::SUCCESS
}

/// A log of so many entries, before the first start.
fn make(installation: &Installation, entries: u64) {
    let begun = Instant::now();
    long_log::grow(installation, entries);
    let seconds = begun.elapsed().as_secs_f64();
    let mib = |name: &str| std::fs::metadata(installation.path(name)).unwrap().len() >> 20;
    let (log, store) = (mib("state/log.jsonl"), mib("state/store/db"));
    println!("scale-log entries={entries} seconds={seconds:.0} log_mib={log} store_mib={store}");
}

/// Starts it, and measures until /readyz says so.
fn start(installation: &Installation, entries: u64, after: &str) -> Running {
    let begun = Instant::now();
    let running = installation.start();
    while running.monitor("/readyz").0 != 200 {
        thread::sleep(Duration::from_millis(5));
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("scale-start entries={entries} after={after} seconds={seconds:.2}");
    memory(&running, entries, "start");
    running
}

fn report(
    installation: &Installation,
    running: &Running,
    new: &load::Load,
    entries: u64,
    scrubbing: bool,
    duration: Duration,
) {
    let load = load::measure_on(installation, running, "hot", 64, 1, duration);
    println!(
        "scale-load entries={entries} scrubbing={scrubbing} signatures_per_second={:.0} p50_ms={:.1} p99_ms={:.1} ratio={:.2}",
        load.signatures_per_second,
        load.p50_ms,
        load.p99_ms,
        load.signatures_per_second / new.signatures_per_second
    );
}

/// Waits for the end of the scrub, which began with the start.
fn scrub(running: &Running, entries: u64) {
    let (begun, before) = (Instant::now(), running.metric("chancery_log_checked"));
    let checked = || running.metric("chancery_log_checked");
    while checked() < entries {
        assert_eq!(running.metric("chancery_log_not_whole"), 0, "{}", running.logged());
        thread::sleep(Duration::from_millis(100));
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("scale-scrub entries={entries} entries_per_second={:.0}", (entries - before) as f64 / seconds);
}

fn memory(running: &Running, entries: u64, after: &str) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid().as_raw_nonzero())).unwrap();
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() / 1024
    };
    println!("scale-memory entries={entries} after={after} peak_mib={} resident_mib={}", mib("VmHWM:"), mib("VmRSS:"));
}
