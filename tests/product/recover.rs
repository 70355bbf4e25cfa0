//! Drills of a true loss: the disk, and the token that held the log.

use std::{fs, path::Path, process::Output};

use appliance_wire::sha256_hex;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::{
    harness::{
        Installation,
        body::{digest, message, payment},
        eventually, trial,
        watcher::Watcher,
        watcher_program,
    },
    several_tokens::with_second_token,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("recover::after_the_loss_of_the_disk_what_receipts_prove_is_never_signed_otherwise", disk_lost),
        trial("recover::a_copy_that_proves_nothing_lost_or_is_damaged_is_refused_and_changes_nothing", refusals),
        trial("recover::done_again_after_an_interruption_it_comes_to_the_same", again),
        trial("recover::another_token_takes_over_the_log_and_watchers_follow", token_lost),
    ]
}

fn chancery(installation: &Installation, arguments: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = installation.command("chancery", arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

/// What the answer is once a checkpoint covers it.
fn with_receipt(watcher: &Watcher, id: &str) -> Value {
    eventually("its receipt", || {
        let answer = watcher.get(&format!("/v1/signatures/{id}")).good();
        (!answer["receipt"].is_null()).then_some(answer)
    })
}

/// A receipt of any entry of one's own.
fn receipt_of(watcher: &Watcher, index: u64) -> Value {
    let note = watcher.get("/v1/log/checkpoint");
    let note = std::str::from_utf8(&note.body).unwrap();
    let size = note.lines().nth(1).unwrap();
    let proof = watcher.get(&format!("/v1/log/proof/inclusion?index={index}&size={size}")).good();
    let entry = watcher.get(&format!("/v1/log/entries/{index}")).good();
    json!({ "index": index, "entry": entry["entry"], "proof": proof["proof"], "checkpoint": note })
}

fn without_receipt(mut answer: Value) -> Value {
    let answer = answer.as_object_mut().unwrap();
    answer.remove("receipt");
    answer.remove("entry");
    json!(answer)
}

fn unfreeze(installation: &Installation) {
    installation.run("chancery", &["unfreeze", "--all", "--reason", "looked into"]);
}

/// Ten requests, of which a copy knows half; the receipts of the others, but of the last.
struct Loss {
    installation: Installation,
    answers: Vec<Value>,
}

impl Loss {
    fn new() -> Self {
        let installation = Installation::new();
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        for number in 0..5 {
            watcher.signed(&format!("a-{number}"), digest("raw", number));
        }
        watcher.signed("a-paid", payment(7, "0.1", "0.0001"));
        fs::create_dir(installation.path("backup")).unwrap();
        fs::copy(installation.path("state/log.jsonl"), installation.path("backup/log.jsonl")).unwrap();
        let mut paid = payment(8, "0.2", "0.0001");
        paid["transfer"]["outputs"][0]["reference"] = "customer-9".into();
        watcher.signed("b-paid", paid);
        watcher.signed("b-digest", digest("raw", 17));
        watcher.signed("b-message", message(b"of the lost log"));
        watcher.signed("b-forgotten", digest("raw", 18));
        let answers: Vec<Value> =
            ["b-paid", "b-digest", "b-message"].iter().map(|id| with_receipt(&watcher, id)).collect();
        let entries = installation.entries();
        let paid = entries.iter().find(|entry| entry["kind"] == "accepted" && entry["request_id"] == "b-paid").unwrap();
        let acceptance = receipt_of(&watcher, paid["index"].as_u64().unwrap());
        let receipts = answers.iter().map(Value::to_string).collect::<String>() + &json!([acceptance]).to_string();
        fs::write(installation.path("receipts.json"), receipts).unwrap();
        running.stop();
        Self { installation, answers }
    }
}

fn disk_lost() {
    let Loss { installation, answers } = Loss::new();
    let lost = installation.entries().len();
    fs::remove_dir_all(installation.path("state")).unwrap();
    assert_eq!(chancery(&installation, &["serve"]).0, 78);

    let recover = ["audit", "recover", "--from", "backup", "--receipts", "receipts.json", "--json"];
    let report: Value = serde_json::from_slice(&installation.run("chancery", &recover).stdout).unwrap();
    assert_eq!((&report["bound_again"], &report["unused_receipts"]), (&json!(3), &json!(0)), "{report}");
    let known = |by: &str| report["lost"].as_array().unwrap().iter().find(|known| known["by"] == by).unwrap().clone();
    assert_eq!(known("token anchor")["size"], lost);
    assert!(known("receipts")["size"].as_u64().unwrap() <= lost as u64);
    installation.assert_log_verifies();
    let shown =
        String::from_utf8(installation.run("chancery", &["audit", "show", "--kind", "recovered"]).stdout).unwrap();
    assert!(shown.contains("RECOVERED by admin") && shown.contains("b-paid: bound again"), "{shown}");

    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.put("a-0", digest("raw", 0)).code(), "frozen");
    unfreeze(&installation);
    // What the copy knows, and what receipts prove: the same bytes but for where they lie in the log.
    watcher.signed("a-0", digest("raw", 0));
    let bodies = [payment(8, "0.2", "0.0001"), digest("raw", 17), message(b"of the lost log")];
    for (before, body) in answers.iter().zip(bodies) {
        let id = before["request_id"].as_str().unwrap();
        let mut body = body;
        if id == "b-paid" {
            body["transfer"]["outputs"][0]["reference"] = "customer-9".into();
        }
        let now = watcher.signed(id, body);
        assert_eq!(without_receipt(now), without_receipt(before.clone()));
        assert_eq!(watcher.put(id, digest("raw", 99)).code(), "request-conflict");
        let receipt = with_receipt(&watcher, id)["receipt"].to_string();
        fs::write(installation.path("again.json"), receipt).unwrap();
        let (status, said, error) = watcher_program::run(&installation, &["verify", "again.json"]);
        assert_eq!(status, 0, "{said} {error}");
    }
    // Of b-paid the acceptance was proven, too: its reference is bound. And every limit is full.
    let mut other = payment(20, "0.01", "0.0001");
    assert_eq!(watcher.put("c-0", other.clone()).code(), "limit-exceeded");
    other["transfer"]["outputs"][0]["reference"] = "customer-9".into();
    assert_eq!(watcher.put("c-1", other).code(), "limit-exceeded");
    let limits = watcher.get("/v1/limits").good();
    assert!(limits["limits"].as_array().unwrap().iter().all(|limit| limit["remaining"] == "0"), "{limits}");
    // What nobody can prove is forgotten, as the report says by what it counts.
    watcher.signed("b-forgotten", digest("raw", 19));
    running.stop();
    installation.assert_log_verifies();
    installation.start().stop();
    installation.assert_log_verifies();
}

fn digest_of(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for name in ["log.jsonl", "anchor", "checkpoint"] {
        files.push((name.to_owned(), fs::read(directory.join(name)).unwrap()));
    }
    files
}

fn refusals() {
    let Loss { installation, .. } = Loss::new();
    let before = digest_of(&installation.path("state"));
    let refused = |arguments: &[&str], status: i32, words: &str| {
        let arguments = [&["audit", "recover"], arguments].concat();
        let (found, said) = chancery(&installation, &arguments);
        assert!(found == status && said.contains(words), "{arguments:?}: {found} {said}");
        assert!(digest_of(&installation.path("state")) == before, "{arguments:?} changed something");
        assert!(!installation.path("state/rebuilding").exists());
    };
    refused(&["--from", "nowhere"], 1, "nowhere");
    refused(&["--from", "state"], 3, "nothing shows that anything is lost");
    refused(&["--from", "backup", "--receipts", "chancery.toml"], 1, "chancery.toml");
    let log = fs::read_to_string(installation.path("backup/log.jsonl")).unwrap();
    let damaged = log.replacen("\"kind\":\"signed\"", "\"kind\":\"singed\"", 1);
    fs::write(installation.path("damaged.jsonl"), damaged).unwrap();
    refused(&["--from", "damaged.jsonl"], 3, "no canonical entry");
    let forged = log.replacen("\"amount\":\"0.1\"", "\"amount\":\"0.2\"", 1);
    assert_ne!(forged, log);
    fs::write(installation.path("forged.jsonl"), forged).unwrap();
    refused(&["--from", "forged.jsonl"], 3, "does not verify");
    let evidence = sha256_hex(b"evidence");
    fs::create_dir_all(installation.path("backup/evidence")).unwrap();
    fs::write(installation.path("backup/evidence").join(&evidence), "half of it").unwrap();
    refused(&["--from", "backup", "--receipts", "receipts.json"], 3, &evidence);
    fs::remove_dir_all(installation.path("backup/evidence")).unwrap();
    let receipts = fs::read_to_string(installation.path("receipts.json")).unwrap();
    let bent = receipts.replacen("\"proof\":[\"", "\"proof\":[\"AAAA", 1);
    fs::write(installation.path("bent.json"), bent).unwrap();
    refused(&["--from", "backup", "--receipts", "bent.json"], 3, "proves nothing");
    // A log of somebody else.
    let other = Installation::new();
    fs::copy(other.path("state/log.jsonl"), installation.path("other.jsonl")).unwrap();
    refused(&["--from", "other.jsonl"], 1, "is not the one of this log");

    let running = installation.start();
    let (status, said) = chancery(&installation, &["audit", "recover", "--from", "backup"]);
    assert!(status == 1 && said.contains("another process has it open"), "{status} {said}");
    running.stop();
}

fn again() {
    let Loss { installation, .. } = Loss::new();
    fs::remove_dir_all(installation.path("state")).unwrap();
    let token = installation.path("token");
    let kept = installation.path("token-kept");
    let copy = |from: &Path, to: &Path| {
        let _ = fs::remove_dir_all(to);
        assert!(std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    };
    copy(&token, &kept);
    let evidence = sha256_hex(b"evidence");
    fs::create_dir(installation.path("backup/evidence")).unwrap();
    fs::write(installation.path("backup/evidence").join(&evidence), "evidence").unwrap();
    fs::write(installation.path("backup/evidence/part"), "of no hash").unwrap();
    installation.run("chancery", &["audit", "recover", "--from", "backup"]);
    let brought = fs::read_dir(installation.path("state/evidence")).unwrap().map(|file| file.unwrap().file_name());
    assert_eq!(brought.collect::<Vec<_>>(), [evidence.as_str()]);
    // As if it had ended before the token was told.
    copy(&kept, &token);
    assert_eq!(chancery(&installation, &["serve"]).0, 78);
    installation.run("chancery", &["audit", "recover", "--from", "backup", "--receipts", "receipts.json"]);
    assert!(installation.path("state/log.jsonl.before-recover-1").exists());
    let running = installation.start();
    unfreeze(&installation);
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("b-digest", digest("raw", 17));
    running.stop();
    installation.assert_log_verifies();
}

fn token_lost() {
    let installation = with_second_token();
    let running = installation.start();
    let client = installation.client(&running);
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("before", digest("raw", 1));
    with_receipt(&watcher, "before");
    watcher.block_on(client.checkpoint()).unwrap();
    running.stop();
    let replace = ["token", "replace", "second", "--reason", "main burnt", "--json"];
    let (status, said) = chancery(&installation, &replace);
    assert!(status == 1 && said.contains("token main, which holds the log, is there"), "{said}");
    let (status, said) = chancery(&installation, &["token", "replace", "third"]);
    assert!(status == 1 && said.contains("no [[token]] has the name third"), "{said}");

    // The token is gone for ever, and its section of the configuration with it.
    installation.edit_config(|config| {
        let (before, tokens) = config.split_once("[[token]]").unwrap();
        let (_, second) = tokens.split_once("[[token]]").unwrap();
        format!("{before}[[token]]{second}")
    });
    let Err(said) = crate::harness::Running::try_start(&installation, &[]) else { panic!("it serves") };
    assert!(said.contains("not configured") && said.contains("78"), "{said}");
    let replaced: Value = serde_json::from_slice(&installation.run("chancery", &replace).stdout).unwrap();
    let new_key = replaced["log_key"].as_str().unwrap().to_owned();
    assert_ne!(new_key, installation.log_key());
    installation.assert_log_verifies();

    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("before", digest("raw", 1));
    watcher.signed("after", digest("raw", 2));
    let receipt = with_receipt(&watcher, "after")["receipt"].to_string();
    // A watcher that knows only the old key believes nothing; one that knows both sees one log.
    assert!(watcher.block_on(installation.client(&running).checkpoint()).is_err());
    let config = fs::read_to_string(installation.path("watcher.toml")).unwrap();
    fs::write(installation.path("watcher.toml"), config.replace("log_keys = [", &format!("log_keys = [{new_key:?}, ")))
        .unwrap();
    watcher.block_on(installation.client(&running).checkpoint()).unwrap();
    fs::write(installation.path("receipt.json"), receipt).unwrap();
    assert_eq!(watcher_program::run(&installation, &["verify", "receipt.json"]).0, 0);
    running.stop();
    let (status, said) = chancery(&installation, &["token", "replace", "second"]);
    assert!(status == 1 && said.contains("holds the anchor of this log"), "{said}");
    for key in [&new_key, &installation.log_key()] {
        installation.run("chancery", &["audit", "verify", "--log-key", key]);
    }
    installation.run("chancery", &["audit", "export", "--out", "exported"]);
    let verify = ["audit", "verify", "--export", "exported", "--log-key", &new_key];
    installation.run("chancery", &verify);
}
