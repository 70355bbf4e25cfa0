//! Proofs over the API, for entries and sizes anywhere in the log.

use std::time::Instant;

use crate::harness::{Installation, Running, wire};

const PROOFS: usize = 2_000;

pub(crate) async fn measure(installation: &Installation, running: &Running, entries: u64) {
    let tls = wire::tls(&installation.path("pki"), Some("watcher"));
    let mut connection = wire::Connection::open(running.watcher, &tls).await.unwrap();
    for (kind, first, second) in [("inclusion", "index", "size"), ("consistency", "from", "to")] {
        let mut times = Vec::new();
        for _ in 0..PROOFS {
            let (one, other) = (rand::random::<u64>() % entries, rand::random::<u64>() % entries);
            let path = format!("/v1/log/proof/{kind}?{first}={}&{second}={}", one.min(other), one.max(other) + 1);
            let asked = Instant::now();
            let answer = connection.request("GET", &path, b"").await.unwrap();
            times.push(asked.elapsed());
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        }
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!("scale-proof entries={entries} kind={kind} p50_ms={:.2} p99_ms={:.2}", at(0.5), at(0.99));
    }
}
