//! Requests that wait for officers, with real `ssh-keygen`: who must agree, for what, how often, and until when.

use std::{fs, path::PathBuf};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::{
    harness::{
        Installation, Running,
        body::{digest, payment},
        eventually,
        installation::POLICY,
        officers::{Officers, refused},
        trial,
        vault::{self, Vault},
        watcher::Watcher,
    },
    withdrawals::{reserved, usual},
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("approvals::two_of_three_let_a_request_be_signed_and_one_does_not", two_of_three),
        trial("approvals::a_rejection_a_withdrawal_and_the_end_of_its_time_end_what_waits", ends),
        trial("approvals::a_spent_budget_goes_to_approval_and_what_is_approved_counts", beyond),
        trial("approvals::a_signature_for_another_text_namespace_entry_or_officer_approves_nothing", of_something_else),
        trial("approvals::nobody_counts_twice_whatever_key_or_name_is_used", counted_once),
        trial("approvals::what_is_frozen_is_not_approved_and_waits_on", frozen),
        trial("approvals::rules_decide_again_when_the_last_approval_arrives", decided_again),
        trial("approvals::what_waits_and_who_agreed_outlives_a_kill", after_a_kill),
        trial("approvals::what_waits_may_be_replaced_costs_nothing_and_waits_out_its_delay", replaced),
        trial("approvals::what_was_rejected_holds_nothing", rejected_frees),
    ]
}

const APPROVE: &str = r#"{ approve = 2, of = ["alice", "bob", "carol"], expires = "1h" }"#;

/// Digests wait for two officers; one more than a spent budget of hot for one.
fn policy() -> String {
    POLICY
        .replace(
            "keys = [\"raw\", \"nist\", \"ed\"]\naction = \"sign\"",
            &format!("keys = [\"raw\", \"nist\", \"ed\"]\naction = {APPROVE}"),
        )
        .replace(
            "max_amount = \"10\"\nwindow",
            "max_amount = \"0.6\"\nbeyond = { approve = 1, of = [\"carol\"], expires = \"4h\" }\nwindow",
        )
}

/// Officers, and an appliance that serves under their policy.
struct Scene {
    officers: Officers,
    installation: Installation,
    running: Running,
    watcher: Watcher,
}

impl Scene {
    fn new() -> Self {
        let officers = Officers::new();
        let policy = officers.policy(&policy());
        Self::under(officers, &policy)
    }

    fn under(officers: Officers, policy: &str) -> Self {
        let installation = Installation::with_policy(policy);
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        Self { officers, installation, running, watcher }
    }
}

/// Puts a request that must wait; its number.
fn waits(watcher: &Watcher, id: &str, body: &Value) -> String {
    let answer = watcher.put(id, body);
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.json()["status"], "pending");
    answer.json()["entry"].as_u64().unwrap().to_string()
}

fn status(watcher: &Watcher, id: &str) -> Value {
    watcher.get(&format!("/v1/signatures/{id}")).json()["status"].clone()
}

fn signed(watcher: &Watcher, id: &str) {
    eventually("it is signed", || (status(watcher, id) == "signed").then_some(()));
}

fn list(installation: &Installation) -> Value {
    serde_json::from_slice(&installation.run("chancery", &["pending", "--json"]).stdout).unwrap()
}

