//! Acts of officers, with real `ssh-keygen`: signed policy, the end of a freeze, the clock, release, the end of a key.

use std::fs;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::{
    harness::{
        Installation,
        body::{DESTINATION, digest, payment},
        eventually,
        installation::POLICY,
        officers::{Officers, refused},
        trial,
        vault::{
            self, Vault,
            coins::{COIN, spend, to},
        },
        watcher::Watcher,
    },
    token_gone::{lose_the_token_after_acceptance, plug_in},
    withdrawals::{pays, reserved, usual},
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("officers::a_policy_that_only_tightens_is_in_force_at_once_by_the_smaller_quorum", tightens),
        trial("officers::a_policy_that_loosens_waits_takes_the_larger_quorum_and_can_be_vetoed", loosens),
        trial("officers::an_older_policy_signed_again_or_one_without_officers_is_refused", older),
        trial("officers::a_freeze_ends_by_quorum_and_by_a_text_of_its_own", unfreeze),
        trial("officers::the_clock_is_accepted_and_credited_by_quorum", clock),
        trial("officers::what_a_lapsed_withdrawal_holds_is_released_by_quorum", release),
        trial("officers::a_key_is_on_its_way_out_by_quorum_and_kept_by_one", key_ends),
        trial("officers::a_retiring_key_stays_spendable_and_a_disabled_one_signs_nothing", states),
        trial("officers::a_log_is_recovered_by_quorum", recovered),
    ]
}

const INSTALL: [&str; 3] = ["policy", "install", "policy.toml"];

fn installation(officers: &Officers) -> Installation {
    Installation::with_policy(&officers.policy(POLICY))
}

/// Writes a changed policy.
fn write(installation: &Installation, officers: &Officers, version: u64, from: &str, to: &str) {
    assert!(POLICY.contains(from));
    let policy = officers.policy(&POLICY.replace(from, to));
    installation.write_policy(&policy.replace("version = 1", &format!("version = {version}")));
}

fn version(installation: &Installation) -> Value {
    installation.status()["policy_version"].clone()
}

fn tightens() {
    let officers = Officers::new();
    let installation = installation(&officers);
    let running = installation.start();
    write(&installation, &officers, 2, "max_amount = \"0.5\"", "max_amount = \"0.4\"");
    officers.refused(&installation, &INSTALL, &[], "it takes 2 officers, and 0 signed");
    officers.refused(&installation, &INSTALL, &["bob"], "it takes 2 officers, and 1 (bob) signed");
    let (text, _) = officers.text(&installation, &INSTALL);
    assert!(text.contains("install policy version 2") && text.contains("\nloosens: nothing\n"), "{text}");
    // An officer signs with one command, which prints the text first.
    let key = officers.key_file("alice");
    let sign = ["policy", "sign", "policy.toml", "--key", key.to_str().unwrap(), "--config", "chancery.toml"];
    let signed = installation.installed("chancery-provision", &sign).output().unwrap();
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    let carol = officers.sign("carol", "chancery-policy", &text);
    let done = Officers::hand_in(&installation, &INSTALL, &[installation.path("policy.sig"), carol]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&done["standing"], version(&installation)), (&json!("in-force"), json!(2)));
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.put("a", payment(1, "0.45", "0.0001")).code(), "denied");
    let entry = installation.entries().into_iter().rfind(|entry| entry["kind"] == "policy").unwrap();
    let names: Vec<&str> =
        entry["signatures"].as_array().unwrap().iter().map(|one| one["officer"].as_str().unwrap()).collect();
    assert_eq!(names, ["alice", "carol"]);
    running.stop();
    installation.assert_log_verifies();
}

