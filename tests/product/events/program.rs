//! Events, withdrawals and waiting, as the user of `chancery-watcher` types them.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    thread,
};

use libtest_mimic::Trial;
use serde_json::Value;

use super::policy_of;
use crate::harness::{
    Installation, body::digest, eventually, officers::Officers, trial, watcher::Watcher, watcher_program::run,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("events::the_program_lists_them_and_follows_them_line_by_line", listed),
        trial("events::sign_says_what_waits_and_waits_for_it_where_it_shall", waits),
        trial("events::withdraw_takes_back_what_waits_and_nothing_else", withdraws),
    ]
}

const DIGEST: &str = "abababababababababababababababababababababababababababababababab";

fn listed() {
    let installation = Installation::new();
    let running = installation.start();
    installation.write_watcher_config(&running);
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", digest("raw", 1));
    let (status, text, err) = run(&installation, &["events"]);
    assert_eq!(status, 0, "{err}");
    let kinds: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(&kinds[..3], ["event", "accepted", "signed"], "{text}");
    let (_, page, _) = run(&installation, &["events", "--json"]);
    let page: Value = serde_json::from_str(&page).unwrap();
    let next = page["next"].to_string();
    assert!(text.contains(&format!("go on with --after {next}")), "{text}");

    let arguments = ["events", "--follow", "--after", &next, "--json", "--config", "watcher.toml"];
    let mut follower = installation.command("chancery-watcher", &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    watcher.signed("b", digest("raw", 2));
    for kind in ["accepted", "signed"] {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((&event["kind"], &event["request_id"]), (&kind.into(), &"b".into()));
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
    let (status, _, err) = run(&installation, &["events", "--follow", "--after", "1000000"]);
    assert!(status == 1 && err.contains("older copy"), "{status} {err}");
    running.stop();
}

fn waits() {
    let officers = Officers::new();
    let installation = Installation::with_policy(&policy_of(&officers));
    let running = installation.start();
    installation.write_watcher_config(&running);
    let watcher = Watcher::new(&installation, &running);
    let sign = ["sign", "a", "--key", "raw", "--digest", DIGEST];
    let (status, text, err) = run(&installation, &sign);
    assert!(status == 0 && text.contains("a: pending: waits for officers"), "{status} {text} {err}");
    let (status, text, _) = run(&installation, &["status", "a", "--json"]);
    assert!(status == 0 && text.contains("\"pending\""), "{status} {text}");

    let pending = watcher.get("/v1/signatures/a").json()["entry"].to_string();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| run(&installation, &[&sign[..], &["--wait"]].concat()));
        officers.act(&installation, &["approve", &pending], &["alice"]);
        officers.act(&installation, &["approve", &pending], &["bob"]);
        let (status, text, err) = waiting.join().unwrap();
        assert!(status == 0 && text.contains("a: signed"), "{status} {text} {err}");
    });

    let sign = ["sign", "b", "--key", "nist", "--digest", DIGEST, "--wait"];
    thread::scope(|scope| {
        let waiting = scope.spawn(|| run(&installation, &sign));
        let pending = eventually("it waits", || {
            let answer = watcher.get("/v1/signatures/b");
            (answer.status == 202).then(|| answer.json()["entry"].to_string())
        });
        officers.act(&installation, &["reject", &pending], &["carol"]);
        let (status, _, err) = waiting.join().unwrap();
        assert!(status == 1 && err.contains("b: rejected by an officer"), "{status} {err}");
    });
    running.stop();
}

fn withdraws() {
    let officers = Officers::new();
    let installation = Installation::with_policy(&policy_of(&officers));
    let running = installation.start();
    installation.write_watcher_config(&running);
    Watcher::new(&installation, &running).put("a", digest("raw", 1));
    let (status, text, err) = run(&installation, &["withdraw", "a"]);
    assert!(status == 0 && text.contains("a: withdrawn"), "{status} {text} {err}");
    let (status, _, err) = run(&installation, &["status", "a"]);
    assert!(status == 1 && err.contains("a: withdrawn by the watcher"), "{status} {err}");
    let (status, _, err) = run(&installation, &["withdraw", "a"]);
    assert!(status == 1 && err.contains("waits no more"), "{status} {err}");
    let (status, _, err) = run(&installation, &["withdraw", "nothing"]);
    assert!(status == 1 && err.contains("no request nothing"), "{status} {err}");
    running.stop();
}