fn two_of_three() {
    let Scene { officers, installation, running, watcher } = Scene::new();
    let id = waits(&watcher, "a", &digest("raw", 1));
    assert_eq!(waits(&watcher, "a", &digest("raw", 1)), id, "the same content waits on");
    assert_eq!(watcher.put("a", digest("raw", 2)).code(), "request-conflict");
    let waiting = list(&installation);
    assert_eq!(waiting["requests"][0]["wanted"][0]["approve"], 2, "{waiting}");
    assert_eq!(waiting["requests"][0]["wanted"][0]["because"], "rule \"digests\"");

    let (text, namespace) = officers.text(&installation, &["approve", &id]);
    assert!(text.starts_with("approve request a of watcher btc-watcher\n\norigin: "), "{text}");
    assert!(text.contains(&format!("\nentry: {id}\n")) && text.contains("\nleaf: "), "{text}");
    // Without a signature the text is printed, so that it can be redirected into a file.
    let printed = installation.run("chancery", &["approve", &id]);
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), text);
    let alice = officers.sign("alice", &namespace, &text);
    let done = Officers::hand_in(&installation, &["approve", &id], &[alice]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(status(&watcher, "a"), "pending", "one of two");
    assert_eq!(list(&installation)["requests"][0]["approved_by"], json!(["alice"]));
    // The text stays the same: carol signs what alice signed.
    let carol = officers.sign("carol", &namespace, &text);
    assert!(Officers::hand_in(&installation, &["approve", &id], std::slice::from_ref(&carol)).status.success());
    signed(&watcher, "a");
    let stored = watcher.put("a", digest("raw", 1));
    stored.good();
    // It serves once.
    refused(&Officers::hand_in(&installation, &["approve", &id], &[carol]), "nothing waits under");
    assert_eq!(installation.kinds_of("a"), ["pending", "denied", "approved", "approved", "accepted", "signed"]);
    let accepted = installation.entries().into_iter().find(|entry| entry["kind"] == "accepted").unwrap();
    assert_eq!(accepted["approval"], json!({ "pending": id.parse::<u64>().unwrap(), "officers": ["alice", "carol"] }));
    running.stop();
    installation.assert_log_verifies();
}

fn ends() {
    let officers = Officers::new();
    let policy = officers.policy(&policy().replace("expires = \"1h\"", "expires = \"2s\""));
    let Scene { officers, installation, running, watcher } = Scene::under(officers, &policy);

    let id = waits(&watcher, "rejected", &digest("raw", 1));
    officers.act(&installation, &["reject", &id], &["bob"]);
    assert_eq!(watcher.put("rejected", digest("raw", 1)).good()["status"], "rejected");

    waits(&watcher, "withdrawn", &digest("raw", 2));
    let answer = watcher.call("DELETE", "/v1/signatures/withdrawn", "").good();
    assert_eq!(answer["status"], "withdrawn");
    assert_eq!(status(&watcher, "withdrawn"), "withdrawn");
    assert_eq!(watcher.call("DELETE", "/v1/signatures/withdrawn", "").code(), "request-conflict");
    assert_eq!(watcher.call("DELETE", "/v1/signatures/nothing", "").code(), "unknown-request");

    let id = waits(&watcher, "expired", &digest("raw", 3));
    let (text, namespace) = officers.text(&installation, &["approve", &id]);
    let late = ["alice", "bob"].map(|name| officers.sign(name, &namespace, &text));
    eventually("its time is over", || (status(&watcher, "expired") == "expired").then_some(()));
    refused(&Officers::hand_in(&installation, &["approve", &id], &late), "nothing waits under");
    assert_eq!(installation.kinds_of("expired"), ["pending", "lapsed"]);
    running.stop();
    installation.assert_log_verifies();
}

fn beyond() {
    let Scene { officers, installation, running, watcher } = Scene::new();
    watcher.signed("a", payment(1, "0.5", "0.0001"));
    let id = waits(&watcher, "b", &payment(2, "0.4", "0.0001"));
    let explained = watcher.call("POST", "/v1/signatures/c/explain", payment(3, "0.4", "0.0001").to_string()).good();
    assert_eq!(explained["outcome"], "approve");
    officers.refused(&installation, &["approve", &id], &["alice"], "alice is not one of those who are asked");
    officers.act(&installation, &["approve", &id], &["carol"]);
    signed(&watcher, "b");
    let limits = watcher.get("/v1/limits").good();
    let day = limits["limits"].as_array().unwrap().iter().find(|limit| limit["name"] == "hot wallet, a day").unwrap();
    assert_eq!((day["used"].as_str(), day["remaining"].as_str()), (Some("0.9002"), Some("0")), "{day}");
    running.stop();
    installation.assert_log_verifies();
}