fn loosens() {
    let officers = Officers::new();
    let policy = officers.policy(POLICY).replace("loosen_delay = \"1s\"", "loosen_delay = \"6s\"");
    let installation = Installation::with_policy(&policy);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let looser = |version: u64| {
        let looser = policy.replace("version = 1", &format!("version = {version}"));
        installation.write_policy(&looser.replace("max_amount = \"0.5\"", "max_amount = \"5\""));
    };
    looser(2);
    let (text, _) = officers.text(&installation, &INSTALL);
    assert!(text.contains("\nloosens: ") && !text.contains("loosens: nothing"), "{text}");
    officers.refused(&installation, &INSTALL, &["alice", "carol"], "it takes 3 officers");
    let done = officers.act(&installation, &INSTALL, &["alice", "bob", "carol"]);
    assert_eq!(done["standing"], "waiting", "{done}");
    assert_eq!(watcher.put("a", payment(1, "0.6", "0.0001")).code(), "denied", "not before the delay");
    let pending: Value = serde_json::from_slice(&installation.run("chancery", &["pending", "--json"]).stdout).unwrap();
    assert_eq!(pending["policy"]["version"], 2, "{pending}");
    // While one waits no other is taken, and one officer ends it.
    looser(3);
    officers.refused(&installation, &INSTALL, &["alice", "bob", "carol"], "waits already");
    officers.refused(&installation, &["policy", "veto", "2"], &["mallory"], "no officer's key");
    let (text, namespace) = officers.text(&installation, &INSTALL);
    let signed = ["alice", "bob", "carol"].map(|name| officers.sign(name, &namespace, &text));
    officers.act(&installation, &["policy", "veto", "2"], &["carol"]);
    // What was signed before the veto does not serve after it.
    refused(&Officers::hand_in(&installation, &INSTALL, &signed), "not for this text");
    officers.act(&installation, &INSTALL, &["alice", "bob", "carol"]);
    // Nor does credited time, which officers may give back to the windows.
    let now = jiff::Timestamp::now().round(jiff::Unit::Second).unwrap().to_string();
    let credit = ["clock", "--time", &now, "--credit", "1h"];
    officers.refused(&installation, &credit, &["alice", "bob"], "it takes 3 officers");
    officers.act(&installation, &credit, &["alice", "bob", "carol"]);
    assert_eq!(version(&installation), 1);
    // A kill does not shorten the wait, nor lose it.
    running.kill();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    eventually("it is in force", || (version(&installation) == 3).then_some(()));
    watcher.signed("a", payment(1, "0.6", "0.0001"));
    let policies: Vec<Value> = installation.entries().into_iter().filter(|entry| entry["kind"] == "policy").collect();
    let standings: Vec<&Value> = policies.iter().map(|entry| &entry["standing"]).collect();
    assert_eq!(standings.len(), 5, "{standings:?}");
    assert_eq!((standings[0], standings[2], standings[4]), (&Value::Null, &json!("vetoed"), &Value::Null));
    let waited = policies[4]["elapsed"].as_u64().unwrap() - policies[3]["elapsed"].as_u64().unwrap();
    assert!(waited >= 6_000 + 3_600_000, "{waited} ms");
    running.stop();
    installation.assert_log_verifies();
}

fn older() {
    let officers = Officers::new();
    let installation = installation(&officers);
    let running = installation.start();
    let first = fs::read_to_string(installation.path("policy.toml")).unwrap();
    let (_, namespace) = officers.text(&installation, &INSTALL);
    write(&installation, &officers, 2, "max_amount = \"0.5\"", "max_amount = \"0.4\"");
    let (text, _) = officers.text(&installation, &INSTALL);
    let signed = ["alice", "bob"].map(|name| officers.sign(name, &namespace, &text));
    assert!(Officers::hand_in(&installation, &INSTALL, &signed).status.success());
    // The same again, and the first again: versions only increase.
    refused(&Officers::hand_in(&installation, &INSTALL, &signed), "not for this text");
    officers.refused(&installation, &INSTALL, &["alice", "bob"], "does not come after");
    fs::write(installation.path("policy.toml"), first).unwrap();
    officers.refused(&installation, &INSTALL, &["alice", "bob", "carol"], "does not come after");
    // What was signed for one document is nothing for another.
    write(&installation, &officers, 3, "max_amount = \"0.5\"", "max_amount = \"0.3\"");
    refused(&Officers::hand_in(&installation, &INSTALL, &signed), "not for this text");
    installation.write_policy(&POLICY.replace("version = 1", "version = 3"));
    officers.refused(&installation, &INSTALL, &["alice", "bob", "carol"], "followed by one with officers");
    assert_eq!(version(&installation), 2);
    running.stop();
    installation.assert_log_verifies();
}

fn unfreeze() {
    let officers = Officers::new();
    let installation = installation(&officers);
    let running = installation.start();
    let act = ["unfreeze", "--all", "--reason", "looked into"];
    let freeze = ["freeze", "--all", "--reason", "drill"];
    officers.refused_text(&installation, &act, "not frozen");
    installation.run("chancery", &freeze);
    let (text, namespace) = officers.text(&installation, &act);
    let signed = ["alice", "bob"].map(|name| officers.sign(name, &namespace, &text));
    refused(&Officers::hand_in(&installation, &act, &signed[..1]), "it takes 2 officers");
    refused(
        &Officers::hand_in(&installation, &["unfreeze", "--all", "--reason", "bribed"], &signed),
        "not for this text",
    );
    assert!(Officers::hand_in(&installation, &act, &signed).status.success());
    // The next freeze is another, and takes another text.
    installation.run("chancery", &freeze);
    refused(&Officers::hand_in(&installation, &act, &signed), "not for this text");
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.put("a", digest("raw", 1)).code(), "frozen");
    officers.act(&installation, &act, &["bob", "carol"]);
    watcher.signed("a", digest("raw", 1));
    running.stop();
    installation.assert_log_verifies();
}

