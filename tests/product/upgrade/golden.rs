//! A state of each format, made once by the program of its day and never again: today's must serve it, with every byte it
//! ever answered.
//!
//! `UPDATE=1` makes the state of today's format where there is none yet. What is there is never overwritten.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use appliance_wire::sha256_hex;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::{
    ceremony,
    harness::{
        Installation, Running,
        body::{DESTINATION, digest, message, payment},
        eventually,
        officers::Officers,
        trial,
        vault::{
            self, Vault,
            coins::{COIN, spend, to},
            ether::{self, ETHER, RECIPIENT},
        },
        watcher::Watcher,
    },
    mutations::files::Files,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("upgrade::a_state_of_every_format_is_served_with_the_bytes_it_answered", served),
        trial("upgrade::what_left_a_state_of_every_format_is_still_valid_and_is_written_alike", others),
    ]
}

/// The folders `format-N`.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../appliance/tests/golden");
/// What a golden installation has; `state` is beside them, without what is made anew.
const NAMES: [&str; 9] = [
    "chancery.toml",
    "policy.toml",
    "watcher.toml",
    "pki",
    "token",
    "answers.json",
    "receipts.json",
    "export",
    "ceremony",
];
const LEFT_OUT: [&str; 2] = ["state/lock", "state/ballast"];
/// Long, and of few different bytes: kept by gzip.
const PACKED: [(&str, &str); 2] = [("state/store/db", "database.gz"), ("token/simulator", "simulator.gz")];
const SUMS: &str = "SHA256SUMS";
const APPROVE: &str = r#"{ approve = 2, of = ["alice", "bob", "carol"], expires = "1h" }"#;

const CHILDREN: &[&str] = &["--children"];
/// Name, algorithm, and whether with children.
const KEYS: [(&str, &str, &[&str]); 7] = [
    ("hot", "secp256k1", &[]),
    ("raw", "secp256k1", &[]),
    ("nist", "p256", &[]),
    ("ed", "ed25519", &[]),
    ("vault", "secp256k1", CHILDREN),
    ("cold", "secp256k1", CHILDREN),
    ("eth", "secp256k1", CHILDREN),
];

fn golden() -> Vec<PathBuf> {
    let today = Path::new(GOLDEN).join("format-1");
    if std::env::var_os("UPDATE").is_some() && !today.exists() {
        make(&today);
    }
    let folders = fs::read_dir(GOLDEN).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
    assert!(folders.contains(&today), "no golden state in {GOLDEN}: `UPDATE=1` makes it");
    folders
}

/// A copy that can be run.
fn unpacked(golden: &Path) -> Installation {
    let installation = Installation::empty();
    let names = [&NAMES[..], &["state"]].concat();
    Files::read(golden, &names).write_into(installation.directory());
    for (name, packed) in PACKED {
        fs::write(installation.path(name), gzip("-dc", &golden.join(packed))).unwrap();
    }
    fs::create_dir_all(installation.path("state/store/blobs")).unwrap();
    fs::create_dir(installation.path("second")).unwrap();
    fs::copy(installation.path("state/log.jsonl"), installation.path("second/log.jsonl")).unwrap();
    installation.make_private();
    for name in ["server", "watcher", "second"] {
        installation.run("chancery-provision", &["pki", "renew", name, "--directory", "pki"]);
    }
    installation
}

fn answers(installation: &Installation) -> BTreeMap<String, (Value, String)> {
    serde_json::from_slice(&fs::read(installation.path("answers.json")).unwrap()).unwrap()
}

fn served() {
    for golden in golden() {
        let installation = unpacked(&golden);
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        for (id, (body, answered)) in answers(&installation) {
            let answer = watcher.put(&id, &body);
            assert_eq!(String::from_utf8_lossy(&answer.body), answered, "{id} of {}", golden.display());
        }
        // What it accepted, holds and counted is in force, and it goes on.
        assert_eq!(watcher.put("wd-declared", payment(9, "0.1", "0.0001")).code(), "request-conflict");
        let other = payment(9, "0.1", "0.0001");
        watcher.signed("wd-of-today", other);
        let limits = watcher.get("/v1/limits").good();
        let day = limits["limits"].as_array().unwrap().iter().find(|limit| limit["name"] == "hot wallet, a day");
        // Three payments of 0.1 and today's, fees, and 5 percent for the kill.
        assert_eq!(day.unwrap()["used"], "0.9004", "{limits}");
        running.stop();
        installation.assert_log_verifies();
    }
}