fn of_something_else() {
    let Scene { officers, installation, running, watcher } = Scene::new();
    let first = waits(&watcher, "a", &digest("raw", 1));
    let second = waits(&watcher, "b", &digest("raw", 1));
    let (text, namespace) = officers.text(&installation, &["approve", &first]);
    let approve = |id: &str, files: &[PathBuf]| Officers::hand_in(&installation, &["approve", id], files);
    let before = installation.entries().len();
    for (file, words) in [
        (officers.sign("alice", &namespace, &text.replace("request a", "request b")), "not for this text"),
        (officers.sign("alice", "chancery-reject", &text), "namespace chancery-reject"),
        (officers.sign("alice", "file", &text), "namespace file"),
        (officers.sign("mallory", &namespace, &text), "no officer's key"),
    ] {
        refused(&approve(&first, &[file]), words);
    }
    // A signature for one waiting request is none for another that asks the same.
    let alice = officers.sign("alice", &namespace, &text);
    refused(&approve(&second, std::slice::from_ref(&alice)), "not for this text");
    // Nor for the rejection of this one.
    refused(
        &Officers::hand_in(&installation, &["reject", &first], std::slice::from_ref(&alice)),
        "namespace chancery-approve",
    );
    let damaged = alice.with_extension("damaged");
    let armour = fs::read_to_string(&alice).unwrap();
    fs::write(&damaged, armour.replacen('A', "B", 9)).unwrap();
    assert_eq!(approve(&first, &[damaged]).status.code(), Some(1));
    let denied: Vec<Value> = installation.entries()[before..].to_vec();
    assert!(denied.iter().all(|entry| entry["kind"] == "denied" && entry["watcher"] == "admin socket"), "{denied:?}");
    assert_eq!(denied.len(), 7, "each is recorded");
    assert_eq!(list(&installation)["requests"].as_array().unwrap().len(), 2, "both wait on");

    // Another appliance has another origin.
    let other = Installation::with_policy(&officers.policy(&policy()));
    let elsewhere = other.start();
    let other_watcher = Watcher::new(&other, &elsewhere);
    let there = waits(&other_watcher, "a", &digest("raw", 1));
    refused(&Officers::hand_in(&other, &["approve", &there], &[alice]), "not for this text");
    elsewhere.stop();
    running.stop();
    installation.assert_log_verifies();
}

fn counted_once() {
    let officers = Officers::new();
    officers.make_key("alice-spare", "ed25519");
    let spare = officers.public_key("alice-spare");
    let with_spare = officers.policy(&policy()).replace(
        &format!("{:?}]", officers.public_key("alice")),
        &format!("{:?}, {spare:?}]", officers.public_key("alice")),
    );
    let Scene { officers, installation, running, watcher } = Scene::under(officers, &with_spare);
    let id = waits(&watcher, "a", &digest("raw", 1));
    officers.refused(&installation, &["approve", &id], &["alice", "alice"], "an officer counts once");
    officers.refused(&installation, &["approve", &id], &["alice", "alice-spare"], "an officer counts once");
    officers.act(&installation, &["approve", &id], &["alice"]);
    officers.refused(&installation, &["approve", &id], &["alice-spare"], "agreed before");

    // Her key under another name is hers: the officers agree that it is bob's now, and it still counts once.
    let (alice, bob) = (officers.public_key("alice"), officers.public_key("bob"));
    let swapped = with_spare.replace(&alice, "SWAP").replace(&bob, &alice).replace("SWAP", &bob);
    installation.write_policy(&swapped.replace("version = 1", "version = 2"));
    officers.act(&installation, &["policy", "install", "policy.toml"], &["alice", "bob", "carol"]);
    eventually("the policy is in force", || (installation.status()["policy_version"] == 2).then_some(()));
    officers.refused(&installation, &["approve", &id], &["alice"], "agreed before");
    officers.act(&installation, &["approve", &id], &["carol"]);
    // What alice agreed to was not agreed to by an officer with that key any more.
    assert_eq!(status(&watcher, "a"), "pending");
    running.stop();
    installation.assert_log_verifies();
}

fn frozen() {
    let Scene { officers, installation, running, watcher } = Scene::new();
    let id = waits(&watcher, "a", &digest("raw", 1));
    officers.act(&installation, &["approve", &id], &["alice"]);
    installation.run("chancery", &["freeze", "--key", "raw", "--reason", "drill"]);
    officers.refused(&installation, &["approve", &id], &["bob"], "is frozen");
    assert_eq!(watcher.get("/v1/signatures/a").code(), "frozen");
    officers.act(&installation, &["unfreeze", "--key", "raw", "--reason", "drill over"], &["alice", "bob"]);
    assert_eq!(status(&watcher, "a"), "pending");
    officers.act(&installation, &["approve", &id], &["bob"]);
    signed(&watcher, "a");
    running.stop();
    installation.assert_log_verifies();
}

