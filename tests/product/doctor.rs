//! `chancery doctor`: a look at a token says what is there, whatever the module does, and costs at most one login.

mod faulty;
mod yubihsm;

use std::{collections::BTreeMap, fs, thread};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Installation, body::digest, shim::Shim, trial, watcher::Watcher};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("doctor::a_good_token_can_serve_and_every_fact_is_told_to_machines", good_token),
        trial("doctor::a_person_reads_facts_and_what_they_mean", in_words),
        trial("doctor::it_looks_beside_a_busy_appliance_and_writes_nothing", beside_the_appliance),
        trial("doctor::it_signs_with_the_self_test_key_only_as_often_as_it_may", few_signatures),
        trial("doctor::a_wrong_pin_is_tried_once_and_remembered_as_by_the_appliance", wrong_pin),
        trial("doctor::wrong_usage_is_2_and_a_configuration_that_cannot_be_read_78", usage),
    ];
    trials.extend(faulty::trials());
    trials.extend(yubihsm::trials());
    trials
}

/// Exit status, report and stderr of `chancery doctor --json`.
fn examine(installation: &Installation, arguments: &[&str]) -> (i32, Value, String) {
    let arguments = [&["doctor", "--json"], arguments].concat();
    let output = installation.command("chancery", &arguments).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {err}"));
    (output.status.code().unwrap(), report, err)
}

/// The report on the one token, which can serve.
fn able(installation: &Installation, arguments: &[&str]) -> Value {
    let (status, report, err) = examine(installation, arguments);
    assert_eq!((status, err.as_str()), (0, ""), "{report}");
    let token = report["tokens"][0].clone();
    assert_eq!(token["able"], true, "{token}");
    token
}

/// What was found at this level, with the advice.
fn found(token: &Value, level: &str) -> Vec<String> {
    let findings = token["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] == level);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings.map(|finding| format!("{} -> {}", text(&finding["what"]), text(&finding["advice"]))).collect()
}

fn key<'a>(token: &'a Value, label: &str) -> &'a Value {
    let keys = token["keys"].as_array().unwrap();
    keys.iter().find(|key| key["label"] == label).unwrap_or_else(|| panic!("no key {label}: {token}"))
}

fn good_token() {
    let installation = Installation::without_log();
    let token = able(&installation, &[]);
    assert_eq!((&token["name"], &token["driver"]), (&"main".into(), &"pkcs11".into()));
    assert_eq!((&token["device"]["label"], &token["device"]["model"]), (&"chancery".into(), &"SoftHSM v2".into()));
    assert_eq!(token["pkcs11"]["cryptoki_version"], "2.40");
    assert_eq!(token["pkcs11"]["token"]["pin_tries"], "not_told");
    let mechanisms: Vec<&Value> = token["pkcs11"]["mechanisms"].as_array().unwrap().iter().collect();
    for (name, right) in [
        ("CKM_ECDSA", "signs"),
        ("CKM_EDDSA", "signs"),
        ("CKM_EC_KEY_PAIR_GEN", "generates"),
        ("CKM_EC_EDWARDS_KEY_PAIR_GEN", "generates"),
        ("CKM_AES_KEY_WRAP_PAD", "wraps"),
    ] {
        let mechanism = mechanisms.iter().find(|mechanism| mechanism["name"] == name).expect(name);
        assert_eq!((&mechanism[right], &mechanism["hardware"]), (&true.into(), &false.into()), "{mechanism}");
    }
    for curve in token["curves"].as_array().unwrap() {
        assert_eq!(curve["support"], "used", "{curve}");
    }
    for (label, algorithm) in [("hot", "secp256k1"), ("nist", "p256"), ("ed", "ed25519"), ("chancery-log", "ed25519")] {
        let key = key(&token, label);
        assert_eq!((&key["algorithm"], &key["protection"]), (&algorithm.into(), &"never_leaves".into()), "{key}");
        assert_eq!((&key["ec_point"], &key["unfit"]), (&"octet_string".into(), &serde_json::json!([])), "{key}");
    }
    assert_eq!((&token["sessions"]["opened"], &token["sessions"]["configured"]), (&64.into(), &4.into()));
    let signing = &token["signing"];
    assert_eq!((&signing["key"], &signing["signatures"]), (&"chancery-self-test".into(), &200.into()));
    let number = |name: &str| signing[name].as_u64().unwrap();
    assert!(0 < number("p50_us") && number("p50_us") <= number("p99_us"), "{signing}");
    assert!(number("high_s") < number("made"), "{signing}");
    let sessions: Vec<&Value> = signing["rates"].as_array().unwrap().iter().map(|rate| &rate["sessions"]).collect();
    assert_eq!(sessions, [1, 2, 4, 8, 16]);
    assert!(found(&token, "wrong").is_empty());
    assert!(found(&token, "works").iter().any(|what| what.contains("every signature verified")), "{token}");
    assert!(found(&token, "odd").iter().any(|what| what.contains("CKF_HW")), "{token}");
    assert!(!installation.path("state").exists());
}

