//! An appliance that a key ceremony began: what its log says of it, who renews its officers, and what its backups are
//! worth when the box and its token are gone.

use std::{
    fs,
    os::unix::{fs::symlink, process::CommandExt},
    path::Path,
    process::{Command, Output, Stdio},
};

use appliance_wire::{ceremony::Transcript, sha256_hex};
use hsm_drivers::pkcs11::ceremony::find_softhsm;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation,
    body::digest,
    eventually,
    installation::POLICY,
    officers::{Officers, refused},
    trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("ceremony::the_log_names_the_ceremony_it_began_with_and_its_keys_sign", begins),
        trial("ceremony::a_log_is_not_begun_with_a_transcript_of_other_keys_or_another_policy", other_transcript),
        trial("ceremony::custodians_bring_in_new_officers_and_nobody_else_does", renewal),
        trial("ceremony::box_and_token_lost_the_keys_come_back_from_backups_and_the_log_goes_on", drill),
    ]
}

const PLAN: &str = r#"
name = "A trial"
origin = "exchange.example/signer-1"
profile = "development"
policy = "first-policy.toml"

[[participant]]
name = "Alice"
role = "administrator"
[[participant]]
name = "Carol"
role = "custodian"
[[participant]]
name = "Dave"
role = "custodian"
[[participant]]
name = "Erin"
role = "custodian"

[backup]
threshold = 2
custodians = ["Carol", "Dave", "Erin"]

[pki]
watchers = ["watcher"]

[appliance]
watcher_address = "127.0.0.1:0"
monitor_address = "127.0.0.1:0"
"#;

/// Two tokens of one SoftHSM, and every key of the policy.
fn plan() -> String {
    let module = find_softhsm().unwrap().canonicalize().unwrap();
    let token = |name: &str, spare: bool| {
        format!(
            "[[token]]\nname = \"{name}\"\nspare = {spare}\ndriver = \"pkcs11\"\nmodule = \"{}\"\nlabel = \"trial-{name}\"\n\
             environment = {{ SOFTHSM2_CONF = \"token/softhsm2.conf\" }}\nso_pin = {{ file = \"token/{name}-so-pin\" }}\n\
             pin = {{ file = \"token/{name}-pin\" }}\n",
            module.display()
        )
    };
    // SoftHSM wraps no Ed25519 key.
    let key = |(name, algorithm): (&str, &str)| {
        format!("[[key]]\nname = \"{name}\"\nalgorithm = \"{algorithm}\"\nbackup = {}\n", algorithm != "ed25519")
    };
    let keys = [("hot", "secp256k1"), ("raw", "secp256k1"), ("nist", "p256"), ("ed", "ed25519")].map(key).concat();
    format!("{PLAN}\n{}{}{keys}", token("main", false), token("spare", true))
}

/// An installation made by a ceremony with this policy.
pub(crate) fn by_ceremony(policy: &str) -> Installation {
    let installation = Installation::empty();
    fs::create_dir(installation.path("bin")).unwrap();
    for program in ["chancery", "chancery-provision"] {
        symlink(std::env::current_exe().unwrap(), installation.path("bin").join(program)).unwrap();
    }
    fs::write(installation.path("first-policy.toml"), policy.replace("WATCHER", "@watcher@")).unwrap();
    fs::write(installation.path("plan.toml"), plan()).unwrap();
    succeeded(&provision(&installation, &["ceremony", "run", "plan.toml", "--out", ".", "--yes"]));
    installation
}

/// `chancery-provision`, which finds `chancery` beside it.
fn provision(installation: &Installation, arguments: &[&str]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg0(installation.path("bin/chancery-provision")).args(arguments).current_dir(installation.directory());
    command.env_remove("SOFTHSM2_CONF").stdin(Stdio::null()).output().unwrap()
}

fn succeeded(output: &Output) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
}

fn transcript(installation: &Installation) -> Transcript {
    Transcript::parse(&fs::read_to_string(installation.path("transcript.json")).unwrap()).unwrap()
}

fn begins() {
    let officers = Officers::new();
    let installation = by_ceremony(&officers.policy(POLICY));
    let transcript = transcript(&installation);
    let facts = transcript.verify().unwrap();
    let genesis = &installation.entries()[0];
    assert_eq!(genesis["ceremony"]["transcript_sha256"], transcript.sha256());
    assert_eq!(genesis["ceremony"]["renewal_key"].as_str(), facts.renewal_key());
    assert_eq!(genesis["log_key"], facts.log_key);
    let policy = fs::read(installation.path("policy.toml")).unwrap();
    assert_eq!(facts.policy_sha256, Some(sha256_hex(&policy)));

    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let signed = watcher.signed("a", digest("raw", 1));
    assert_eq!(signed["signatures"][0]["public_key"], facts.key("raw").unwrap().public_key);
    running.stop();
    installation.assert_log_verifies();
}

