//! What children cost when there are many: allocates `ADDRESSES` (100,000 where it is not set) over the API of an
//! appliance of its own, a thousand a call, and prints one line.
//!
//! `lookup_us` is what it takes to find out that an output pays a child: an explanation of 200 outputs to children all
//! over, less one of 200 outputs to the key itself. `restart_ms` is from the start of the process to its listening,
//! `rss_mb` what it then has in memory.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement prints, and ends where it fails"
)]

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

#[path = "../product"]
mod product {
    #![expect(dead_code, reason = "a measurement needs less than the tests")]
    pub(crate) mod harness;
}

use product::harness::{
    self,
    vault::{
        Vault,
        coins::{COIN, spend},
    },
};
use serde_json::{Value, json};

/// The most one call gives.
const COUNT: u32 = 1_000;
/// Outputs of an explanation, and how many explanations are timed.
const OUTPUTS: u32 = 200;
const EXPLANATIONS: usize = 9;

fn main() -> ExitCode {
    if let Some(code) = harness::program() {
        return code;
    }
    let wanted = std::env::var("ADDRESSES").ok().and_then(|wanted| wanted.parse().ok()).unwrap_or(100_000_u32);
    let vault = Vault::new();
    let calls = wanted.div_ceil(COUNT);
    let begun = Instant::now();
    let mut latencies = allocate(&vault, calls);
    let per_second = f64::from(calls * COUNT) / begun.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let p99 = latencies[(latencies.len() - 1) * 99 / 100];
    let lookup = lookup(&vault, calls * COUNT);

    let Vault { installation, running, .. } = vault;
    running.stop();
    let begun = Instant::now();
    let running = installation.start();
    let restart = begun.elapsed();
    let rss = resident_bytes(running.pid().as_raw_nonzero().get());
    let (store, log) =
        (disk_bytes(&installation.path("state/store")), disk_bytes(&installation.path("state/log.jsonl")));
    running.stop();
    println!(
        "addresses allocated={} per_second={per_second:.0} p99_ms={:.1} lookup_us={:.0} restart_ms={} rss_mb={} store_mb={} \
         log_mb={}",
        calls * COUNT,
        p99.as_secs_f64() * 1e3,
        lookup.as_secs_f64() * 1e6,
        restart.as_millis(),
        rss >> 20,
        store >> 20,
        log >> 20,
    );
    ExitCode::SUCCESS
}

/// The time of each call. One that comes too soon is made again, as a watcher would.
fn allocate(vault: &Vault, calls: u32) -> Vec<Duration> {
    vault.watcher.block_on(async {
        let mut connection = vault.watcher.connect().await;
        let mut latencies = Vec::new();
        for call in 0..calls {
            let after = (call * COUNT).checked_sub(1);
            let body = json!({ "count": COUNT, "after": after }).to_string();
            loop {
                let begun = Instant::now();
                let path = "/v1/keys/vault/addresses";
                let answer = connection.request("POST", path, body.as_bytes()).await.unwrap();
                if answer.status == 429 {
                    let wait = answer.header("retry-after").unwrap().parse().unwrap();
                    tokio::time::sleep(Duration::from_secs(wait)).await;
                    continue;
                }
                latencies.push(begun.elapsed());
                assert_eq!(answer.good()["addresses"].as_array().unwrap().len(), COUNT as usize);
                break;
            }
        }
        latencies
    })
}

/// What it takes to know the owner of one address.
fn lookup(vault: &Vault, allocated: u32) -> Duration {
    let children = |place: u32| format!("vault/{}", u64::from(place) * u64::from(allocated) / u64::from(OUTPUTS));
    let (all_over, own) = (explained(vault, &children), explained(vault, &|_| "vault".to_owned()));
    all_over.saturating_sub(own) / OUTPUTS
}

/// The median time of an explanation whose outputs pay these.
fn explained(vault: &Vault, path: &dyn Fn(u32) -> String) -> Duration {
    let outputs: Vec<_> = (0..OUTPUTS).map(|place| vault.back(COIN / 1_000, &path(place))).collect();
    let coin = vault.coin("vault", &harness::vault::coins::Lock::P2wpkh, 1, COIN * u64::from(OUTPUTS) / 1_000 + 10_000);
    let body = spend(&[coin], &outputs).body().to_string();
    let mut times = vault.watcher.block_on(async {
        let mut connection = vault.watcher.connect().await;
        let mut times = Vec::new();
        for _ in 0..EXPLANATIONS {
            let begun = Instant::now();
            let answer = connection.request("POST", "/v1/signatures/a/explain", body.as_bytes()).await.unwrap();
            times.push(begun.elapsed());
            let told: Value = answer.good();
            assert_eq!(
                (&told["outcome"], told["change"].as_array().unwrap().len()),
                (&json!("sign"), OUTPUTS as usize)
            );
        }
        times
    });
    times.sort_unstable();
    times[EXPLANATIONS / 2]
}

fn resident_bytes(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// What a file, or everything in a directory, takes on the disk.
fn disk_bytes(path: &Path) -> u64 {
    let metadata = fs::metadata(path).unwrap();
    if metadata.is_dir() {
        fs::read_dir(path).unwrap().map(|entry| disk_bytes(&entry.unwrap().path())).sum()
    } else {
        metadata.blocks() * 512
    }
}
