//! `sign --psbt`, `sign --eip2718` and `addresses` from the command line to what is printed.

use std::path::Path;

use appliance_wire::{Problem, ProblemCode};

use super::*;
use crate::testing::{
    ecdsa_public_key,
    vault::{ALLOCATED, assert_valid, child, children, customer, serve_vault, spend_of},
};

/// What a command shows.
fn shown(line: &[&str]) -> Shown {
    let arguments = Arguments::try_parse_from(std::iter::once("chancery-watcher").chain(line.iter().copied()));
    execute(arguments.unwrap()).unwrap_or_else(|failure| panic!("{line:?}: {failure:?}"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_psbt_goes_in_and_the_transaction_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, config) = serve(folder.path(), serve_vault);
    let (deposit, psbt) = spend_of(&[child(11), ecdsa_public_key(1)]);
    let (file, out) = (folder.path().join("withdrawal.psbt"), folder.path().join("withdrawal.hex"));
    fs::write(&file, psbt.serialize()).unwrap();
    let sign = ["sign", "wd-1", "--psbt", text(&file), "--config", &config];
    let first = shown(&sign);
    assert_valid(&hex::decode(&first.text).unwrap(), &deposit);
    assert!(first.told.contains("wd-1: signed") && first.told.contains("signed by btc-vault/11, btc-vault"));
    assert_eq!((&first.json["final"], &first.json["status"]), (&true.into(), &"signed".into()));
    assert_eq!(first.json["transaction"], first.text);

    let hinted = shown(&[&sign[..], &["--key", "btc-vault/11", "--out", text(&out)]].concat());
    assert_eq!((hinted.text.as_str(), fs::read_to_string(&out).unwrap()), ("", format!("{}\n", first.text)));
    assert_exit(&[&sign[..], &["--key", "btc-vault/10"]].concat(), 1);
    fs::write(&file, "no PSBT").unwrap();
    assert_exit(&sign, 1);
}

#[test]
fn without_an_id_the_same_transaction_is_the_same_request() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, config) = serve(folder.path(), serve_vault);
    let file = folder.path().join("withdrawal.psbt");
    let id = |key: u32, more: &[&str]| {
        fs::write(&file, spend_of(&[child(key)]).1.serialize()).unwrap();
        let line = [&["sign", "--psbt", text(&file), "--config", &config][..], more].concat();
        shown(&line).json["request_id"].as_str().unwrap().to_owned()
    };
    let first = id(1, &[]);
    assert!(first.starts_with("tx-") && first.len() == 35, "{first}");
    assert_eq!(first, id(1, &["--expires-at", "2030-01-01T00:00:00Z"]));
    assert_ne!(first, id(2, &[]));
    assert_ne!(first, id(1, &["--replaces", "wd-0"]));
    assert_eq!(id(1, &["--id", "wd-7"]), "wd-7");
}

#[test]
fn a_dry_run_asks_and_signs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, config) = serve(folder.path(), |seen| {
        assert!(!seen.line.starts_with("PUT"), "{}", seen.line);
        serve_vault(seen)
    });
    let file = folder.path().join("withdrawal.psbt");
    fs::write(&file, spend_of(&[child(1)]).1.serialize()).unwrap();
    let line = ["sign", "wd-1", "--psbt", text(&file), "--dry-run", "--config", &config];
    let told = shown(&line);
    assert_eq!(told.json["outcome"], "sign");
    for part in [
        "wd-1: would be signed",
        "pays 0.000009 BTC to bcrt1",
        "rule sweeps does not match: because",
        "rule withdrawals decides: because",
        "fee: 0.000001 BTC",
        "spends 00:0: free",
    ] {
        assert!(told.text.contains(part), "{part}: {}", told.text);
    }
}

#[test]
fn a_dry_run_of_what_would_be_refused_ends_with_1_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, config) = serve(folder.path(), |seen| {
        if !seen.line.ends_with("/explain") {
            return serve_vault(seen);
        }
        let TestAnswer::Body(_, body) = serve_vault(seen) else { panic!() };
        let mut explanation: serde_json::Value = serde_json::from_str(&body).unwrap();
        explanation["outcome"] = "refuse".into();
        explanation["problem"] = serde_json::json!(Problem::new(ProblemCode::Denied, "Ask an officer."));
        TestAnswer::json(&explanation)
    });
    let line = ["sign", "wd-1", "--key", "btc-vault", "--digest", DIGEST, "--dry-run", "--config", &config];
    let told = shown(&line);
    assert!(told.text.contains("would be refused"), "{}", told.text);
    assert!(told.failure.unwrap().text().contains("Ask an officer"));
    assert_exit(&line, 1);
}

/// The example of EIP-155.
const UNSIGNED: &str = "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080";

