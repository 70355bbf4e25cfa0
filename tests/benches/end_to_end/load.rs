//! Watchers at work: each connection puts one fresh request after another.

use std::{
    fs::OpenOptions,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    harness::{Installation, Running, block_on, wire},
    raw::cpu_seconds,
};

/// One measurement.
pub(crate) struct Load {
    pub(crate) signatures_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) syncs_per_signature: f64,
    /// CPU of appliance and worker a signature, C_Sign included.
    pub(crate) server_cpu_us: f64,
}

const WARM_UP: Duration = Duration::from_millis(500);

pub(crate) fn measure(
    installation: &Installation,
    key: &str,
    connections: usize,
    items: usize,
    duration: Duration,
) -> Load {
    let running = installation.start();
    let load = measure_on(installation, &running, key, connections, items, duration);
    running.stop();
    load
}

pub(crate) fn measure_on(
    installation: &Installation,
    running: &Running,
    key: &str,
    connections: usize,
    items: usize,
    duration: Duration,
) -> Load {
    let status = installation.status();
    let worker = u32::try_from(status["tokens"][0]["worker"].as_u64().unwrap()).unwrap();
    let daemon = u32::try_from(running.pid().as_raw_nonzero().get()).unwrap();

    let cpu = || cpu_seconds(daemon) + cpu_seconds(worker);
    put_for(installation, running, key, connections, items, WARM_UP);
    let (syncs, cpu_before, start) = (running.metric("chancery_log_syncs_total"), cpu(), Instant::now());
    let mut latencies = put_for(installation, running, key, connections, items, duration);
    let (seconds, cpu_after) = (start.elapsed().as_secs_f64(), cpu());
    let syncs = running.metric("chancery_log_syncs_total") - syncs;

    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let signatures = (latencies.len() * items) as f64;
    Load {
        signatures_per_second: signatures / seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        syncs_per_signature: syncs as f64 / signatures,
        server_cpu_us: (cpu_after - cpu_before) * 1e6 / signatures,
    }
}

fn put_for(
    installation: &Installation,
    running: &Running,
    key: &str,
    connections: usize,
    items: usize,
    duration: Duration,
) -> Vec<Duration> {
    let tls = wire::tls(&installation.path("pki"), Some("watcher"));
    let (address, run) = (running.watcher, rand::random::<u32>());
    let next = Arc::new(AtomicU64::new(0));
    block_on(async move {
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let mut connection = wire::Connection::open(address, &tls).await.unwrap();
            let (next, key) = (Arc::clone(&next), key.to_owned());
            tasks.push(tokio::spawn(async move {
                let (start, mut latencies) = (Instant::now(), Vec::new());
                while start.elapsed() < duration {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let path = format!("/v1/signatures/{run:08x}-{number}");
                    let body = body(&key, number, items);
                    let asked = Instant::now();
                    let answer = connection.request("PUT", &path, body.as_bytes()).await.unwrap();
                    latencies.push(asked.elapsed());
                    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
                }
                latencies
            }));
        }
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.unwrap());
        }
        latencies
    })
}

fn body(key: &str, number: u64, items: usize) -> String {
    let input = if key == "ed" { "message" } else { "digest" };
    let item = |place| format!(r#"{{"key":"{key}","{input}":"{:064x}"}}"#, number * 256 + place as u64 + 1);
    let items: Vec<String> = (0..items).map(item).collect();
    let transfer = if key == "hot" {
        r#","transfer":{"asset":"BTC","fee":"0.00001410","outputs":[{"destination":"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080","amount":"0.00010000"}]}"#
    } else {
        ""
    };
    format!(r#"{{"items":[{}]{transfer}}}"#, items.join(","))
}

/// Median of appending 500 bytes and syncing them, where the state directory is.
pub(crate) fn sync_us(directory: &Path) -> f64 {
    let mut file = OpenOptions::new().create(true).append(true).open(directory.join("sync")).unwrap();
    let mut times: Vec<f64> = (0..300)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[7; 500]).unwrap();
            file.sync_data().unwrap();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
