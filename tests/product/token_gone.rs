//! A token that is gone, that is another one, or whose PIN is wrong: it costs its requests some time, and nothing else.

use std::{fs, process::Command, time::SystemTime};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation, Running,
    body::{digest, payment},
    eventually, trial,
    watcher::Watcher,
    wire::Answer,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("token_gone::a_request_is_charged_once_and_signed_when_the_token_is_back", comes_back),
        trial("token_gone::the_appliance_itself_signs_what_was_accepted_when_the_token_is_back", resumed),
        trial("token_gone::an_appliance_without_its_token_starts_and_waits_for_it", absent_at_start),
        trial("token_gone::what_is_no_longer_allowed_when_the_token_is_back_lapses", lapses),
        trial("token_gone::a_worker_that_is_killed_is_replaced", worker_killed),
        trial("token_gone::a_wrong_pin_ends_the_start_with_one_login_and_says_what_is_left", wrong_pin),
        trial("token_gone::a_pin_that_was_refused_is_not_tried_by_the_next_start_either", refused_pin_over_a_restart),
        trial("token_gone::a_pin_that_becomes_wrong_is_tried_once_and_the_rest_goes_on", pin_becomes_wrong),
        trial("token_gone::another_token_in_its_place_is_refused", other_token),
    ]
}

/// Takes the token out.
fn unplug(installation: &Installation) {
    fs::rename(installation.path("token/objects"), installation.path("token/away")).unwrap();
}

pub(crate) fn plug_in(installation: &Installation) {
    fs::rename(installation.path("token/away"), installation.path("token/objects")).unwrap();
}

/// Puts the requests so that all of them are accepted and then the token is gone: the worker stands still from before the
/// first, and ends when the token is out. Returns the answers.
pub(crate) fn lose_the_token_after_acceptance(
    installation: &Installation,
    watcher: &Watcher,
    requests: Vec<(String, Value)>,
) -> Vec<Answer> {
    let open = requests.len();
    signal_worker(installation, "-STOP");
    std::thread::scope(|scope| {
        let answers = scope.spawn(|| watcher.put_at_once(requests));
        eventually("all are accepted", || (installation.status()["open_requests"] == open).then_some(()));
        unplug(installation);
        signal_worker(installation, "-KILL");
        answers.join().unwrap()
    })
}

fn used(watcher: &Watcher) -> Value {
    let limits = watcher.get("/v1/limits").good();
    limits["limits"].as_array().unwrap().iter().find(|limit| limit["asset"] == "BTC").unwrap()["used"].clone()
}

fn comes_back() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let stored = watcher.put("before", digest("raw", 1));
    stored.good();
    let body = payment(1, "0.1", "0.0001");
    let first = lose_the_token_after_acceptance(&installation, &watcher, vec![("a".to_owned(), body.clone())]);
    assert_eq!(first[0].code(), "token-unavailable");
    for _ in 0..3 {
        let problem = watcher.refused("a", &body);
        assert_eq!(problem.type_uri, "urn:chancery:problem:token-unavailable", "{}", problem.detail);
        assert!(problem.retry_after_s.is_some());
        assert_eq!(problem.request_id.as_deref(), Some("a"));
        assert_eq!(used(&watcher), "0.1001");
    }
    let state = watcher.get("/v1/signatures/a");
    assert_eq!((state.status, &state.json()["status"]), (202, &"accepted".into()));
    // What is in the log needs no token.
    assert_eq!(watcher.put("before", digest("raw", 1)).body, stored.body);
    assert_eq!(watcher.put("a", payment(1, "0.2", "0.0001")).code(), "request-conflict");
    plug_in(&installation);
    let signed = eventually("the same request is signed", || {
        let answer = watcher.put("a", &body);
        if answer.status != 200 {
            assert_eq!(answer.code(), "token-unavailable");
        }
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(watcher.put("a", &body).body, signed.body);
    assert_eq!(used(&watcher), "0.1001");
    let kinds = installation.kinds_of("a");
    assert_eq!(kinds.first().map(String::as_str), Some("accepted"));
    assert_eq!(kinds.iter().filter(|kind| *kind == "accepted" || *kind == "signed").count(), 2, "{kinds:?}");
    running.stop();
    installation.assert_log_verifies();
}

fn resumed() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let requests = (0..16).map(|n| (format!("a-{n}"), digest("raw", n))).collect();
    let answers = lose_the_token_after_acceptance(&installation, &watcher, requests);
    assert!(answers.iter().all(|answer| answer.code() == "token-unavailable"));
    assert_eq!(installation.status()["open_requests"], 16);
    // Known to be down, it costs a new request nothing.
    assert_eq!(watcher.put("b", digest("raw", 16)).code(), "token-unavailable");
    assert_eq!(watcher.get("/v1/signatures/b").status, 404);
    plug_in(&installation);
    // Nobody asks again.
    eventually("all are signed", || (installation.status()["open_requests"] == 0).then_some(()));
    for number in 0..16 {
        let id = format!("a-{number}");
        assert_eq!(watcher.get(&format!("/v1/signatures/{id}")).good()["status"], "signed");
        watcher.signed(&id, digest("raw", number));
        assert_eq!(installation.kinds_of(&id).iter().filter(|kind| *kind == "signed").count(), 1);
    }
    running.stop();
    installation.assert_log_verifies();
}