fn decided_again() {
    let Scene { officers, installation, running, watcher } = Scene::new();
    let id = waits(&watcher, "a", &digest("raw", 1));
    officers.act(&installation, &["approve", &id], &["alice"]);
    // A stricter policy comes in between: it only tightens, so it is in force at once.
    let denying = policy().replace(
        "[[rule]]\nname = \"digests\"",
        "[[rule]]\nname = \"no more\"\nwatchers = [\"btc-watcher\"]\nkeys = [\"raw\"]\naction = \"deny\"\n\n[[rule]]\nname = \"digests\"",
    );
    installation.write_policy(&officers.policy(&denying).replace("version = 1", "version = 2"));
    officers.act(&installation, &["policy", "install", "policy.toml"], &["alice", "bob", "carol"]);
    eventually("the policy is in force", || (installation.status()["policy_version"] == 2).then_some(()));
    officers.refused(&installation, &["approve", &id], &["bob"], "rule \"no more\" denies it");
    eventually("it ended", || (status(&watcher, "a") == "lapsed").then_some(()));
    running.stop();
    installation.assert_log_verifies();
}

fn after_a_kill() {
    let Scene { officers, installation, running, watcher } = Scene::new();
    let id = waits(&watcher, "a", &digest("raw", 1));
    officers.act(&installation, &["approve", &id], &["alice"]);
    let before = list(&installation);
    eventually("it is counted", || (running.metric("chancery_pending_requests") == 1).then_some(()));
    running.kill();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(list(&installation), before);
    officers.act(&installation, &["approve", &id], &["bob"]);
    signed(&watcher, "a");
    running.stop();
    installation.assert_log_verifies();
}

/// A vault whose withdrawals wait for one of two officers, and at the least two seconds.
fn vault(officers: &Officers) -> Vault {
    let action = "max_fee_share = \"0.05\"\naction = { approve = 1, of = [\"alice\", \"bob\"], expires = \"1h\", delay = \"2s\" }";
    let policy = vault::policy().replace("max_fee_share = \"0.05\"\naction = \"sign\"", action);
    Vault::with_policy(&officers.policy(&policy))
}

fn replaced() {
    let officers = Officers::new();
    let vault = vault(&officers);
    let coin = [vault.plain(1)];
    let body = |fee| usual(&vault, &coin, fee);
    let id = waits(&vault.watcher, "a", &body(1_000).body());
    // What waits holds its inputs, and no budget.
    reserved(&vault.watcher, "b", body(2_000).body(), Some("a"));
    assert_eq!(vault.used("vault, a day"), "0");
    let (text, namespace) = officers.text(&vault.installation, &["approve", &id]);
    let alice = officers.sign("alice", &namespace, &text);
    let next = waits(&vault.watcher, "b", &body(2_000).replacing("a"));
    assert_eq!(status(&vault.watcher, "a"), "withdrawn");
    refused(&Officers::hand_in(&vault.installation, &["approve", &id], &[alice]), "nothing waits under");
    officers.act(&vault.installation, &["approve", &next], &["bob"]);
    signed(&vault.watcher, "b");
    assert_eq!(vault.used("vault, a day"), "0.10002", "the one that was replaced cost nothing");
    // It waited as long as the rule says, though it was approved at once.
    let elapsed = |kind| vault.entry(kind, "b")["elapsed"].as_u64().unwrap();
    assert!(elapsed("accepted") - elapsed("pending") >= 2_000);
    // A bump of it waits as well, and is a variant of what was paid.
    let bump = waits(&vault.watcher, "c", &body(5_000).replacing("b"));
    officers.act(&vault.installation, &["approve", &bump], &["alice"]);
    signed(&vault.watcher, "c");
    assert_eq!(vault.used("vault, a day"), "0.10005");
    vault.stop();
}

fn rejected_frees() {
    let officers = Officers::new();
    let vault = vault(&officers);
    let coin = [vault.plain(1)];
    let id = waits(&vault.watcher, "a", &usual(&vault, &coin, 1_000).body());
    officers.act(&vault.installation, &["reject", &id], &["alice"]);
    let id = waits(&vault.watcher, "b", &usual(&vault, &coin, 2_000).body());
    let vault = vault.restart(Running::kill);
    officers.act(&vault.installation, &["approve", &id], &["alice"]);
    signed(&vault.watcher, "b");
    reserved(&vault.watcher, "c", usual(&vault, &coin, 3_000).body(), Some("b"));
    vault.stop();
}
