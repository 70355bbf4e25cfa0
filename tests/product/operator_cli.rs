//! `chancery`, as the people on the box type it.

use std::{fs, thread};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation,
    body::{digest, payment},
    eventually,
    installation::POLICY,
    trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("operator_cli::check_names_every_mistake_with_its_line_and_key", check),
        trial("operator_cli::policy_check_names_every_mistake_with_its_line_and_key", policy_check),
        trial("operator_cli::status_shows_what_stands_also_to_machines", status),
        trial("operator_cli::a_policy_that_may_not_follow_is_refused_and_the_old_one_stays", refused_policies),
        trial("operator_cli::a_new_policy_brings_its_new_keys", new_keys),
        trial("operator_cli::audit_verify_is_good_beside_a_busy_appliance", verify_under_load),
        trial("operator_cli::audit_verify_wants_the_log_somebody_saw_before", verify_since),
        trial("operator_cli::a_second_appliance_on_the_same_state_is_refused", second_serve),
        trial("operator_cli::every_command_has_help_with_an_example_and_wrong_usage_is_2", usage),
    ]
}

fn run(installation: &Installation, arguments: &[&str]) -> (i32, String, String) {
    let output = installation.command("chancery", arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn fails(installation: &Installation, arguments: &[&str], expected: i32, words: &[&str]) -> String {
    let (status, out, err) = run(installation, arguments);
    assert_eq!(status, expected, "{arguments:?}: {out}{err}");
    for word in words {
        assert!(err.contains(word), "{arguments:?}: {word:?} is not in {err}");
    }
    err
}

fn good(installation: &Installation, arguments: &[&str]) -> String {
    String::from_utf8(installation.run("chancery", arguments).stdout).unwrap()
}

fn good_json(installation: &Installation, arguments: &[&str]) -> Value {
    serde_json::from_str(&good(installation, &[arguments, &["--json"]].concat())).unwrap()
}

/// 1 for the first line.
fn line_of(text: &str, words: &str) -> usize {
    1 + text.lines().position(|line| line.contains(words)).unwrap_or_else(|| panic!("no {words} in {text}"))
}

fn check() {
    let installation = Installation::new();
    assert!(good(&installation, &["check"]).contains("is good (profile development)"));
    assert_eq!(good_json(&installation, &["check"])["ok"], true);
    installation.edit_config(|config| {
        config
            .replace("\"development\"", "\"staging\"")
            .replace("certificate = \"pki/server.crt\"", "certificat = \"pki/server.crt\"")
            .replace("sessions = 4", "sessions = 0")
    });
    let config = fs::read_to_string(installation.path("chancery.toml")).unwrap();
    let places = [("profile", "profile ="), ("certificat", "certificat ="), ("sessions", "sessions =")]
        .map(|(key, words)| (key, format!("line {}, ", line_of(&config, words))));
    // Looking and freezing need the socket alone, whatever else is wrong.
    fails(&installation, &["status"], 1, &["admin.sock", "is `chancery serve` running?"]);
    for command in [&["check"][..], &["serve"], &["audit", "verify"]] {
        let err = fails(&installation, command, 78, &["chancery.toml", "certificate"]);
        for (key, line) in &places {
            assert!(err.lines().any(|text| text.contains(line.as_str()) && text.contains(key)), "{key}: {err}");
        }
    }
    let (code, out, _) = run(&installation, &["check", "--json"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &answer["ok"]), (78, &false.into()));
    assert!(answer["mistakes"].as_array().unwrap().len() >= 3, "{answer}");

    fs::remove_file(installation.path("chancery.toml")).unwrap();
    fails(&installation, &["check"], 78, &["chancery.toml"]);
}

fn policy_check() {
    let installation = Installation::new();
    assert!(good(&installation, &["policy", "check", "policy.toml"]).contains("is good (version 1)"));
    let policy = fs::read_to_string(installation.path("policy.toml")).unwrap();
    let policy = policy
        .replacen("max_amount = \"0.5\"", "max_amount = \"0.123456789\"", 1)
        .replacen("keys = [\"raw\", \"nist\", \"ed\"]", "keys = [\"raw\", \"gold\"]", 1)
        .replacen("window = \"24h\"", "window = \"24 hours\"", 1)
        .replacen("algorithm = \"p256\"", "algorythm = \"p256\"", 1);
    fs::write(installation.path("bad.toml"), &policy).unwrap();
    let places = [("max_amount", "0.123456789"), ("keys", "gold"), ("window", "24 hours"), ("algorythm", "algorythm")]
        .map(|(key, words)| (key, format!("line {}, ", line_of(&policy, words))));
    let running = installation.start();
    for command in [&["policy", "check", "bad.toml"][..], &["policy", "install", "bad.toml"]] {
        let err = fails(&installation, command, 1, &["bad.toml"]);
        for (key, line) in &places {
            assert!(err.lines().any(|text| text.contains(line.as_str()) && text.contains(key)), "{key}: {err}");
        }
    }
    let (_, out, _) = run(&installation, &["policy", "check", "bad.toml", "--json"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert!(answer["mistakes"].as_array().unwrap().len() >= 4, "{answer}");
    assert_eq!(good_json(&installation, &["status"])["policy_version"], 1);
    running.stop();
}

fn status() {
    let installation = Installation::new();
    fails(&installation, &["status"], 1, &["is `chancery serve` running?"]);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", digest("raw", 1));
    eventually("a checkpoint covers it", || {
        let status = good_json(&installation, &["status"]);
        (status["checkpoint"] == status["entries"]).then_some(())
    });
    let status = good_json(&installation, &["status"]);
    assert_eq!(status["entries"], installation.entries().len());
    assert_eq!((&status["profile"], &status["policy_version"]), (&"development".into(), &1.into()));
    assert_eq!(status["policy_file_differs"], false);
    assert_eq!((&status["open_requests"], &status["wall_clock_trusted"]), (&0.into(), &true.into()));
    assert_eq!(status["log_key"], installation.log_key());
    assert_eq!(status["listeners"]["watcher"], running.watcher.to_string());
    assert_eq!((&status["tokens"][0]["name"], &status["tokens"][0]["state"]), (&"main".into(), &"up".into()));
    assert_eq!(status["frozen"], serde_json::json!([]));
    let text = good(&installation, &["status"]);
    for words in ["development", "version 1", &installation.log_key(), "main", "up"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    installation.write_policy(&(POLICY.to_owned() + "\n# more\n"));
    assert_eq!(good_json(&installation, &["status"])["policy_file_differs"], true);
    assert!(good(&installation, &["status"]).contains("policy.toml differs"));
    running.stop();
}

fn refused_policies() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let next = POLICY.replace("version = 1", "version = 2");
    let without_hot = POLICY.find("[[key]]\nname = \"hot\"").unwrap();
    assert!(without_hot > 0);
    let raw = "name = \"raw\"\nalgorithm = \"secp256k1\"\nevidence = \"blind\"";
    let cases = [
        ("the same version", POLICY.to_owned() + "\n# more", "version 1 does not come after 1"),
        (
            "another evidence level",
            next.replace(raw, "name = \"raw\"\nalgorithm = \"secp256k1\"\nevidence = \"declared\"\nassets = [\"BTC\"]"),
            "key raw is bound as secp256k1 with evidence \"blind\" for ever",
        ),
        (
            "another algorithm",
            next.replace(raw, "name = \"raw\"\nalgorithm = \"p256\"\nevidence = \"blind\""),
            "key raw is bound as secp256k1",
        ),
        (
            "a key the token does not have",
            next.replace(
                raw,
                &format!("{raw}\n\n[[key]]\nname = \"gold\"\nalgorithm = \"p256\"\nevidence = \"blind\""),
            ),
            "chancery-provision key generate",
        ),
        ("an asset under another name", next.replace("\"BTC\"", "\"XBT\""), "asset BTC changed its name"),
    ];
    let before = installation.entries().len();
    for (what, policy, words) in &cases {
        installation.write_policy(policy);
        let err = fails(&installation, &["policy", "install", "policy.toml"], 1, &[words]);
        assert!(err.starts_with("chancery: "), "{what}: {err}");
    }
    let of_policies = |entry: &Value| entry["kind"] == "policy" || entry["kind"] == "key";
    let more = installation.entries().split_off(before);
    assert!(!more.iter().any(of_policies), "{more:?}");
    fails(&installation, &["policy", "install", "policy.toml", "--genesis"], 78, &["state"]);
    watcher.signed("a", payment(1, "0.1", "0.0001"));
    // A refused one left nothing behind.
    installation.write_policy(&next);
    assert!(good(&installation, &["policy", "install", "policy.toml"]).contains("version 2 is in force"));
    let entries = installation.entries();
    let last = entries.iter().rfind(|entry| entry["kind"] == "policy").unwrap();
    assert_eq!(last["version"], 2);
    running.stop();
    installation.assert_log_verifies();
}

fn new_keys() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.put("a", digest("gold", 1)).code(), "unknown-key");
    let generate = ["key", "generate", "gold", "--algorithm", "p256", "--config", "chancery.toml"];
    installation.run("chancery-provision", &generate);
    let gold = "\n[[key]]\nname = \"gold\"\nalgorithm = \"p256\"\nevidence = \"blind\"\n";
    let next =
        POLICY.replace("version = 1", "version = 2").replace("\"nist\", \"ed\"]", "\"nist\", \"ed\", \"gold\"]") + gold;
    installation.write_policy(&next);
    let installed = good_json(&installation, &["policy", "install", "policy.toml"]);
    assert_eq!((&installed["version"], &installed["keys"]), (&2.into(), &serde_json::json!(["gold"])));
    // The same id, decided afresh; and known after a restart, too.
    let signed = watcher.put("a", digest("gold", 1));
    signed.good();
    running.stop();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.put("a", digest("gold", 1)).body, signed.body);
    watcher.signed("b", digest("gold", 2));
    running.stop();
    installation.assert_log_verifies();
}

fn verify_under_load() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            for round in 0..8 {
                let answers = watcher.put_at_once((0..16).map(|n| (format!("{round}-{n}"), digest("raw", n))));
                assert!(answers.iter().all(|answer| answer.status == 200));
            }
        });
        while !load.is_finished() {
            let verified = good_json(&installation, &["audit", "verify"]);
            assert_eq!(verified["valid"], true);
        }
    });
    let verified = good_json(&installation, &["audit", "verify", "--log-key", &installation.log_key()]);
    assert_eq!(verified["verification"]["signatures"], 128, "{verified}");
    assert_eq!(verified["verification"]["entries"], installation.entries().len());
    running.stop();
    let text = good(&installation, &["audit", "verify"]);
    assert!(text.starts_with("valid: "), "{text}");
    let shown = good(&installation, &["audit", "show", "--last", "3"]);
    assert_eq!(shown.lines().count(), 3);
    assert!(shown.contains("signed"), "{shown}");
}