fn absent_at_start() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let stored = watcher.put("before", digest("raw", 1));
    stored.good();
    running.stop();
    unplug(&installation);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.put("before", digest("raw", 1)).body, stored.body);
    assert_eq!(watcher.put("a", digest("raw", 1)).code(), "token-unavailable");
    assert_eq!(installation.status()["tokens"][0]["state"], "down");
    plug_in(&installation);
    eventually("it is signed", || (watcher.put("a", digest("raw", 1)).status == 200).then_some(()));
    running.stop();
    installation.assert_log_verifies();
}

fn lapses() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let body = payment(1, "0.1", "0.0001");
    let first = lose_the_token_after_acceptance(&installation, &watcher, vec![("a".to_owned(), body.clone())]);
    assert_eq!(first[0].code(), "token-unavailable");
    let lower =
        crate::harness::installation::POLICY.replace("version = 1", "version = 2").replace("\"0.5\"", "\"0.05\"");
    installation.write_policy(&lower);
    installation.run("chancery", &["policy", "install", "policy.toml"]);
    plug_in(&installation);
    eventually("it has lapsed", || {
        let answer = watcher.get("/v1/signatures/a").json();
        (answer["status"] == "lapsed").then_some(())
    });
    // For ever, and its budget stays spent.
    for _ in 0..2 {
        let answer = watcher.put("a", &body);
        assert_eq!(answer.json()["status"], "lapsed", "{}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(used(&watcher), "0.1001");
    assert!(!installation.kinds_of("a").contains(&"signed".to_owned()));
    running.stop();
    installation.assert_log_verifies();
}

fn kill_worker(installation: &Installation) {
    signal_worker(installation, "-KILL");
}

fn signal_worker(installation: &Installation, signal: &str) {
    let worker = installation.status()["tokens"][0]["worker"].as_i64().unwrap();
    assert!(Command::new("kill").args([signal, &worker.to_string()]).status().unwrap().success());
}

fn worker_killed() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    for round in 0..3 {
        let id = format!("a-{round}");
        kill_worker(&installation);
        let body = payment(round, "0.1", "0");
        eventually("it is signed", || (watcher.put(&id, &body).status == 200).then_some(()));
        assert_eq!(installation.kinds_of(&id).iter().filter(|kind| *kind == "accepted").count(), 1);
    }
    assert_eq!(used(&watcher), "0.3");
    running.stop();
    installation.assert_log_verifies();
}

/// When the token was last written to: SoftHSM notes each refused login.
fn last_login_refused(installation: &Installation) -> SystemTime {
    let token = fs::read_dir(installation.path("token/objects")).unwrap().next().unwrap().unwrap().path();
    fs::metadata(token.join("token.object")).unwrap().modified().unwrap()
}

