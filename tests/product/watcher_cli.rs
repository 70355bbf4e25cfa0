//! `chancery-watcher`, as its user types it.

use std::fs;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation, Running,
    body::{DESTINATION, digest, payment},
    eventually, trial,
    watcher::Watcher,
    watcher_program::run,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("watcher_cli::signs_pays_and_verifies_its_receipt_offline", the_day),
        trial("watcher_cli::a_receipt_that_was_changed_is_not_valid", changed_receipts),
        trial("watcher_cli::refuses_a_signer_whose_log_was_rolled_back", rolled_back),
        trial("watcher_cli::refuses_another_log_under_the_name_of_the_one_it_knows", other_log),
        trial("watcher_cli::ends_with_the_exit_status_of_what_went_wrong", exit_statuses),
    ]
}

fn good(installation: &Installation, arguments: &[&str]) -> String {
    let (status, out, err) = run(installation, arguments);
    assert_eq!(status, 0, "{arguments:?}: {err}");
    out
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn the_day() {
    let installation = Installation::new();
    let running = installation.start();
    installation.write_watcher_config(&running);
    let digest = "ab".repeat(32);
    let output = format!("{DESTINATION}=0.1=customer-wd-991");
    let sign = [
        "sign",
        "wd-1",
        "--key",
        "hot",
        "--digest",
        &digest,
        "--asset",
        "BTC",
        "--fee",
        "0.0001",
        "--output",
        &output,
        "--receipt",
        "wd-1.json",
    ];
    let text = good(&installation, &sign);
    assert!(text.contains("wd-1: signed") && text.contains("receipt verified"), "{text}");
    let again = json(&good(&installation, &[&sign[..], &["--json"]].concat()));
    assert!(text.contains(again["signatures"][0]["der"].as_str().unwrap()), "{text}");
    good(&installation, &["sign", "wd-2", "--key", "ed", "--message", "68656c6c6f"]);

    let status = json(&good(&installation, &["status", "--json"]));
    assert_eq!((&status["reachable"], &status["consistent"], &status["keys"]), (&true.into(), &true.into(), &4.into()));
    assert!(good(&installation, &["status", "wd-1"]).contains("wd-1: signed"));
    assert!(good(&installation, &["status"]).contains("hot wallet, a day"));
    let keys = good(&installation, &["keys"]);
    assert!(["hot", "raw", "nist", "ed", "declared", "active"].iter().all(|word| keys.contains(word)), "{keys}");
    let limits = json(&good(&installation, &["limits", "--json"]));
    assert_eq!(limits["limits"][0]["used"], "0.1001", "{limits}");

    // Offline: the signer is gone.
    running.stop();
    let text = good(&installation, &["verify", "wd-1.json"]);
    assert!(text.contains("valid: entry") && text.contains("wd-1") && text.contains(&digest), "{text}");
    let verified = json(&good(&installation, &["verify", "wd-1.json", "--json", "--log-key", &installation.log_key()]));
    assert_eq!((&verified["valid"], &verified["signatures_verified"]), (&true.into(), &1.into()));
    let (status, _, err) = run(&installation, &["status"]);
    assert_eq!(status, 1, "{err}");
}

fn changed_receipts() {
    let installation = Installation::new();
    let running = installation.start();
    installation.write_watcher_config(&running);
    good(&installation, &["sign", "a", "--key", "raw", "--digest", &"ab".repeat(32), "--receipt", "receipt.json"]);
    let receipt = json(&fs::read_to_string(installation.path("receipt.json")).unwrap());
    let base64_changed = |text: &str| {
        let place = text.len() / 2;
        let other = if &text[place..=place] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &text[..place], &text[place + 1..])
    };
    let mut changed = vec![Value::Null, serde_json::json!({})];
    for member in ["entry", "checkpoint"] {
        let mut copy = receipt.clone();
        copy[member] = base64_changed(receipt[member].as_str().unwrap()).into();
        changed.push(copy);
    }
    let mut copy = receipt.clone();
    copy["proof"][0] = base64_changed(receipt["proof"][0].as_str().unwrap()).into();
    changed.push(copy);
    let mut copy = receipt.clone();
    copy["index"] = (receipt["index"].as_u64().unwrap() - 1).into();
    changed.push(copy);
    for copy in changed {
        fs::write(installation.path("changed.json"), copy.to_string()).unwrap();
        let (status, out, err) = run(&installation, &["verify", "changed.json"]);
        assert_eq!(status, 3, "{copy}: {out}");
        assert!(err.starts_with("NOT valid: "), "{err}");
        let (status, _, err) = run(&installation, &["verify", "changed.json", "--json"]);
        assert_eq!((status, &json(&err)["valid"]), (3, &false.into()));
    }
    // A good receipt of a log that is not ours.
    let stranger = Installation::new();
    let (status, _, err) = run(&installation, &["verify", "receipt.json", "--log-key", &stranger.log_key()]);
    assert_eq!(status, 3, "{err}");
    good(&installation, &["verify", "receipt.json"]);
    // What a later version adds beside takes nothing from the proof.
    let mut more = receipt;
    more["of_a_later_version"] = 1.into();
    fs::write(installation.path("more.json"), more.to_string()).unwrap();
    good(&installation, &["verify", "more.json"]);
    running.stop();
}