fn verify_since() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let seen = eventually("a checkpoint", || {
        let answer = watcher.get("/v1/log/checkpoint");
        (answer.status == 200).then_some(answer.body)
    });
    fs::write(installation.path("seen.txt"), seen).unwrap();
    watcher.signed("a", digest("raw", 1));
    running.stop();
    good(&installation, &["audit", "verify", "--since", "seen.txt"]);

    let other = Installation::new();
    other.start().stop();
    let state = other.path("state");
    // A good log, but not the one that was seen: another key, and even under its own key.
    let arguments = ["audit", "verify", "--since", "seen.txt", "--state", state.to_str().unwrap()];
    fails(&installation, &arguments, 3, &["NOT valid"]);
    let log_key = installation.log_key();
    let arguments = ["audit", "verify", "--log-key", &log_key, "--state", state.to_str().unwrap()];
    fails(&installation, &arguments, 3, &["NOT valid"]);
    fails(&installation, &["audit", "verify", "--since", "absent.txt"], 1, &["--since"]);
    fails(&installation, &["audit", "verify", "--log-key", "nonsense"], 1, &["--log-key"]);
}

fn second_serve() {
    let installation = Installation::new();
    let running = installation.start();
    let (code, _, err) = run(&installation, &["serve"]);
    assert_ne!(code, 0, "{err}");
    assert!(err.contains("another") || err.contains("already") || err.contains("in use"), "{err}");
    Watcher::new(&installation, &running).signed("a", digest("raw", 1));
    assert_eq!(good_json(&installation, &["status"])["policy_version"], 1);
    running.stop();
    installation.start().stop();
    installation.assert_log_verifies();
}

fn usage() {
    let installation = Installation::without_log();
    for command in [
        &["serve"][..],
        &["check"],
        &["status"],
        &["doctor"],
        &["freeze"],
        &["unfreeze"],
        &["policy", "check"],
        &["policy", "diff"],
        &["policy", "exposure"],
        &["policy", "replay"],
        &["policy", "install"],
        &["explain"],
        &["audit", "verify"],
        &["audit", "show"],
        &["audit", "tail"],
        &["audit", "export"],
        &["audit", "archive"],
        &["audit", "rebuild"],
    ] {
        let text = good(&installation, &[command, &["--help"]].concat());
        assert!(text.contains(&format!("Example: chancery {}", command.join(" "))), "{text}");
    }
    for command in [&[][..], &["fly"], &["serve", "--fast"], &["policy"], &["audit", "show", "--from", "x"]] {
        let (code, _, err) = run(&installation, command);
        assert_eq!(code, 2, "{command:?}: {err}");
    }
    fails(&installation, &["serve"], 78, &["policy install"]);
    fails(&installation, &["policy", "check", "absent.toml"], 1, &["absent.toml"]);
}