fn clock() {
    let officers = Officers::new();
    let installation = installation(&officers);
    let running = installation.start();
    let now = jiff::Timestamp::now();
    let said = |time: jiff::Timestamp| time.round(jiff::Unit::Second).unwrap().to_string();
    let (right, wrong) = (said(now), said(now + jiff::SignedDuration::from_hours(3)));
    officers.refused(&installation, &["clock", "--time", &wrong], &["alice", "bob"], "the wall clock says");
    officers.refused(&installation, &["clock", "--time", &right], &["alice"], "it takes 2 officers");
    let before = installation.status()["elapsed"].as_u64().unwrap();
    officers.act(&installation, &["clock", "--time", &right, "--credit", "8h"], &["alice", "bob", "carol"]);
    officers.act(&installation, &["clock", "--time", &right], &["alice", "bob"]);
    let elapsed = |installation: &Installation| installation.status()["elapsed"].as_u64().unwrap();
    let credited = elapsed(&installation) - before;
    assert!((8 * 3_600_000..9 * 3_600_000).contains(&credited), "{credited} ms");
    running.stop();
    let running = installation.start();
    assert!(elapsed(&installation) >= before + 8 * 3_600_000, "what was credited stays");
    running.stop();
    installation.assert_log_verifies();
}

fn release() {
    let officers = Officers::new();
    let vault = Vault::with_policy(&officers.policy(&vault::policy()));
    let coin = [vault.plain(1)];
    let requests = vec![("a".to_owned(), usual(&vault, &coin, 1_000).body())];
    lose_the_token_after_acceptance(&vault.installation, &vault.watcher, requests);
    let act = ["release", "btc-watcher", "a"];
    officers.refused_text(&vault.installation, &act, "has not lapsed");
    let policy = fs::read_to_string(vault.installation.path("policy.toml")).unwrap();
    let policy = policy.replace("version = 1", "version = 2").replace("max_amount = \"0.5\"", "max_amount = \"0.05\"");
    fs::write(vault.installation.path("policy.toml"), policy).unwrap();
    officers.act(&vault.installation, &INSTALL, &["alice", "bob"]);
    plug_in(&vault.installation);
    eventually("it has lapsed", || (vault.watcher.get("/v1/signatures/a").json()["status"] == "lapsed").then_some(()));
    let less = || pays(&vault, &coin, DESTINATION, COIN / 25, 1_000);
    reserved(&vault.watcher, "b", less().body(), Some("a"));
    let (text, _) = officers.text(&vault.installation, &act);
    assert!(text.contains("\nfrees: "), "{text}");
    officers.refused(&vault.installation, &act, &["alice"], "it takes 2 officers");
    officers.act(&vault.installation, &act, &["alice", "carol"]);
    officers.refused_text(&vault.installation, &act, "released before");
    // Its inputs are free for a fresh withdrawal, and nothing replaces it any more.
    assert!(vault.watcher.refused("c", less().replacing("a")).detail.contains("officers released"));
    vault.watcher.signed("b", less().body());
    vault.stop();
}

fn key_ends() {
    let officers = Officers::new();
    let installation = installation(&officers);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", digest("raw", 1));
    let decide = ["key", "destroy", "raw", "--reason", "rotated"];
    officers.refused(&installation, &decide, &["alice"], "it takes 2 officers");
    officers.act(&installation, &decide, &["alice", "bob"]);
    assert!(watcher.refused("b", digest("raw", 2)).detail.contains("is to be destroyed"));
    assert_eq!(watcher.get("/v1/keys/raw").good()["state"], "pending-destroy");
    watcher.get("/v1/signatures/a").good();
    officers.refused_text(&installation, &decide, "on its way to be destroyed");
    officers.act(&installation, &["key", "keep", "raw"], &["carol"]);
    watcher.signed("b", digest("raw", 2));

    officers.act(&installation, &decide, &["bob", "carol"]);
    let list = || -> Value {
        let list: Value =
            serde_json::from_slice(&installation.run("chancery", &["key", "list", "--json"]).stdout).unwrap();
        list["keys"].as_array().unwrap().iter().find(|key| key["name"] == "raw").unwrap().clone()
    };
    assert_eq!(list()["state"], "pending-destroy");
    let provision = ["key", "destroy", "raw", "--config", "chancery.toml"];
    let destroy = |arguments: &[&str]| installation.installed("chancery-provision", arguments).output().unwrap();
    refused(&destroy(&["key", "destroy", "nist", "--config", "chancery.toml"]), "officers decide its end first");
    eventually("its time has come", || (list()["may_be_destroyed_in_s"] == 0).then_some(()));
    let destroyed = destroy(&provision);
    assert!(destroyed.status.success(), "{}", String::from_utf8_lossy(&destroyed.stderr));
    assert_eq!(destroy(&provision).status.code(), Some(1), "it is gone");
    eventually("the appliance sees it", || (list()["state"] == "destroyed").then_some(()));
    assert_eq!(watcher.get("/v1/keys/raw").good()["state"], "destroyed");
    watcher.get("/v1/signatures/a").good();
    running.stop();
    // No token is asked for it again.
    let running = installation.start();
    let tokens = installation.status()["tokens"].clone();
    assert_eq!(tokens[0]["unfit_keys"], json!([]), "{tokens}");
    running.stop();
    installation.assert_log_verifies();
}

