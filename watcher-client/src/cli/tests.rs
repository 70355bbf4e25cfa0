//! The program from its command line to its exit status.

use std::{fs, path::PathBuf};

use appliance_wire::Receipt;
use clap::CommandFactory;

use super::*;
use crate::testing::{Seen, TestAnswer, TestLog, TestPki, TestServer, ecdsa_signature, serve_log};

mod fork;
mod of_daemon;
mod transaction;

pub(crate) use of_daemon::chains_of;

const DIGEST: &str = "0303030303030303030303030303030303030303030303030303030303030303";

fn exit(line: &[&str]) -> ExitCode {
    run(std::iter::once("chancery-watcher").chain(line.iter().copied()).map(OsString::from))
}

#[track_caller]
fn assert_exit(line: &[&str], wanted: u8) {
    assert_eq!(format!("{:?}", exit(line)), format!("{:?}", ExitCode::from(wanted)), "{line:?}");
}

#[test]
fn the_arguments_are_sound_and_every_command_shows_an_example() {
    let command = Arguments::command();
    command.clone().debug_assert();
    for sub in command.get_subcommands() {
        let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains(&format!("chancery-watcher {}", sub.get_name())), "{}", sub.get_name());
    }
}

#[test]
fn a_request_is_made_of_arguments() {
    let line = format!(
        "chancery-watcher sign wd-1 --key btc-hot --digest {DIGEST} {DIGEST} --asset BTC --fee 0.0001 \
         --output bc1a=0.1=customer-1 --output bc1b=2 --expires-at 2030-01-01T00:00:00Z --deadline 5"
    );
    let Command::Sign(sign) = Arguments::try_parse_from(line.split_whitespace()).unwrap().command else { panic!() };
    let request = sign::request(&sign).unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(
        serde_json::to_value(&request).unwrap(),
        serde_json::json!({
            "items": [{ "key": "btc-hot", "digest": DIGEST }, { "key": "btc-hot", "digest": DIGEST }],
            "transfer": { "asset": "BTC", "fee": "0.0001", "outputs": [
                { "destination": "bc1a", "amount": "0.1", "reference": "customer-1" },
                { "destination": "bc1b", "amount": "2" },
            ] },
            "expires_at": "2030-01-01T00:00:00Z",
        })
    );
    assert_eq!(sign.deadline().as_secs(), 5);
}