#[test]
fn a_transaction_of_ethereums_kind_is_read_from_argument_or_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, config) = serve(folder.path(), serve_vault);
    let file = folder.path().join("unsigned.hex");
    fs::write(&file, format!("0x{UNSIGNED}\n")).unwrap();
    let at_file = format!("@{}", text(&file));
    let sign = |given: &str| shown(&["sign", "wd-1", "--eip2718", given, "--key", "btc-vault/3", "--config", &config]);
    let signed = sign(UNSIGNED);
    assert!(signed.text.starts_with("0xf86c0985"), "{}", signed.text);
    assert_eq!(signed.text, sign(&at_file).text);
    let hash = signed.json["transaction_id"].as_str().unwrap();
    assert!(hash.len() == 66 && signed.told.contains(hash), "{}", signed.told);
    assert_exit(&["sign", "wd-1", "--eip2718", "xyz", "--key", "btc-vault", "--config", &config], 1);
    assert_exit(&["sign", "wd-1", "--eip2718", UNSIGNED, "--config", &config], 1);
}

#[test]
fn references_are_put_beside_what_the_transaction_pays() {
    let folder = tempfile::tempdir().unwrap();
    let puts = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen_puts = puts.clone();
    let (_runtime, config) = serve(folder.path(), move |seen| {
        if seen.line.starts_with("PUT") {
            seen_puts.lock().unwrap().push(serde_json::from_slice::<serde_json::Value>(&seen.body).unwrap());
        }
        serve_vault(seen)
    });
    let file = folder.path().join("withdrawal.psbt");
    fs::write(&file, spend_of(&[child(1)]).1.serialize()).unwrap();
    let reference = format!("{}=customer-wd-1", customer());
    let line =
        ["sign", "wd-1", "--psbt", text(&file), "--asset", "BTC", "--reference", &reference, "--config", &config];
    shown(&line);
    let output = serde_json::json!({ "destination": customer(), "amount": "0.000009", "reference": "customer-wd-1" });
    assert_eq!(puts.lock().unwrap()[0]["transfer"], serde_json::json!({ "asset": "BTC", "outputs": [output] }));
    let elsewhere = line.map(|part| if part == reference { "bcrt1qelsewhere=customer-wd-1" } else { part });
    assert_exit(&elsewhere, 1);
    assert_eq!(puts.lock().unwrap().len(), 1);
}

#[test]
fn a_transaction_that_is_not_signed_yet_is_never_an_empty_success() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, config) = serve(folder.path(), |seen| match seen.line.as_str() {
        "PUT /v1/signatures/wd-1" => TestAnswer::Body(202, r#"{"request_id":"wd-1","status":"pending"}"#.to_owned()),
        _ => serve_vault(seen),
    });
    let file = folder.path().join("withdrawal.psbt");
    fs::write(&file, spend_of(&[child(1)]).1.serialize()).unwrap();
    let line = ["sign", "wd-1", "--psbt", text(&file), "--config", &config];
    let pending = shown(&line);
    assert!(pending.text.is_empty() && pending.told.contains("waits for officers"), "{}", pending.told);
    assert_exit(&line, 1);
}

#[test]
fn addresses_are_listed_allocated_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, config) = serve(folder.path(), serve_vault);
    let run = |more: &[&str]| shown(&[&["addresses", "btc-vault", "--config", &config][..], more].concat());
    let listed = run(&[]);
    assert_eq!(listed.json["addresses"], serde_json::json!(children(0..ALLOCATED)));
    assert_eq!(listed.text.lines().count(), 13);
    assert_eq!(run(&["--after", "9"]).json["addresses"], serde_json::json!(children(10..ALLOCATED)));
    let allocated = run(&["--count", "1002"]);
    assert_eq!(allocated.json["addresses"], serde_json::json!(children(ALLOCATED..ALLOCATED + 1_002)));
    let described = run(&["--count", "2", "--after", "41", "--descriptors"]);
    let wanted = format!("wpkh({})#", child(42));
    assert!(described.text.starts_with(&wanted) && described.text.lines().count() == 2, "{}", described.text);
    assert_eq!(described.json["addresses"][1]["descriptor"], described.text.lines().nth(1).unwrap());
}

#[test]
fn an_address_that_is_not_the_childs_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, config) = serve(folder.path(), |seen| {
        let answer = serve_vault(seen);
        let TestAnswer::Body(status, body) = answer else { panic!() };
        let (honest, other) = (child(3).to_string(), child(4).to_string());
        TestAnswer::Body(status, if seen.line.contains("addresses") { body.replace(&honest, &other) } else { body })
    });
    assert_exit(&["addresses", "btc-vault", "--config", &config], 3);
}
