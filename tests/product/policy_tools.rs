//! What an operator asks before a policy comes in: what it exposes, what it would have decided, what a request comes to.

use std::fs;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation,
    body::{digest, payment},
    installation::POLICY,
    trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("policy_tools::a_replay_lists_each_decision_that_would_be_another", replay),
        trial("policy_tools::a_replay_counts_what_the_candidate_accepts_and_not_what_it_refuses", replayed_limits),
        trial("policy_tools::a_diff_tells_what_changes_and_loosens_against_the_policy_of_the_log", diff),
        trial("policy_tools::exposure_says_unlimited_loudly", exposure),
        trial("policy_tools::explain_tells_rules_and_limits_and_leaves_no_trace", explain),
    ]
}

fn candidate(installation: &Installation, change: impl Fn(String) -> String) -> Value {
    let policy = POLICY.replace("WATCHER", &installation.watcher_sha256).replace("version = 1", "version = 2");
    fs::write(installation.path("candidate.toml"), change(policy)).unwrap();
    let output = installation.run("chancery", &["policy", "replay", "candidate.toml", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn flips(replay: &Value) -> Vec<(String, String)> {
    let text = |flip: &Value, name: &str| flip[name].as_str().unwrap().to_owned();
    let flips = replay["flips"].as_array().unwrap().iter();
    flips.map(|flip| (text(flip, "request_id"), text(flip, "would_be"))).collect()
}

fn replay() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("small", payment(1, "0.2", "0.0001"));
    watcher.signed("large", payment(2, "0.4", "0.0001"));
    assert_eq!(watcher.refused("huge", payment(3, "0.6", "0.0001")).rule.as_deref(), Some("customer withdrawals"));
    watcher.signed("digest", digest("raw", 4));

    let same = candidate(&installation, |policy| policy);
    assert_eq!((&same["decisions"], flips(&same)), (&4.into(), vec![]));
    let lower = flips(&candidate(&installation, |policy| policy.replace("\"0.5\"", "\"0.3\"")));
    let [(id, would_be)] = lower.as_slice() else { panic!("{lower:?}") };
    assert!(id == "large" && would_be.starts_with("denied: "), "{lower:?}");
    let higher = flips(&candidate(&installation, |policy| policy.replace("\"0.5\"", "\"0.7\"")));
    assert_eq!(higher, [("huge".to_owned(), "accepted".to_owned())]);
    running.stop();
    // It needs no appliance, and changes nothing.
    assert_eq!(flips(&candidate(&installation, |policy| policy)), []);
    installation.assert_log_verifies();
}

fn replayed_limits() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    for (number, amount) in [(1, "0.4"), (2, "0.3"), (3, "0.1")] {
        watcher.signed(&format!("a-{number}"), payment(number, amount, "0"));
    }
    running.stop();
    let extra = "\n[[limit]]\nname = \"candidate\"\nkeys = [\"hot\"]\nasset = \"BTC\"\nmax_amount = \"0.5\"\nwindow = \"24h\"\n";
    let flipped = flips(&candidate(&installation, |policy| policy + extra));
    // 0.4, then 0.3 does not fit, and 0.1 does, because the 0.3 would not have been spent.
    let [(id, would_be)] = flipped.as_slice() else { panic!("{flipped:?}") };
    assert!(id == "a-2" && would_be.starts_with("limit-exceeded: limit \"candidate\""), "{flipped:?}");
}

fn diff() {
    let installation = Installation::new();
    let running = installation.start();
    let policy = POLICY.replace("WATCHER", &installation.watcher_sha256).replace("version = 1", "version = 2");
    let told = |text: &str, arguments: &[&str]| {
        fs::write(installation.path("candidate.toml"), text).unwrap();
        let output = installation.run("chancery", &[&["policy", "diff", "candidate.toml"], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let json = |text: &str, arguments: &[&str]| -> Value {
        serde_json::from_str(&told(text, &[arguments, &["--json"]].concat())).unwrap()
    };
    // Beside a running appliance, and without one.
    let same = json(&policy, &[]);
    assert_eq!((&same["before"]["version"], &same["after"]["version"]), (&1.into(), &2.into()));
    assert_eq!((same["changes"].as_array().unwrap().len(), same["loosens"].as_array().unwrap().len()), (0, 0));
    running.stop();
    let higher = policy.replace("\"0.5\"", "\"0.7\"");
    let text = told(&higher, &[]);
    assert!(text.contains("    max_amount: \"0.5\" -> \"0.7\""), "{text}");
    assert!(
        text.contains("rule \"customer withdrawals\" now signs more than 0.5 and up to 0.7 BTC to anyone"),
        "{text}"
    );
    assert!(text.contains("Nobody must sign"), "{text}");
    fs::write(installation.path("other.toml"), higher).unwrap();
    let back = json(&policy, &["--against", "other.toml"]);
    assert_eq!(back["loosens"].as_array().unwrap().len(), 0, "back to less");
    assert_eq!(back["changes"][0]["members"][0]["after"], "\"0.5\"");
}

fn exposure() {
    let installation = Installation::new();
    let output = installation.run("chancery", &["policy", "exposure", "policy.toml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    // Of a declared key amounts are the watcher's word, whatever its limits say.
    assert!(text.starts_with("UNLIMITED: a compromised"), "{text}");
    let verified = POLICY.replace("evidence = \"declared\"", "evidence = \"verified\"");
    installation.write_policy(&verified);
    let output = installation.run("chancery", &["policy", "exposure", "policy.toml", "--json"]);
    let exposure: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(exposure.to_string().contains("\"at_most\""), "{exposure}");
}

fn explain() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let entries = installation.entries().len();
    let explained = |amount: &str| {
        fs::write(installation.path("request.json"), payment(1, amount, "0.0001").to_string()).unwrap();
        let arguments = ["explain", "request.json", "--watcher", "btc-watcher"];
        let text = String::from_utf8(installation.run("chancery", &arguments).stdout).unwrap();
        let json = installation.run("chancery", &[&arguments[..], &["--json"]].concat()).stdout;
        (text, serde_json::from_slice::<Value>(&json).unwrap())
    };
    let (text, json) = explained("0.2");
    assert!(
        text.starts_with("the request would be signed") && text.contains("rule \"customer withdrawals\" decides"),
        "{text}"
    );
    assert_eq!((&json["outcome"], json["limits"][0]["fits"].as_bool()), (&"sign".into(), Some(true)));
    let (text, json) = explained("0.6");
    assert!(text.contains("is over 0.5 of rule"), "{text}");
    assert_eq!(json["problem"]["type"], "urn:chancery:problem:denied");
    assert_eq!(installation.entries().len(), entries);
    watcher.signed("explain", payment(1, "0.2", "0.0001"));
    running.stop();
}