/// Writes another PIN where the right one is kept; returns the right one.
fn make_pin_wrong(installation: &Installation) -> Vec<u8> {
    let pin = fs::read(installation.path("token/pin")).unwrap();
    fs::write(installation.path("token/pin"), "certainly-not-it").unwrap();
    pin
}

/// A start that must fail for ever: its output.
fn fails_to_start(installation: &Installation) -> String {
    let output = installation.command("chancery", &["serve"]).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{err}");
    err
}

fn wrong_pin() {
    let installation = Installation::new();
    let pin = make_pin_wrong(&installation);
    let before = last_login_refused(&installation);
    let err = fails_to_start(&installation);
    assert_ne!(last_login_refused(&installation), before);
    let last = err.lines().last().unwrap();
    assert!(last.starts_with("chancery: token main: login to token \"chancery\""), "{err}");
    for words in ["the PIN was refused", "fewer tries are left", "not tried again", "put the right PIN"] {
        assert!(last.contains(words), "{words}: {err}");
    }
    // One login: the log tells of one, and it was the token that said no.
    assert_eq!(err.lines().filter(|line| line.starts_with('{') && line.contains("was refused")).count(), 1, "{err}");
    assert!(!err.contains("certainly-not-it"), "{err}");
    assert!(!installation.entries().iter().any(|entry| entry["kind"] == "boot"));
    fs::write(installation.path("token/pin"), pin).unwrap();
    let running = installation.start();
    Watcher::new(&installation, &running).signed("a", digest("raw", 1));
    running.stop();
}

fn refused_pin_over_a_restart() {
    let installation = Installation::new();
    let pin = make_pin_wrong(&installation);
    fails_to_start(&installation);
    let refused = last_login_refused(&installation);
    for _ in 0..2 {
        fails_to_start(&installation);
        assert_eq!(last_login_refused(&installation), refused, "the refused PIN was tried again");
    }
    fs::write(installation.path("token/pin"), pin).unwrap();
    installation.start().stop();
}

fn pin_becomes_wrong() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let stored = watcher.put("before", digest("raw", 1));
    stored.good();
    let pin = make_pin_wrong(&installation);
    kill_worker(&installation);
    let token = eventually("the token is sealed", || {
        let token = installation.status()["tokens"][0].clone();
        (token["state"] == "sealed").then_some(token)
    });
    assert!(token["reason"].as_str().unwrap().contains("the PIN was refused"), "{token}");
    let refused = last_login_refused(&installation);
    for number in 0..50 {
        let problem = watcher.refused(&format!("a-{number}"), digest("raw", number));
        assert_eq!(problem.type_uri, "urn:chancery:problem:token-unavailable");
    }
    assert_eq!(last_login_refused(&installation), refused);
    assert_eq!(running.logged().matches("left alone until an operator acts").count(), 1);
    assert_eq!(watcher.put("before", digest("raw", 1)).body, stored.body);
    assert_eq!(watcher.get("/v1/log/checkpoint").status, 200);
    running.stop();
    fs::write(installation.path("token/pin"), pin).unwrap();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    eventually("what was accepted is signed", || (installation.status()["open_requests"] == 0).then_some(()));
    watcher.signed("a-0", digest("raw", 0));
    running.stop();
    installation.assert_log_verifies();
}

fn other_token() {
    let installation = Installation::new();
    let other = Installation::new();
    unplug(&installation);
    unplug(&other);
    fs::rename(other.path("token/away"), installation.path("token/objects")).unwrap();
    fs::copy(other.path("token/pin"), installation.path("token/pin")).unwrap();
    let err = fails_to_start(&installation);
    assert!(err.contains("not the one this audit log was made with"), "{err}");
    assert!(Running::try_start(&installation, &[]).is_err());
    assert!(!installation.entries().iter().any(|entry| entry["kind"] == "boot"));
}
