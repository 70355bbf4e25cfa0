//! A key in two tokens: either signs, and the loss of one costs its requests some time and nothing else.

use std::{fs, path::Path, process::Command};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Installation, body::digest, eventually, installation::POLICY, trial, watcher::Watcher};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("several_tokens::while_one_is_gone_the_other_signs", one_gone),
        trial("several_tokens::what_one_was_asked_when_it_ended_the_other_signs", one_ends),
        trial("several_tokens::work_is_spread_over_both", spread),
        trial("several_tokens::a_replica_made_by_the_ceremony_signs_where_the_first_is_gone", replicated),
        trial("several_tokens::another_key_under_the_same_name_is_not_asked", other_key),
    ]
}

/// An installation whose token there is twice: `main`, and a copy with other worker, module and directory.
pub(crate) fn twins() -> Installation {
    let installation = Installation::new();
    copy(&installation.path("token"), &installation.path("copy"));
    let conf = fs::read_to_string(installation.path("copy/softhsm2.conf")).unwrap();
    let (token, copy) = (installation.path("token/objects"), installation.path("copy/objects"));
    let conf = conf.replace(token.to_str().unwrap(), copy.to_str().unwrap());
    assert!(conf.contains(copy.to_str().unwrap()), "{conf}");
    fs::write(installation.path("copy/softhsm2.conf"), conf).unwrap();
    installation.edit_config(|config| {
        let token = config.split_once("[[token]]").unwrap().1;
        let twin = token.replace("\"main\"", "\"copy\"").replace("token/", "copy/");
        format!("{config}\n[[token]]{twin}")
    });
    installation
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

fn token(installation: &Installation, name: &str) -> Value {
    installation.status()["tokens"].as_array().unwrap().iter().find(|token| token["name"] == name).unwrap().clone()
}

fn signal(installation: &Installation, name: &str, signal: &str) {
    let token = token(installation, name);
    let worker = token["worker"].as_i64().unwrap_or_else(|| panic!("{token}"));
    assert!(Command::new("kill").args([signal, &worker.to_string()]).status().unwrap().success());
}

fn one_gone() {
    let installation = twins();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    for name in ["main", "copy"] {
        let objects = installation.path(if name == "main" { "token/objects" } else { "copy/objects" });
        fs::rename(&objects, installation.path("away")).unwrap();
        eventually("it is seen to be down", || {
            // Whoever asks it finds out; the checkpoints ask only one of the two.
            watcher.signed(&format!("seen-{name}"), digest("raw", 0));
            let token = token(&installation, name);
            if let Some(worker) = token["worker"].as_i64() {
                Command::new("kill").args(["-9", &worker.to_string()]).status().unwrap();
            }
            (token["state"] == "down").then_some(())
        });
        for number in 0..4 {
            watcher.signed(&format!("without-{name}-{number}"), digest("raw", number));
        }
        fs::rename(installation.path("away"), objects).unwrap();
        eventually("it is back", || (token(&installation, name)["state"] == "up").then_some(()));
    }
    running.stop();
    installation.assert_log_verifies();
}

fn one_ends() {
    let installation = twins();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    signal(&installation, "copy", "-STOP");
    std::thread::scope(|scope| {
        let requests = (0..16).map(|number| (format!("a-{number}"), digest("raw", number)));
        let answers = scope.spawn(|| watcher.put_at_once(requests));
        let open = || {
            let status = installation.run("chancery", &["status", "--json"]).stdout;
            serde_json::from_slice::<Value>(&status).unwrap()["open_requests"].as_u64().unwrap()
        };
        // The rest is signed by the other; what the standing one was asked waits for it.
        eventually("all were decided", || (installation.entries().len() > 16 && open() < 16).then_some(()));
        signal(&installation, "copy", "-KILL");
        assert!(answers.join().unwrap().iter().all(|answer| answer.status == 200));
    });
    for number in 0..16 {
        let kinds = installation.kinds_of(&format!("a-{number}"));
        assert!(kinds == ["accepted", "signed"] || kinds == ["accepted", "failed", "signed"], "{kinds:?}");
    }
    running.stop();
    installation.assert_log_verifies();
}

fn spread() {
    let installation = twins();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    for round in 0..2 {
        let requests = (0..64).map(|number| (format!("a-{round}-{number}"), digest("raw", number)));
        assert!(watcher.put_at_once(requests).iter().all(|answer| answer.status == 200));
    }
    let metrics = running.monitor("/metrics").1;
    for name in ["main", "copy"] {
        let line = format!("chancery_token_signatures_total{{token=\"{name}\"}} ");
        let signed =
            metrics.lines().find_map(|metric| metric.strip_prefix(&line)).unwrap_or_else(|| panic!("{metrics}"));
        // How many depends on what else the machine does; none would take one that is many times slower.
        assert!(signed.parse::<u64>().unwrap() >= 1, "{name} made {signed} of 128");
    }
    running.stop();
}

fn other_key() {
    let installation = twins();
    let other = Installation::new();
    // The copy holds other keys under the same names.
    fs::remove_dir_all(installation.path("copy/objects")).unwrap();
    copy(&other.path("token/objects"), &installation.path("copy/objects"));
    fs::copy(other.path("token/pin"), installation.path("copy/pin")).unwrap();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let unfit = token(&installation, "copy")["unfit_keys"].to_string();
    assert!(unfit.contains("raw: the log pins public key"), "{unfit}");
    for number in 0..16 {
        watcher.signed(&format!("a-{number}"), digest("raw", number));
    }
    assert!(!running.monitor("/metrics").1.contains("chancery_token_wrong_signatures_total{token=\"copy\"} 1"));
    running.stop();
    installation.assert_log_verifies();
}

/// Two tokens of one SoftHSM, each with PINs of its own; key `raw` leaves the first wrapped.
pub(crate) fn with_second_token() -> Installation {
    let installation = Installation::with_token("softhsm");
    installation.run("chancery-provision", &["init", "--directory", "other", "--development"]);
    let directory = |of: &str| fs::read_dir(installation.path(of)).unwrap().next().unwrap().unwrap().path();
    let (ours, theirs) = (directory("token/objects"), directory("other/token/objects"));
    fs::rename(&theirs, installation.path("token/objects").join(theirs.file_name().unwrap())).unwrap();
    fs::copy(installation.path("other/token/pin"), installation.path("token/second-pin")).unwrap();
    installation.edit_config(|config| {
        let (before, token) = config.split_once("[[token]]").unwrap();
        let label = token.lines().find(|line| line.starts_with("label")).unwrap();
        let serial = |path: &Path| format!("{label}\nserial = \"{}\"", serial(path));
        let main = token.replace(label, &serial(&ours));
        let second = token.replace(label, &serial(&theirs)).replace("\"main\"", "\"second\"");
        format!("{before}[[token]]{main}\n[[token]]{}", second.replace("token/pin", "token/second-pin"))
    });
    let in_main = ["--config", "chancery.toml", "--token", "main"];
    for (name, algorithm, backup) in
        [("hot", "secp256k1", false), ("raw", "secp256k1", true), ("nist", "p256", false), ("ed", "ed25519", false)]
    {
        let generate = ["key", "generate", name, "--algorithm", algorithm];
        let backup: &[&str] = if backup { &["--backup"] } else { &[] };
        installation.run("chancery-provision", &[&generate[..], &in_main, backup].concat());
    }
    installation.begin(POLICY);
    let replicate = ["key", "replicate", "raw", "--to", "second", "--so-pin-file", "token/so-pin"];
    installation.run("chancery-provision", &[&replicate[..], &in_main].concat());
    installation
}

fn replicated() {
    let installation = with_second_token();
    let config = fs::read_to_string(installation.path("chancery.toml")).unwrap();
    let serial_of_main = config.lines().find(|line| line.starts_with("serial")).unwrap().split('"').nth(1).unwrap();
    let tokens = fs::read_dir(installation.path("token/objects")).unwrap().map(|token| token.unwrap().path());
    let ours = tokens.into_iter().find(|path| serial(path) == serial_of_main).unwrap();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    fs::rename(&ours, installation.path("away")).unwrap();
    eventually("the first is gone", || {
        let token = token(&installation, "main");
        // A checkpoint may have found out before.
        if let Some(worker) = token["worker"].as_i64() {
            Command::new("kill").args(["-9", &worker.to_string()]).status().unwrap();
        }
        (token["state"] == "down").then_some(())
    });
    watcher.signed("by-the-replica", digest("raw", 1));
    assert_eq!(watcher.put("only-in-the-first", digest("nist", 1)).code(), "token-unavailable");
    running.stop();
    installation.assert_log_verifies();
}

/// The last 16 digits of the UUID that SoftHSM calls a token's directory by.
fn serial(directory: &Path) -> String {
    let name = directory.file_name().unwrap().to_string_lossy().replace('-', "");
    name[name.len() - 16..].to_owned()
}
