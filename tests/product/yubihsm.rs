//! YubiHSM 2 devices, all simulated: in the token's worker, and behind connectors.

use std::{fs, time::Duration};

use hsm_drivers::{
    simulator::{Fault, Plan},
    yubihsm2::protocol::Command,
};
use libtest_mimic::Trial;

use crate::harness::{
    Installation,
    body::{digest, message, payment},
    eventually,
    installation::POLICY,
    trial,
    watcher::Watcher,
    yubihsms::KEYS,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("yubihsm::with_nothing_installed_the_simulator_signs_and_signs_after_a_restart", simulator),
        trial("yubihsm::a_power_cut_under_load_is_told_and_everything_accepted_is_signed_once", power_cut),
        trial("yubihsm::of_several_devices_one_can_be_away", one_away),
        trial("yubihsm::two_appliances_do_not_share_a_simulated_device", two_appliances),
        trial("yubihsm::the_production_profile_refuses_the_simulator", production),
        trial("yubihsm::the_factorys_password_is_refused", factory_password),
        trial("yubihsm::an_authentication_key_with_wrap_rights_does_not_serve", wrap_rights),
    ]
}

/// One with a simulated device in the worker, and the keys of [`POLICY`].
fn on_the_simulator() -> Installation {
    let installation = Installation::with_token("simulator");
    for (name, algorithm) in KEYS {
        let password = "token/administrator-password";
        let arguments = ["key", "generate", name, "--algorithm", algorithm.name(), "--config", "chancery.toml"];
        let arguments = [&arguments[..], &["--administrator-password-file", password]].concat();
        installation.run("chancery-provision", &arguments);
    }
    installation
}

/// What a program that must fail says.
fn refused(installation: &Installation, arguments: &[&str]) -> (Option<i32>, String) {
    let output = installation.command("chancery", arguments).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{err}");
    (output.status.code(), err)
}

fn simulator() {
    let installation = on_the_simulator();
    installation.begin(POLICY);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let stored: Vec<Vec<u8>> = KEYS
        .iter()
        .map(|(key, _)| match *key {
            "ed" => watcher.put("a-ed", message(b"pay")),
            "hot" => watcher.put("a-hot", payment(1, "0.1", "0.0001")),
            key => watcher.put(&format!("a-{key}"), digest(key, 1)),
        })
        .map(|answer| {
            answer.good();
            answer.body
        })
        .collect();
    watcher.signed("longest", message(&[7; 2000]));
    assert_eq!(watcher.put("longer", message(&[7; 2001])).code(), "too-large", "before the device is asked");
    running.kill();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.put("a-raw", digest("raw", 1)).body, stored[3]);
    for number in 0..40 {
        watcher.signed(&format!("b-{number}"), digest("raw", number));
    }
    let token = &installation.status()["tokens"][0];
    assert_eq!((&token["model"], &token["state"]), (&"YubiHSM 2".into(), &"up".into()), "{token}");
    assert_eq!(token["unfit_keys"], serde_json::json!([]), "{token}");
    running.stop();
    installation.assert_log_verifies();
}

fn power_cut() {
    let (installation, devices) = Installation::serving_yubihsms(1, Duration::from_millis(5));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("before", digest("raw", 1));
    let mut accepted = Vec::new();
    for round in 0..3 {
        eventually("it signs", || (watcher.put(&format!("up-{round}"), digest("raw", 9)).status == 200).then_some(()));
        let plan = Plan { fault: Fault::PowerCut, command: Some(Command::SIGN_ECDSA), skip: 4, count: 1 };
        devices[0].faults().arm(plan);
        let requests: Vec<_> = (0..16).map(|number| (format!("a-{round}-{number}"), digest("raw", number))).collect();
        accepted.extend(requests.clone());
        for answer in watcher.put_at_once(requests) {
            assert!([200, 202].contains(&answer.status) || answer.code() == "token-unavailable", "{}", answer.status);
        }
        assert!(devices[0].faults().armed().is_empty(), "the power was cut");
    }
    devices[0].unplug();
    eventually("it is told", || {
        let answer = watcher.put("while-away", digest("raw", 7));
        let told = answer.status == 503 && answer.code() == "token-unavailable";
        told.then(|| answer.problem().retry_after_s.unwrap())
    });
    devices[0].plug_in();
    accepted.push(("while-away".to_owned(), digest("raw", 7)));
    for (id, body) in &accepted {
        eventually("it is signed", || (watcher.put(id, body).status == 200).then_some(()));
    }
    for (id, _) in &accepted {
        let kinds = installation.kinds_of(id);
        let count = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
        assert_eq!((count("accepted"), count("signed")), (1, 1), "{id}: {kinds:?}");
    }
    running.stop();
    installation.assert_log_verifies();
}

