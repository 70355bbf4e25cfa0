//! `make bench`: what a signature costs end to end, beside what the token alone can do, on one token in one run.
//!
//! One line a measurement, `name key=value ...`. The load runs on the same cores as the appliance. A ratio is signatures
//! a second over mutual TLS with the durable log, over what C_Sign alone gave right before and after.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement prints, and ends where it fails"
)]

use std::{process::ExitCode, time::Duration};

#[path = "end_to_end/load.rs"]
mod load;
#[path = "../product"]
mod product {
    #![expect(dead_code, reason = "a measurement needs less than the tests")]
    pub(crate) mod harness;
}
#[path = "end_to_end/raw.rs"]
mod raw;

use load::Load;
use product::harness::{self, Installation};
use raw::Raw;

/// Rules and limits as in production, with room for everything this asks.
const POLICY: &str = include_str!("end_to_end/policy.toml");

fn main() -> ExitCode {
    if let Some(code) = raw::child() {
        return code;
    }
    if let Some(code) = harness::program() {
        return code;
    }
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(5);
    let duration = Duration::from_secs(seconds);
    let installation = Installation::with_policy(POLICY);
    let sync_us = load::sync_us(installation.directory());
    println!("sync bytes=500 p50_us={sync_us:.0}");
    for (algorithm, key, cases) in [
        ("secp256k1", "hot", &[(1, 1), (8, 1), (64, 1), (64, 16)][..]),
        ("p256", "nist", &[(64, 1)][..]),
        ("ed25519", "ed", &[(64, 1)][..]),
    ] {
        // `cargo bench ... -- p256` measures that alone.
        if std::env::args().skip(1).any(|filter| !filter.starts_with('-') && filter != algorithm) {
            continue;
        }
        let single = raw::measure(&installation, key, 1, duration);
        println!("raw algorithm={algorithm} threads=1 {single}");
        let mut before = raw::measure(&installation, key, 4, duration);
        println!("raw algorithm={algorithm} threads=4 {before}");
        for (connections, items) in cases.iter().copied() {
            let load = load::measure(&installation, key, connections, items, duration);
            let after = raw::measure(&installation, key, 4, duration);
            report(algorithm, connections, items, &load, &Raw::mean(&before, &after), &single, sync_us);
            before = after;
        }
    }
    ExitCode::SUCCESS
}

fn report(algorithm: &str, connections: usize, items: usize, load: &Load, raw: &Raw, single: &Raw, sync_us: f64) {
    let mut line = format!(
        "end-to-end algorithm={algorithm} connections={connections} items={items} signatures_per_second={:.0} \
         p50_ms={:.2} p99_ms={:.2} syncs_per_signature={:.3} server_cpu_us={:.0} raw_per_second={:.0} ratio={:.2}",
        load.signatures_per_second,
        load.p50_ms,
        load.p99_ms,
        load.syncs_per_signature,
        load.server_cpu_us - raw.cpu_us,
        raw.signatures_per_second,
        load.signatures_per_second / raw.signatures_per_second,
    );
    if connections == 1 {
        // What an idle appliance can be held to: the signature, two syncs, and half a millisecond.
        let bound_ms = (1e6 / single.signatures_per_second + 2.0 * sync_us) / 1e3 + 0.5;
        line.push_str(&format!(" bound_ms={bound_ms:.2}"));
    }
    println!("{line}");
}