/// Signs under `id`, and waits until a checkpoint covers it.
fn sign_and_see(installation: &Installation, running: &Running, id: &str, number: u64) {
    let watcher = Watcher::new(installation, running);
    watcher.signed(id, digest("raw", number));
    eventually("there is a receipt", || watcher.get(&format!("/v1/signatures/{id}")).good().get("receipt").cloned());
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn rolled_back() {
    let installation = Installation::new();
    let running = installation.start();
    sign_and_see(&installation, &running, "a", 1);
    running.stop();
    copy(&installation.path("state"), &installation.path("older"));
    copy(&installation.path("token"), &installation.path("older-token"));
    let running = installation.start();
    for number in 0..8 {
        sign_and_see(&installation, &running, &format!("b-{number}"), number);
        if number == 1 {
            break;
        }
    }
    installation.write_watcher_config(&running);
    good(&installation, &["status"]);
    running.stop();

    // All of it and the token, so that it is whole and consistent in itself: only those who saw more can know.
    fs::remove_dir_all(installation.path("token")).unwrap();
    fs::rename(installation.path("older-token"), installation.path("token")).unwrap();
    fs::remove_dir_all(installation.path("state")).unwrap();
    fs::rename(installation.path("older"), installation.path("state")).unwrap();
    let running = installation.start();
    installation.write_watcher_config(&running);
    let remembered = fs::read(installation.path("watcher-state/checkpoint")).unwrap();
    for grown in [false, true] {
        if grown {
            for number in 0..12 {
                Watcher::new(&installation, &running).signed(&format!("c-{number}"), digest("raw", number));
            }
            sign_and_see(&installation, &running, "c", 100);
        }
        let (status, _, err) = run(&installation, &["status"]);
        assert_eq!(status, 3, "grown: {grown}: {err}");
        assert!(err.starts_with("ALARM: the signer's audit log is inconsistent"), "{err}");
        assert_eq!(fs::read(installation.path("watcher-state/checkpoint")).unwrap(), remembered);
        assert!(installation.path("watcher-state/checkpoint.conflict").exists());
    }
    // What a receipt shows is compared too.
    let arguments = ["sign", "d", "--key", "raw", "--digest", &"ab".repeat(32), "--receipt", "d.json"];
    let (status, out, err) = run(&installation, &arguments);
    assert_eq!(status, 3, "{out}{err}");
    assert!(!installation.path("d.json").exists());
    running.stop();
}

fn other_log() {
    let installation = Installation::new();
    copy(&installation.path("token"), &installation.path("token-before"));
    let running = installation.start();
    installation.write_watcher_config(&running);
    eventually("a checkpoint", || (run(&installation, &["status"]).0 == 0).then_some(()));
    running.stop();
    // A new log, the same token without its anchor, and so the same log key.
    fs::remove_dir_all(installation.path("token")).unwrap();
    fs::rename(installation.path("token-before"), installation.path("token")).unwrap();
    fs::remove_dir_all(installation.path("state")).unwrap();
    installation.run("chancery", &["policy", "install", "policy.toml", "--genesis"]);
    let running = installation.start();
    installation.write_watcher_config(&running);
    for number in 0..12 {
        sign_and_see(&installation, &running, &format!("a-{number}"), number);
        if number == 1 {
            break;
        }
    }
    let (status, _, err) = run(&installation, &["status"]);
    assert_eq!(status, 3, "{err}");
    assert!(err.contains("ALARM"), "{err}");
    running.stop();
}

fn exit_statuses() {
    let installation = Installation::new();
    let running = installation.start();
    installation.write_watcher_config(&running);
    let digest = "ab".repeat(32);
    let refused: [(&[&str], i32, &str); 10] = [
        (&["sign", "a", "--key", "cold", "--digest", &digest], 1, "no key cold is granted"),
        (&["sign", "a", "--key", "hot", "--digest", &digest], 1, "say in transfer"),
        (&["status", "never-asked"], 1, "put it to have it decided"),
        (&["verify", "absent.json"], 1, "absent.json"),
        (&["sign", "a", "--request", "absent.json"], 1, "absent.json"),
        (&["sign", ".a", "--key", "raw", "--digest", &digest], 2, "grammar"),
        (&["sign", "a", "--key", "raw", "--digest", "abc"], 2, "--digest"),
        (&["sign", "a", "--key", "raw"], 2, "--digest"),
        (&["sign", "a", "--key", "raw", "--digest", &digest, "--message", "00"], 2, "cannot be used with"),
        (&["fly"], 2, "fly"),
    ];
    for (arguments, expected, words) in refused {
        let (status, out, err) = run(&installation, arguments);
        assert_eq!(status, expected, "{arguments:?}: {out}{err}");
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
    let (status, _, err) = run(&installation, &["sign", "a", "--key", "cold", "--digest", &digest, "--json"]);
    let failure = json(&err);
    assert_eq!((status, &failure["exit_status"]), (1, &1.into()));
    assert_eq!(failure["problem"]["type"], "urn:chancery:problem:unknown-key");

    // The whole request from a file.
    fs::write(installation.path("request.json"), payment(7, "0.1", "0.0001").to_string()).unwrap();
    good(&installation, &["sign", "from-a-file", "--request", "request.json"]);

    // A watcher that gives up its own rights.
    good(&installation, &["freeze", "unknown process on the host"]);
    let (status, _, err) = run(&installation, &["sign", "a", "--key", "raw", "--digest", &digest]);
    assert_eq!(status, 1, "{err}");
    assert!(err.starts_with("Frozen:"), "{err}");

    let config = fs::read_to_string(installation.path("watcher.toml")).unwrap();
    let broken = config.replace("https:", "http:").replace("pki/ca.crt", "pki/none.crt") + "\ncolour = 1\n";
    fs::write(installation.path("watcher.toml"), broken).unwrap();
    assert_eq!(run(&installation, &["status"]).0, 78);
    fs::write(installation.path("watcher.toml"), config.replace("https:", "http:").replace("ca.crt", "none.crt"))
        .unwrap();
    let (status, _, err) = run(&installation, &["status"]);
    assert_eq!(status, 78);
    assert!(err.contains("`url`") && err.contains("`ca`"), "every mistake at once: {err}");
    fs::write(installation.path("watcher.toml"), &config).unwrap();
    fs::write(installation.path("watcher-state/keys.json"), "{").unwrap();
    let (status, _, err) = run(&installation, &["status"]);
    assert_eq!(status, 78, "{err}");
    assert!(err.contains("Restore it from a copy"), "{err}");
    running.stop();
}