fn one_away() {
    let (installation, devices) = Installation::serving_yubihsms(3, Duration::from_millis(5));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let all_up = || {
        let status = installation.status();
        let tokens = status["tokens"].as_array().unwrap();
        (tokens.len() == 3
            && tokens.iter().all(|token| token["state"] == "up" && token["unfit_keys"] == serde_json::json!([])))
        .then_some(())
    };
    eventually("all are up, with all keys", all_up);
    for (round, device) in devices.iter().enumerate() {
        device.unplug();
        let requests: Vec<_> = (0..24).map(|number| (format!("a-{round}-{number}"), digest("raw", number))).collect();
        watcher.put_at_once(requests.clone());
        for (id, body) in &requests {
            eventually("it is signed by the others", || (watcher.put(id, body).status == 200).then_some(()));
        }
        device.plug_in();
        eventually("all are up again", all_up);
    }
    let metrics = running.monitor("/metrics").1;
    for name in ["main", "yubi-2", "yubi-3"] {
        let line = format!("chancery_token_signatures_total{{token=\"{name}\"}} ");
        let signed = metrics.lines().find_map(|metric| metric.strip_prefix(&line));
        assert!(signed.unwrap_or_else(|| panic!("{metrics}")).parse::<u64>().unwrap() >= 1, "{name}: {metrics}");
    }
    running.stop();
    installation.assert_log_verifies();
}

fn two_appliances() {
    let (first, second) = (on_the_simulator(), on_the_simulator());
    first.begin(POLICY);
    let running = first.start();
    let device = first.path("token/simulator");
    fs::copy(first.path("token/password"), second.path("token/password")).unwrap();
    second.edit_config(|config| config.replace("token/simulator", device.to_str().unwrap()));
    second.write_policy(POLICY);
    let (_, said) = refused(&second, &["policy", "install", "policy.toml", "--genesis"]);
    assert!(said.contains("has this device open") && said.contains("stop it, or name another file"), "{said}");
    Watcher::new(&first, &running).signed("a", digest("raw", 1));
    running.stop();
    first.assert_log_verifies();
}

fn production() {
    let installation = on_the_simulator();
    installation.edit_config(|config| config.replace("profile = \"development\"", "profile = \"production\""));
    for command in ["check", "serve"] {
        let (code, said) = refused(&installation, &[command]);
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains("token[1].connector: is a software token"), "{said}");
    }
}

fn factory_password() {
    let installation = on_the_simulator();
    fs::write(installation.path("token/password"), "password").unwrap();
    installation.edit_config(|config| config.replace("authentication_key = 2", "authentication_key = 1"));
    installation.write_policy(POLICY);
    let (_, said) = refused(&installation, &["policy", "install", "policy.toml", "--genesis"]);
    assert!(said.contains("its password is the factory's, which everybody knows"), "{said}");
}

fn wrap_rights() {
    let installation = on_the_simulator();
    fs::copy(installation.path("token/administrator-password"), installation.path("token/password")).unwrap();
    installation.edit_config(|config| config.replace("authentication_key = 2", "authentication_key = 3"));
    installation.write_policy(POLICY);
    let (_, said) = refused(&installation, &["policy", "install", "policy.toml", "--genesis"]);
    assert!(said.contains("export-wrapped") && said.contains("make an authentication key without them"), "{said}");
}