fn in_words() {
    let installation = Installation::without_log();
    let output = installation.run("chancery", &["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("token main can serve\n"), "{text}");
    for words in
        ["libsofthsm2.so", "SoftHSM v2", "CKM_ECDSA ", "p99 ", "nist ", "never leaves", "\n  works\n", "\n  odd\n"]
    {
        assert!(text.contains(words), "{words:?}: {text}");
    }
    assert!(!text.contains("\n  wrong\n"), "{text}");
    assert!(output.stderr.is_empty(), "no progress where nobody watches");
}

/// Every file of the state directory, with its bytes.
fn state(installation: &Installation) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(installation.path("state")).unwrap().map(|entry| entry.unwrap());
    let files = files.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn beside_the_appliance() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    thread::scope(|scope| {
        let looking = scope.spawn(|| able(&installation, &[]));
        let mut number = 0;
        while number < 16 || !looking.is_finished() {
            watcher.signed(&format!("a-{number}"), digest("raw", number));
            number += 1;
        }
        looking.join().unwrap();
    });
    running.stop();
    let before = state(&installation);
    able(&installation, &["--token", "main"]);
    assert_eq!(state(&installation), before);
    installation.assert_log_verifies();
}

fn few_signatures() {
    let installation = Installation::without_log();
    let shim = Shim::between(&installation);
    let few = &able(&installation, &["--signatures", "3"])["signing"];
    assert_eq!(few["signatures"], 3);
    assert!(few["made"].as_u64().unwrap() <= 3 + 2 + 4 + 8 + 16, "{few}");
    shim.set(&["C_SignInit always crash".to_owned()]);
    assert_eq!(able(&installation, &["--signatures", "0"])["signing"], Value::Null);
    assert_eq!(shim.logins().len(), 2, "one for each look");
}

fn wrong_pin() {
    let installation = Installation::new();
    let shim = Shim::between(&installation);
    let pin = installation.path("token/pin");
    let right = fs::read(&pin).unwrap();
    fs::write(&pin, "000000000").unwrap();
    let before = state(&installation);
    let (status, report, err) = examine(&installation, &[]);
    assert_eq!((status, &report["tokens"][0]["able"]), (78, &false.into()), "{err}");
    assert!(err.contains("the PIN was refused") && err.contains("it is not tried again"), "{err}");
    assert_eq!(report["tokens"][0]["pkcs11"]["library_manufacturer"], "SoftHSM", "what was found before is told");
    let (status, report, err) = examine(&installation, &[]);
    assert_eq!(status, 78, "{report}");
    assert!(err.contains("was refused before and is not tried again"), "{err}");
    let logins = shim.logins();
    assert_eq!(logins.iter().map(|call| call.value.as_str()).collect::<Vec<_>>(), ["CKR_PIN_INCORRECT"]);

    let mut after = state(&installation);
    assert!(after.remove("refused-pin-main").is_some());
    assert_eq!(after, before, "it wrote nothing else");

    // The appliance, which has the same memory, does not try it either.
    let output = installation.command("chancery", &["serve"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("was refused before"), "{output:?}");
    assert_eq!(shim.logins().len(), 1);
    fs::write(&pin, right).unwrap();
    able(&installation, &[]);
    assert_eq!(shim.logins().len(), 2);
}

fn usage() {
    let installation = Installation::without_log();
    let run = |arguments: &[&str]| {
        let output = installation.command("chancery", arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, err) = run(&["doctor", "--token", "other"]);
    assert_eq!(status, 2, "{err}");
    assert!(err.contains("no such token, only main"), "{err}");
    assert_eq!(run(&["doctor", "--signatures", "many"]).0, 2);
    installation.edit_config(|config| config.replace("sessions = 4", "sessions = 0"));
    let (status, err) = run(&["doctor"]);
    assert_eq!(status, 78, "{err}");
    assert!(err.contains("sessions"), "{err}");
    installation.edit_config(|config| config.replace("sessions = 0", "sessions = 4"));
    fs::remove_file(installation.path("token/pin")).unwrap();
    assert_eq!(run(&["doctor"]).0, 78);
}