fn other_transcript() {
    let (one, other) = (by_ceremony(POLICY), by_ceremony(POLICY));
    fs::remove_dir_all(one.path("state")).unwrap();
    fs::copy(other.path("transcript.json"), one.path("theirs.json")).unwrap();
    let begin = |policy: &str, transcript: &str| {
        let arguments = ["policy", "install", policy, "--genesis", "--ceremony", transcript];
        let output = one.command("chancery", &arguments).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let changed = fs::read_to_string(one.path("policy.toml")).unwrap() + "# changed\n";
    fs::write(one.path("changed.toml"), changed).unwrap();
    let (begun, said) = begin("changed.toml", "transcript.json");
    assert!(!begun && said.contains("names another policy"), "{said}");
    // Their watcher has another certificate, and with it the policy another hash.
    fs::copy(other.path("policy.toml"), one.path("theirs.toml")).unwrap();
    let (begun, said) = begin("theirs.toml", "theirs.json");
    assert!(!begun && said.contains("the ceremony made log key"), "{said}");
    let (begun, said) = begin("policy.toml", "transcript.json");
    assert!(begun, "{said}");
}

fn renewal() {
    let officers = Officers::new();
    let installation = by_ceremony(&officers.policy(POLICY));
    officers.make_key("dora", "ed25519");
    officers.make_key("emil", "ed25519");
    let next = installation_policy(&installation).replacen("version = 1", "version = 2", 1);
    let (kept, _) = next.split_once("\n[quorum]").unwrap();
    let quorum = "\n[quorum]\npolicy = 1\nloosen = 2\nloosen_delay = \"1s\"\nunfreeze = 1\n";
    fs::write(installation.path("next.toml"), officers.policy_with(kept, &["dora", "emil"], quorum)).unwrap();

    let running = installation.start();
    let act = ["policy", "install", "next.toml", "--renewal"];
    let (text, namespace) = officers.text(&installation, &act);
    assert_eq!(namespace, "chancery-renewal");
    fs::write(installation.path("renewal.txt"), &text).unwrap();
    let alice = officers.sign("alice", &namespace, &text);
    refused(&Officers::hand_in(&installation, &act, &[alice]), "not for this text by ssh-ed25519");

    let sign = ["ceremony", "officers", "next.toml", "--transcript", "transcript.json", "--text", "renewal.txt"];
    let out = ["--signature-out", "renewal.sig", "--share-file", "shares/Dave.txt", "--share-file", "shares/Erin.txt"];
    succeeded(&provision(&installation, &[&sign[..], &out].concat()));
    let handed_in = Officers::hand_in(&installation, &act, &[installation.path("renewal.sig")]);
    succeeded(&handed_in);
    // It loosens, so it waits a second. Then the new officers act, the old ones no more.
    eventually("the new policy is in force", || (installation.status()["policy_version"] == 2).then_some(()));
    let freeze = installation.run("chancery", &["freeze", "--key", "raw", "--reason", "a drill"]);
    assert!(freeze.status.success());
    let unfreeze = ["unfreeze", "--key", "raw", "--reason", "over"];
    assert!(!officers.try_act(&installation, &unfreeze, &["alice", "bob"]).status.success());
    officers.act(&installation, &unfreeze, &["dora"]);
    running.stop();
    installation.assert_log_verifies();
}

fn installation_policy(installation: &Installation) -> String {
    fs::read_to_string(installation.path("policy.toml")).unwrap()
}

/// Everything in one directory is lost but what was carried away: the mirror of the log, `backup/`, the transcript, shares.
fn drill() {
    let lost = by_ceremony(POLICY);
    let running = lost.start();
    let watcher = Watcher::new(&lost, &running);
    let before = watcher.signed("before", digest("raw", 1));
    running.stop();

    let new = Installation::with_token("softhsm");
    for kept in ["backup", "shares", "transcript.json", "pki", "state", "watcher.toml"] {
        copy(&lost.path(kept), &new.path(kept));
    }
    drop(lost);
    new.edit_config(|config| {
        config
            .replace("name = \"main\"", "name = \"second\"")
            .replace("origin = \"development.example/signer\"", "origin = \"exchange.example/signer-1\"")
    });
    for key in ["hot", "raw", "nist"] {
        let file = format!("backup/{key}.json");
        let restore = ["backup", "restore", &file, "--transcript", "transcript.json", "--config", "chancery.toml"];
        let shares = ["--share-file", "shares/Carol.txt", "--share-file", "shares/Erin.txt"];
        new.run("chancery-provision", &[&restore[..], &shares].concat());
    }
    let replaced = new.run("chancery", &["token", "replace", "second", "--reason", "the box burnt", "--json"]);
    let replaced: Value = serde_json::from_slice(&replaced.stdout).unwrap();
    assert_ne!(replaced["log_key"], new.log_key());

    let running = new.start();
    let watcher = Watcher::new(&new, &running);
    assert_eq!(watcher.signed("before", digest("raw", 1))["signatures"], before["signatures"]);
    let after = watcher.signed("after", digest("raw", 2));
    assert_eq!(after["signatures"][0]["public_key"], before["signatures"][0]["public_key"]);
    running.stop();
    new.assert_log_verifies();
}

fn copy(from: &Path, to: &Path) {
    if to.is_dir() {
        fs::remove_dir_all(to).unwrap();
    }
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success(), "{}", from.display());
}