fn states() {
    let officers = Officers::new();
    let vault = Vault::with_policy(&officers.policy(&vault::policy()));
    vault.allocate("vault", 2);
    let install = |version: u64, from: &str, to: &str| {
        let path = vault.installation.path("policy.toml");
        let policy = fs::read_to_string(&path).unwrap();
        assert!(policy.contains(from));
        let before = format!("version = {}\n", version - 1);
        fs::write(path, policy.replace(&before, &format!("version = {version}\n")).replace(from, to)).unwrap();
        officers.act(&vault.installation, &INSTALL, &["alice", "bob", "carol"]);
        eventually("it is in force", || (version_of(&vault) == version).then_some(()));
    };
    install(2, "name = \"vault\"\nalgorithm", "name = \"vault\"\nstate = \"retiring\"\nalgorithm");
    assert_eq!(vault.watcher.get("/v1/keys/vault").good()["state"], "retiring");
    let more = vault.watcher.call("POST", "/v1/keys/vault/addresses", json!({ "count": 1 }).to_string()).problem();
    assert!(more.detail.contains("no new addresses"), "{}", more.detail);
    // What it had is there, and goes to the key that follows; what comes back to it is a payment like any other.
    let coin = [vault.plain(1)];
    let problem = vault.watcher.refused("a", usual(&vault, &coin, 1_000).body());
    assert!(problem.detail.contains("one destination's sum of 0.89999"), "{}", problem.detail);
    let all = coin[0].output().value.to_sat() - 1_000;
    vault.watcher.signed("a", spend(&coin, &[to(all, &vault.address("cold"))]).body());
    install(3, "\"retiring\"", "\"disabled\"");
    let coin = [vault.plain(2)];
    let problem = vault.watcher.refused("b", usual(&vault, &coin, 1_000).body());
    assert!(problem.detail.contains("is disabled by the policy"), "{}", problem.detail);
    vault.stop();
}

fn version_of(vault: &Vault) -> u64 {
    version(&vault.installation).as_u64().unwrap()
}

fn recovered() {
    let officers = Officers::new();
    let installation = installation(&officers);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", digest("raw", 1));
    fs::create_dir(installation.path("backup")).unwrap();
    fs::copy(installation.path("state/log.jsonl"), installation.path("backup/log.jsonl")).unwrap();
    watcher.signed("b", digest("raw", 2));
    running.stop();
    fs::remove_dir_all(installation.path("state")).unwrap();
    let act = ["audit", "recover", "--from", "backup", "--reason", "disk lost"];
    let (text, namespace) = officers.text(&installation, &act);
    assert!(text.starts_with("recover the audit log from a copy\n"), "{text}");
    assert!(!installation.path("state/log.jsonl").exists(), "the text changes nothing");
    let signed = ["alice", "carol"].map(|name| officers.sign(name, &namespace, &text));
    refused(&Officers::hand_in(&installation, &act, &[]), "it takes 2 officers");
    refused(&Officers::hand_in(&installation, &act, &signed[1..]), "it takes 2 officers");
    assert!(Officers::hand_in(&installation, &act, &signed).status.success());
    installation.assert_log_verifies();
    let shown = installation.run("chancery", &["audit", "show"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("RECOVERED by alice, carol from an older copy"), "{shown}");
    let running = installation.start();
    officers.act(&installation, &["unfreeze", "--all", "--reason", "looked into"], &["alice", "bob"]);
    running.stop();
    installation.assert_log_verifies();
}