#[test]
fn wrong_usage_is_found_before_anything_is_asked() {
    for line in [
        "",
        "sign",
        "sign wd-1",
        "sign wd-1 --key k",
        "sign wd-1 --digest DIGEST",
        "sign -x --key k --digest DIGEST",
        "sign wd/1 --key k --digest DIGEST",
        "sign wd-1 --key k --digest abcd",
        "sign wd-1 --key k/01 --digest DIGEST",
        "sign wd-1 --key k --digest DIGEST --message 00",
        "sign wd-1 --key k --digest DIGEST --fee 0.1",
        "sign wd-1 --key k --digest DIGEST --output a=1",
        "sign wd-1 --key k --digest DIGEST --asset BTC --output a",
        "sign wd-1 --key k --digest DIGEST --asset BTC --output =1",
        "sign wd-1 --key k --digest DIGEST --asset BTC --output a=1e8",
        "sign wd-1 --key k --digest DIGEST --asset BTC --output a=1=-b",
        "sign wd-1 --key k --request FILE",
        "sign wd-1 --request FILE --asset BTC",
        "sign --key k --digest DIGEST",
        "sign wd-1 --id wd-1 --psbt FILE",
        "sign wd-1 --psbt FILE --eip2718 00",
        "sign wd-1 --psbt FILE --digest DIGEST",
        "sign wd-1 --psbt FILE --reference d=r",
        "sign wd-1 --psbt FILE --asset BTC --reference d",
        "sign wd-1 --psbt FILE --dry-run --out FILE",
        "sign wd-1 --key k --digest DIGEST --replaces wd-0",
        "sign wd-1 --key k --digest DIGEST --out FILE",
        "sign wd-1 --key k --digest DIGEST --wait --dry-run",
        "events --after -1",
        "withdraw",
        "addresses",
        "addresses k/1",
        "addresses k --count 0",
        "addresses k --after 2147483648",
        "verify",
        "verify FILE --log-key nonsense",
        "freeze",
        "surprise",
    ] {
        let line = line.replace("DIGEST", DIGEST);
        let error = Arguments::try_parse_from(format!("chancery-watcher {line}").split_whitespace()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
    assert_exit(&["surprise"], 2);
    assert_exit(&["--help"], 0);
}

#[test]
fn a_config_that_cannot_be_used_is_78() {
    assert_exit(&["status", "--config", "/nowhere/watcher.toml"], 78);
    assert_exit(&["verify", "/nowhere/receipt", "--config", "/nowhere/watcher.toml"], 78);
}

fn receipt(folder: &Path) -> (TestLog, Receipt, PathBuf) {
    let mut log = TestLog::grown(5, "entry");
    log.append_signed("wd-1", &[ecdsa_signature(1, "btc-hot", [3; 32])]);
    log.grow(3);
    let (receipt, file) = (log.receipt(5), folder.join("receipt.json"));
    fs::write(&file, serde_json::to_string_pretty(&receipt).unwrap()).unwrap();
    (log, receipt, file)
}

#[test]
fn verify_says_what_was_proven_and_ends_with_3_where_nothing_was() {
    let folder = tempfile::tempdir().unwrap();
    let (log, mut receipt, file) = receipt(folder.path());
    let (key, path) = (log.key.to_string(), file.to_str().unwrap());
    assert_exit(&["verify", path, "--log-key", &key], 0);
    assert_exit(&["verify", path, "--log-key", &key, "--json"], 0);

    let line = ["chancery-watcher", "verify", path, "--log-key", &key];
    let shown = execute(Arguments::try_parse_from(line).unwrap()).unwrap_or_else(|failure| panic!("{failure:?}"));
    for part in ["entry 5 (signed, request wd-1, watcher btc-watcher", "of 9 entries", "secp256k1 by btc-hot verifies"]
    {
        assert!(shown.text.contains(part), "{part}: {}", shown.text);
    }
    assert_eq!(shown.json["signatures_verified"], 1);

    receipt.index += 1;
    for text in [serde_json::to_string(&receipt).unwrap(), "no JSON".to_owned()] {
        fs::write(&file, text).unwrap();
        assert_exit(&["verify", path, "--log-key", &key], 3);
    }
    assert_exit(&["verify", "/nowhere/receipt", "--log-key", &key], 1);
}

/// Writes `watcher.toml` and serves a log; the runtime must live as long as the server is asked.
fn quick_start(folder: &Path) -> (tokio::runtime::Runtime, String) {
    let (log, ..) = receipt(folder);
    serve(folder, move |seen| serve_log(seen, &log))
}

/// Likewise, with a signer of any kind.
fn serve(
    folder: &Path,
    script: impl Fn(&Seen) -> TestAnswer + Send + Sync + 'static,
) -> (tokio::runtime::Runtime, String) {
    let pki = TestPki::new();
    pki.write(folder);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let key = TestLog::new().key.to_string();
    let server = runtime.block_on(TestServer::start(&pki, &pki, &["http/1.1"], script));
    let url = server.config(folder).url;
    let text = format!(
        "url = \"{url}\"\nca = \"ca.crt\"\ncertificate = \"watcher.crt\"\nprivate_key = \"watcher.key\"\n\
         state_directory = \"state\"\nlog_keys = [\"{key}\"]\n"
    );
    let file = folder.join("watcher.toml");
    fs::write(&file, text).unwrap();
    (runtime, file.to_str().unwrap().to_owned())
}

#[test]
fn every_command_works_against_a_signer() {
    let folder = tempfile::tempdir().unwrap();
    let (_runtime, config) = quick_start(folder.path());
    let written = folder.path().join("written.json");
    let to = written.to_str().unwrap();
    for line in [
        vec!["status"],
        vec!["status", "--json"],
        vec!["status", "wd-1"],
        vec!["keys"],
        vec!["limits"],
        vec!["freeze", "a drill"],
        vec!["sign", "wd-1", "--key", "btc-hot", "--digest", DIGEST, "--receipt", to],
    ] {
        assert_exit(&[&line[..], &["--config", &config]].concat(), 0);
    }
    assert_exit(&["verify", to, "--config", &config], 0);

    let request = folder.path().join("request.json");
    fs::write(&request, format!(r#"{{"items":[{{"key":"btc-hot","digest":"{DIGEST}"}}]}}"#)).unwrap();
    let request = request.to_str().unwrap();
    assert_exit(&["sign", "wd-1", "--request", request, "--config", &config], 0);
    let other = DIGEST.replace("03", "04");
    assert_exit(&["sign", "wd-1", "--key", "btc-hot", "--digest", &other, "--config", &config], 3);

    fs::write(folder.path().join("state/checkpoint"), "damaged").unwrap();
    assert_exit(&["status", "--config", &config], 78);
}
