//! Freeze: nothing of what is frozen leaves, stored signatures included, until it is ended.

use std::process::Output;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::harness::{
    Installation,
    body::{digest, payment},
    trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("freeze::a_watcher_that_froze_itself_gets_nothing_also_after_a_restart", by_the_watcher),
        trial("freeze::a_frozen_key_stops_its_requests_and_no_other", of_a_key),
        trial("freeze::all_means_every_key_and_every_watcher", of_everything),
        trial("freeze::a_freeze_among_many_requests_lets_none_out_after_it_was_answered", under_load),
        trial("freeze::what_is_not_frozen_or_not_there_is_refused_by_name", refused),
    ]
}

const REASON: [&str; 2] = ["--reason", "a drill"];

fn unfreeze(installation: &Installation, what: &[&str]) {
    installation.run("chancery", &[&["unfreeze"], what, &REASON].concat());
}

fn freeze(installation: &Installation, what: &[&str]) {
    installation.run("chancery", &[&["freeze"], what, &REASON].concat());
}

fn of_kind(installation: &Installation, kind: &str) -> Vec<Value> {
    installation.entries().into_iter().filter(|entry| entry["kind"] == kind).collect()
}

fn by_the_watcher() {
    let installation = Installation::with_second_watcher();
    let mut running = installation.start();
    let mut watcher = Watcher::new(&installation, &running);
    let body = digest("nist", 1);
    let stored = watcher.put("a", &body);
    stored.good();
    let answer = watcher.call("POST", "/v1/freeze", r#"{"reason":"unknown process on the host"}"#).good();
    assert_eq!(answer, json!({ "state": "frozen" }));
    // Once more is no second freeze.
    watcher.call("POST", "/v1/freeze", r#"{"reason":"again"}"#).good();
    let frozen = of_kind(&installation, "frozen");
    assert_eq!(frozen.len(), 1);
    assert_eq!(frozen[0]["reason"], "unknown process on the host");
    assert_eq!(frozen[0]["by"], "watcher btc-watcher");

    for _ in 0..2 {
        for answer in [
            watcher.put("a", &body),
            watcher.get("/v1/signatures/a"),
            watcher.put("b", digest("raw", 2)),
            watcher.put("a", digest("nist", 2)),
        ] {
            let problem = answer.problem();
            assert_eq!(problem.type_uri, "urn:chancery:problem:frozen", "{}", problem.detail);
            assert!(problem.detail.contains("btc-watcher"), "{}", problem.detail);
        }
        let keys = watcher.get("/v1/keys").good();
        assert!(keys["keys"].as_array().unwrap().iter().all(|key| key["state"] == "frozen"), "{keys}");
        // The log stays open to it, and the other watcher works on.
        assert_eq!(watcher.get("/v1/log/checkpoint").status, 200);
        let second = Watcher::named(&installation, &running, "second");
        second.signed("a", digest("nist", 7));
        assert_eq!(second.get("/v1/keys/nist").good()["state"], "active");
        assert_eq!(running.metric("chancery_frozen"), 1);
        running.stop();
        running = installation.start();
        watcher = Watcher::new(&installation, &running);
    }
    unfreeze(&installation, &["--watcher", "btc-watcher"]);
    assert_eq!(watcher.put("a", &body).body, stored.body);
    // What was refused meanwhile is decided afresh.
    watcher.signed("b", digest("raw", 2));
    assert_eq!(watcher.get("/v1/keys/nist").good()["state"], "active");
    running.stop();
    installation.assert_log_verifies();
}

fn of_a_key() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let stored = watcher.put("a", digest("raw", 1));
    stored.good();
    freeze(&installation, &["--key", "raw"]);
    assert_eq!(watcher.put("a", digest("raw", 1)).code(), "frozen");
    assert_eq!(watcher.get("/v1/signatures/a").code(), "frozen");
    assert!(watcher.refused("b", digest("raw", 1)).detail.contains("key raw"));
    watcher.signed("c", payment(1, "0.1", "0.0001"));
    let keys = watcher.get("/v1/keys").good();
    for key in keys["keys"].as_array().unwrap() {
        let state = if key["name"] == "raw" { "frozen" } else { "active" };
        assert_eq!(key["state"], state, "{keys}");
    }
    let status: Value = serde_json::from_slice(&installation.run("chancery", &["status", "--json"]).stdout).unwrap();
    assert_eq!(status["frozen"], json!([{ "scope": "key", "name": "raw" }]));
    unfreeze(&installation, &["--key", "raw"]);
    assert_eq!(watcher.put("a", digest("raw", 1)).body, stored.body);
    assert_eq!(of_kind(&installation, "unfrozen").len(), 1);
    running.stop();
    installation.assert_log_verifies();
}

fn of_everything() {
    let installation = Installation::with_second_watcher();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let second = Watcher::named(&installation, &running, "second");
    watcher.signed("a", digest("raw", 1));
    freeze(&installation, &["--all"]);
    // Two freezes: both must end.
    freeze(&installation, &["--key", "nist"]);
    for answer in [
        watcher.put("a", digest("raw", 1)),
        watcher.get("/v1/signatures/a"),
        watcher.put("b", payment(1, "0.1", "0")),
        second.put("a", digest("nist", 1)),
    ] {
        assert_eq!(answer.code(), "frozen");
    }
    assert_eq!(running.metric("chancery_frozen"), 2);
    unfreeze(&installation, &["--all"]);
    watcher.signed("a", digest("raw", 1));
    assert!(second.refused("a", digest("nist", 1)).detail.contains("key nist"));
    unfreeze(&installation, &["--key", "nist"]);
    second.signed("a", digest("nist", 1));
    running.stop();
    installation.assert_log_verifies();
}

fn under_load() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    std::thread::scope(|scope| {
        let requests = scope.spawn(|| {
            for round in 0..4 {
                watcher.put_at_once((0..32).map(|n| (format!("{round}-{n}"), digest("raw", n))));
            }
        });
        freeze(&installation, &["--all"]);
        // Nothing put after the freeze was answered gets a signature.
        let late = Watcher::new(&installation, &running);
        for round in 0..4 {
            let answers = late.put_at_once((0..32).map(|n| (format!("{round}-{n}"), digest("raw", n))));
            assert!(answers.iter().all(|answer| answer.code() == "frozen"));
        }
        requests.join().unwrap();
    });
    let entries = installation.entries();
    let frozen = entries.iter().position(|entry| entry["kind"] == "frozen").unwrap();
    assert!(entries[frozen..].iter().all(|entry| entry["kind"] != "accepted"), "an acceptance after the freeze");
    running.stop();
    installation.assert_log_verifies();
}

fn refused() {
    let installation = Installation::new();
    let running = installation.start();
    let fails = |arguments: &[&str], status: i32, words: &str| {
        let Output { status: found, stderr, .. } = installation.command("chancery", arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!(found.code(), Some(status), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    };
    for what in [&["--all"][..], &["--key", "raw"], &["--watcher", "btc-watcher"], &["--key", "cold"]] {
        fails(&[&["unfreeze"], what, &REASON].concat(), 1, "not frozen");
    }
    fails(&["freeze", "--key", "cold", "--reason", "x"], 1, "cold");
    fails(&["freeze", "--watcher", "nobody", "--reason", "x"], 1, "nobody");
    fails(&["freeze", "--reason", "x"], 2, "--all");
    fails(&["freeze", "--all", "--key", "raw", "--reason", "x"], 2, "cannot be used with");
    fails(&["freeze", "--all"], 2, "--reason");
    assert!(of_kind(&installation, "frozen").is_empty());
    running.stop();
    fails(&["freeze", "--all", "--reason", "x"], 1, "is `chancery serve` running?");
}