fn others() {
    for golden in golden() {
        let kept = fs::read_to_string(golden.join(SUMS)).unwrap();
        assert_eq!(sums(&golden), kept, "a golden file is not changed, another state is added");
        let installation = unpacked(&golden);
        installation.run("chancery", &["audit", "export", "--out", "again"]);
        let again = Files::read(&installation.path("again"), &["."]);
        assert!(again == Files::read(&golden.join("export"), &["."]), "the export is another");
        let log_key = installation.log_key();
        installation.run("chancery", &["audit", "verify", "--export", "export", "--log-key", &log_key]);
        installation.run("chancery", &["audit", "verify", "--log-key", &log_key]);
        let receipts: Vec<Value> =
            serde_json::from_slice(&fs::read(installation.path("receipts.json")).unwrap()).unwrap();
        assert!(!receipts.is_empty());
        for receipt in receipts {
            fs::write(installation.path("receipt.json"), receipt.to_string()).unwrap();
            installation.run("chancery-watcher", &["verify", "receipt.json", "--log-key", &log_key]);
        }
        installation.run("chancery-provision", &["ceremony", "verify", "ceremony/transcript.json"]);
        let backup = ["backup", "check", "ceremony/backup.json", "--transcript", "ceremony/transcript.json"];
        installation.run("chancery-provision", &backup);
        // The other copy of the log can be made of each.
        installation.run("chancery", &["audit", "rebuild", "--from", "store"]);
        installation.run("chancery", &["audit", "rebuild", "--from", "mirror"]);
        installation.assert_log_verifies();
    }
}

/// Makes it with the program of today: every kind of entry that takes no fault and no loss, and a kill.
fn make(folder: &Path) {
    let officers = Officers::new();
    let installation = Installation::with_token("simulator");
    for (key, algorithm, children) in KEYS {
        let password = ["--administrator-password-file", "token/administrator-password", "--config", "chancery.toml"];
        let arguments = [&["key", "generate", key, "--algorithm", algorithm], &password[..], children].concat();
        installation.run("chancery-provision", &arguments);
    }
    fs::create_dir(installation.path("second")).unwrap();
    let mirrored = "[state]\nmirror_directory = \"second\"\n";
    installation.edit_config(|config| config.replace("[state]\n", mirrored));
    let digests = "keys = [\"raw\", \"nist\", \"ed\"]\naction = ";
    let policy = vault::policy().replace(&format!("{digests}\"sign\""), &format!("{digests}{APPROVE}"));
    let second = installation.issue("second");
    installation.begin(&officers.policy(&policy.replace("SECOND", &second)));

    let vault = Vault::serve(installation);
    let mut asked = BTreeMap::new();
    first_run(&vault, &officers, &mut asked);
    let Vault { installation, running, .. } = vault;
    running.stop();
    for (id, number, end) in [("wd-killed", 20, Running::kill as fn(Running)), ("wd-last", 21, Running::stop)] {
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        ask(&watcher, &mut asked, id, payment(number, "0.1", "0.0001"));
        if id == "wd-last" {
            keep_receipts(&installation, &watcher, &asked);
        }
        end(running);
    }
    fs::write(installation.path("answers.json"), serde_json::to_string_pretty(&asked).unwrap()).unwrap();
    installation.run("chancery", &["audit", "export", "--out", "export"]);
    let ceremony = ceremony::by_ceremony(crate::harness::installation::POLICY);
    fs::create_dir(installation.path("ceremony")).unwrap();
    for (from, name) in [("transcript.json", "transcript.json"), ("backup/hot.json", "backup.json")] {
        fs::copy(ceremony.path(from), installation.path("ceremony").join(name)).unwrap();
    }
    let mut files = Files::read(installation.directory(), &[&NAMES[..], &["state"]].concat());
    files.0.retain(|name, _| !LEFT_OUT.contains(&name.as_str()) && PACKED.iter().all(|(long, _)| name != long));
    files.write(folder);
    for (name, packed) in PACKED {
        fs::write(folder.join(packed), gzip("-9nc", &installation.path(name))).unwrap();
    }
    fs::write(folder.join(SUMS), sums(folder)).unwrap();
}

