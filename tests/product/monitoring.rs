//! The monitor listener: alive, ready, counted.

use std::fs;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation,
    body::{digest, digests},
    eventually, trial,
    watcher::Watcher,
};

mod alarms;
mod log_lines;
mod names;

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = vec![
        trial("monitoring::counts_what_happened_in_open_metrics", metrics),
        trial("monitoring::is_ready_where_token_and_log_are_proven_to_work", ready),
        trial("monitoring::many_probes_cost_the_token_one_self_test", one_self_test),
        trial("monitoring::without_its_token_it_is_alive_and_not_ready", not_ready),
        trial("monitoring::offers_nothing_to_change", read_only),
    ];
    all.extend(alarms::trials());
    all.extend(log_lines::trials());
    all.extend(names::trials());
    all
}

fn metrics() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", digests("raw", 0..5));
    watcher.signed("a", digests("raw", 0..5));
    watcher.refused("b", digest("cold", 1));
    watcher.refused("b", "{");
    let (status, text) = running.monitor("/metrics");
    assert_eq!(status, 200);
    for line in [
        "chancery_requests_total{watcher=\"btc-watcher\",key=\"raw\",outcome=\"signed\"} 2",
        "chancery_requests_total{watcher=\"btc-watcher\",key=\"-\",outcome=\"unknown-key\"} 1",
        "chancery_requests_total{watcher=\"btc-watcher\",key=\"-\",outcome=\"malformed\"} 1",
        "chancery_token_signatures_total{token=\"main\"} 5",
        "chancery_refusals_total{code=\"unknown-key\"} 1",
        "chancery_refusals_total{code=\"malformed\"} 1",
        "chancery_token_up{token=\"main\"} 1",
        "chancery_frozen 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert_eq!(running.metric("chancery_log_size"), installation.entries().len() as u64);
    eventually("a checkpoint covers it", || {
        (running.metric("chancery_checkpoint_size") == running.metric("chancery_log_size")).then_some(())
    });
    // Labels are few: nothing that a request says of itself is in them.
    assert!(!text.contains("\"a\"") && !text.contains("cold"), "{text}");
    eventually("its connections are closed", || (running.metric("chancery_connections") == 0).then_some(()));
    running.stop();
}

fn ready() {
    let installation = Installation::new();
    let running = installation.start();
    assert_eq!(running.monitor("/livez"), (200, "ok".to_owned()));
    let (status, body) = running.monitor("/readyz");
    let readiness: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &readiness["ready"]), (200, &true.into()));
    assert_eq!(readiness["profile"], "development");
    let checks = readiness["checks"].as_array().unwrap();
    let names: Vec<&str> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["token main", "certificates", "audit log"]);
    assert!(checks.iter().all(|check| check["ok"] == true));
    // A probe leaves nothing in the log.
    assert_eq!(installation.entries().last().unwrap()["kind"], "boot");
    running.stop();
}

/// Bytes the token's worker has read: it reads for each call, and for nothing else.
fn read_by_worker(installation: &Installation) -> u64 {
    let status = installation.run("chancery", &["status", "--json"]).stdout;
    let status: Value = serde_json::from_slice(&status).unwrap();
    let io = fs::read_to_string(format!("/proc/{}/io", status["tokens"][0]["worker"])).unwrap();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

fn one_self_test() {
    let installation = Installation::new();
    let running = installation.start();
    // Checkpoints are the token's work too: after this one there is nothing to sign.
    eventually("a checkpoint covers the log", || {
        (running.metric("chancery_checkpoint_size") == running.metric("chancery_log_size")).then_some(())
    });
    let idle = read_by_worker(&installation);
    let (_, first) = running.monitor("/readyz");
    let tested = read_by_worker(&installation);
    assert!(tested > idle, "the token was not asked");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).for_each(|_| assert_eq!(running.monitor("/readyz"), (200, first.clone()))));
        }
    });
    assert_eq!(read_by_worker(&installation), tested);
    assert_eq!(running.metric("chancery_token_signatures_total{token=\"main\"}"), 0, "self-tests are no signatures");
    running.stop();
}

fn not_ready() {
    let installation = Installation::new();
    let running = installation.start();
    fs::rename(installation.path("token/objects"), installation.path("token/away")).unwrap();
    let (status, body) = running.monitor("/readyz");
    let readiness: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &readiness["ready"]), (503, &false.into()), "{body}");
    let token = readiness["checks"].as_array().unwrap().iter().find(|check| check["name"] == "token main").unwrap();
    assert_eq!(token["ok"], false);
    assert!(token["detail"].as_str().unwrap().len() > 10, "{body}");
    let log = readiness["checks"].as_array().unwrap().iter().find(|check| check["name"] == "audit log").unwrap();
    assert_eq!(log["ok"], true);
    assert_eq!(running.monitor("/livez").0, 200);
    assert_eq!(running.monitor("/metrics").0, 200);
    running.stop();
}

fn read_only() {
    let installation = Installation::new();
    let running = installation.start();
    for path in
        ["/", "/status", "/freeze", "/unfreeze", "/policy", "/v1/keys", "/v1/freeze", "/openapi.json", "/healthz"]
    {
        let (status, body) = running.monitor(path);
        assert_eq!(status, 404, "{path}");
        assert!(body.contains("urn:chancery:problem:not-found"), "{path}: {body}");
    }
    // It listens on loopback only.
    let output = {
        installation.edit_config(|config| {
            let (head, monitor) = config.split_once("[monitor_listener]").unwrap();
            format!("{head}[monitor_listener]{}", monitor.replacen("127.0.0.1:0", "0.0.0.0:0", 1))
        });
        installation.command("chancery", &["check"]).output().unwrap()
    };
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("loopback"));
    running.stop();
}