fn gzip(options: &str, file: &Path) -> Vec<u8> {
    let output = Command::new("gzip").arg(options).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// SHA-256 of each file, as `sha256sum` prints it.
fn sums(folder: &Path) -> String {
    let files = Files::read(folder, &[&NAMES[..], &["state"], &PACKED.map(|(_, packed)| packed)].concat());
    let sum = |(name, content): (&String, &Option<Vec<u8>>)| {
        content.as_ref().map(|content| format!("{}  {name}\n", sha256_hex(content)))
    };
    files.0.iter().filter_map(sum).collect()
}

type Asked = BTreeMap<String, (Value, String)>;

fn ask(watcher: &Watcher, asked: &mut Asked, id: &str, body: Value) {
    let answer = watcher.put(id, &body);
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert_eq!(answer.status, 200, "{id}: {text}");
    asked.insert(id.to_owned(), (body, text));
}

fn first_run(vault: &Vault, officers: &Officers, asked: &mut Asked) {
    let (installation, watcher) = (&vault.installation, &vault.watcher);
    vault.allocate("vault", 3);
    ask(watcher, asked, "wd-declared", payment(1, "0.1", "0.0001"));
    let spend_on = |fee: u64| {
        let outputs = [to(30_000_000, DESTINATION), vault.back(COIN - 30_000_000 - fee, "vault/1")];
        spend(&[vault.plain(1)], &outputs)
    };
    ask(watcher, asked, "wd-verified", spend_on(1_000).body());
    ask(watcher, asked, "wd-replacement", spend_on(3_000).replacing("wd-verified"));
    ask(watcher, asked, "wd-ether", ether::body("eth", &ether::ether(0, RECIPIENT, ETHER / 10)));
    watcher.refused("wd-denied", payment(2, "9", "0.0001"));

    let waits = |id: &str, body: &Value| {
        let answer = watcher.put(id, body);
        assert_eq!(answer.status, 202, "{id}");
        answer.json()["entry"].to_string()
    };
    for (id, body) in [("wd-approved", digest("nist", 1)), ("wd-message", message(b"golden"))] {
        let entry = waits(id, &body);
        officers.act(installation, &["approve", &entry], &["alice", "carol"]);
        eventually("it is signed", || (watcher.put(id, &body).status == 200).then_some(()));
        ask(watcher, asked, id, body);
    }
    let rejected = digest("raw", 1);
    officers.act(installation, &["reject", &waits("wd-rejected", &rejected)], &["bob"]);
    ask(watcher, asked, "wd-rejected", rejected);
    let withdrawn = digest("raw", 2);
    waits("wd-withdrawn", &withdrawn);
    watcher.call("DELETE", "/v1/signatures/wd-withdrawn", "").good();
    ask(watcher, asked, "wd-withdrawn", withdrawn);

    installation.run("chancery", &["freeze", "--watcher", "second", "--reason", "drill"]);
    officers.act(installation, &["unfreeze", "--watcher", "second", "--reason", "drill over"], &["alice", "bob"]);
    let now = jiff::Timestamp::now().round(jiff::Unit::Second).unwrap().to_string();
    officers.act(installation, &["clock", "--time", &now], &["alice", "bob"]);
    let policy = fs::read_to_string(installation.path("policy.toml")).unwrap();
    let tighter =
        policy.replace("version = 1", "version = 2").replace("max_amount = \"5000\"", "max_amount = \"4000\"");
    fs::write(installation.path("policy.toml"), tighter).unwrap();
    officers.act(installation, &["policy", "install", "policy.toml"], &["alice", "bob"]);
}

/// Of everything that was signed.
fn keep_receipts(installation: &Installation, watcher: &Watcher, asked: &Asked) {
    let signed = asked.iter().filter(|(_, (_, answered))| answered.contains("\"signatures\""));
    let receipt = |(id, _): (&String, &(Value, String))| {
        eventually("a receipt", || {
            let answer = watcher.get(&format!("/v1/signatures/{id}")).json();
            answer.get("receipt").cloned()
        })
    };
    let receipts: Vec<Value> = signed.map(receipt).collect();
    fs::write(installation.path("receipts.json"), json!(receipts).to_string()).unwrap();
}
