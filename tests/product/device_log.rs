//! The log a device keeps by itself: recorded once and whole, and held against what the appliance asked for.
//!
//! For soak runs: `CHANCERY_TEST_SIGNATURES` (1,500).

use std::{fs, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hsm_drivers::{
    Device, DeviceLogEntry, Pin, Protection,
    simulator::{Fault, Plan},
    verify_chain,
    yubihsm2::{Yubihsm2Device, protocol::Command},
};
use hsm_types::{Algorithm, Digest, ToSign};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation, Running,
    body::{digest, digests},
    eventually,
    installation::POLICY,
    load::{self, of_kind},
    trial,
    watcher::Watcher,
    yubihsms::Yubihsm,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("device_log::every_entry_of_a_device_is_recorded_once_over_crashes_of_both", whole),
        trial("device_log::a_signature_that_somebody_else_made_freezes_its_key_and_no_other", surplus),
        trial("device_log::a_log_that_somebody_else_read_away_freezes_the_keys_of_its_device", read_away),
        trial("device_log::a_log_that_was_altered_is_a_gap", altered),
        trial("device_log::a_device_whose_log_is_full_is_emptied_before_it_is_asked", full),
        trial("device_log::a_command_nobody_knows_is_recorded_like_others", unknown),
        trial("device_log::a_key_made_beside_a_serving_appliance_is_not_suspect", made_meanwhile),
        trial("device_log::an_idle_device_makes_no_entries", idle),
        trial("device_log::keys_are_attested_up_to_the_maker_or_do_not_serve", attested),
    ]
}

/// What `token` entries hold of the device, in order.
fn recorded(installation: &Installation) -> Vec<DeviceLogEntry> {
    let log = load::log_of(installation);
    let entries = of_kind(&log, "token").flat_map(|entry| entry["device_log"]["entries"].as_array().unwrap().clone());
    entries.map(|entry| DeviceLogEntry::decode(&hex::decode(entry.as_str().unwrap()).unwrap()).unwrap()).collect()
}

fn signatures(entries: &[DeviceLogEntry]) -> usize {
    entries.iter().filter(|entry| entry.command == Command::SIGN_ECDSA.0 && !entry.is_refusal()).count()
}

/// Signs as whoever has the appliance's password for the device can.
fn sign_behind_its_back(installation: &Installation, device: &Yubihsm, key: &str) {
    let password = Pin::new(fs::read_to_string(installation.path("token/password")).unwrap());
    let mut session = Yubihsm2Device::open_at(&device.url(), 2, &password).unwrap();
    session.sign(&key.parse().unwrap(), &ToSign::Digest(Digest([0xee; 32]))).unwrap();
}

/// Enough for the log to be read.
fn sign_some(watcher: &Watcher, prefix: &str) {
    for number in 0..25 {
        watcher.put(&format!("{prefix}-{number}"), digest("raw", number));
    }
}

fn frozen(installation: &Installation) -> Vec<String> {
    let status = installation.status();
    let frozen = status["frozen"].as_array().unwrap().iter();
    let mut names: Vec<String> = frozen.map(|scope| scope["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn whole() {
    let (installation, devices) = Installation::serving_yubihsms(1, Duration::ZERO);
    let wanted = load::number("CHANCERY_TEST_SIGNATURES", 1_500);
    let mut running = installation.start();
    let (mut asked, mut round) = (0, 0);
    while asked < wanted {
        let watcher = Watcher::new(&installation, &running);
        // Alone, several in a request, and more than the device's log holds.
        let alone = (0..64).map(|number| (format!("a-{round}-{number}"), digest("raw", number)));
        let several =
            (0..4).map(|number| (format!("b-{round}-{number}"), digests("raw", number * 40..number * 40 + 40)));
        let many = [(format!("c-{round}"), digests("raw", 0..256))];
        for answer in watcher.put_at_once(alone.chain(several).chain(many)) {
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        }
        (asked, round) = (asked + 64 + 160 + 256, round + 1);
        match round % 100 {
            1 => running = crash(&installation, running, &watcher, round),
            2 => {
                devices[0].faults().arm(Plan { fault: Fault::PowerCut, command: None, skip: 10, count: 1 });
                sign_some(&watcher, &format!("cut-{round}"));
                assert!(devices[0].faults().armed().is_empty(), "the power was cut");
                let back = || watcher.put(&format!("back-{round}"), digest("raw", 1)).status == 200;
                eventually("the device is back", || back().then_some(()));
            }
            _ => {}
        }
    }
    eventually("all are signed", || (installation.status()["open_requests"] == 0).then_some(()));
    running.stop();
    let entries = recorded(&installation);
    verify_chain(None, &entries).expect("each follows on the one before");
    let signed = load::log_of(&installation);
    let signed: usize = of_kind(&signed, "signed").map(|entry| entry["signatures"].as_array().unwrap().len()).sum();
    assert!(signed >= asked && signatures(&entries) >= signed, "{asked} asked, {signed} signed");
    assert_eq!(of_kind(&load::log_of(&installation), "frozen").count(), 0);
    // After a stop in order nothing is left in the device but the stop itself.
    let mut ceremony = devices[0].ceremony(&installation);
    assert!(ceremony.forget_log().unwrap() < 8);
    installation.assert_log_verifies();
}

/// Ends the appliance under its load, and starts it again.
fn crash(installation: &Installation, running: Running, watcher: &Watcher, round: usize) -> Running {
    std::thread::scope(|scope| {
        let requests = (0..32).map(|number| (format!("crash-{round}-{number}"), digest("raw", number)));
        scope.spawn(move || watcher.try_put_at_once(requests));
        eventually("some are signed", || {
            let log = load::log_of(installation);
            let ours = |entry: &&Value| entry["request_id"].as_str().unwrap().starts_with(&format!("crash-{round}"));
            (of_kind(&log, "signed").filter(ours).count() > 4).then_some(())
        });
        running.kill();
    });
    installation.start()
}

fn surplus() {
    let (installation, devices) = Installation::serving_yubihsms(1, Duration::ZERO);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    sign_some(&watcher, "before");
    assert_eq!(frozen(&installation), Vec::<String>::new());
    sign_behind_its_back(&installation, &devices[0], "raw");
    sign_some(&watcher, "meanwhile");
    eventually("the key is frozen", || (frozen(&installation) == ["raw"]).then_some(()));
    assert_eq!(watcher.put("after", digest("raw", 1)).code(), "frozen");
    assert_eq!(watcher.get("/v1/signatures/before-1").code(), "frozen", "stored ones, too");
    watcher.signed("other-key", digest("nist", 1));
    assert_eq!(running.metric("chancery_device_log_unexplained_total{token=\"main\"}"), 1);

    let log = load::log_of(&installation);
    let freeze = of_kind(&log, "frozen").next().unwrap();
    assert_eq!(freeze["by"], "the device log of token main");
    assert!(freeze["reason"].as_str().unwrap().contains("somebody else signed with it"), "{freeze}");
    running.kill();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.put("after", digest("raw", 1)).code(), "frozen");
    // Whoever ends the freeze has looked into it: what was made is explained, what comes is not.
    installation.run("chancery", &["unfreeze", "--key", "raw", "--reason", "looked into"]);
    sign_some(&watcher, "again");
    assert_eq!(frozen(&installation), Vec::<String>::new());
    sign_behind_its_back(&installation, &devices[0], "raw");
    sign_some(&watcher, "once-more");
    eventually("the key is frozen again", || (frozen(&installation) == ["raw"]).then_some(()));
    running.stop();
    installation.assert_log_verifies();
}

fn read_away() {
    let (installation, devices) = Installation::serving_yubihsms(1, Duration::ZERO);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("one", digest("raw", 1));
    sign_behind_its_back(&installation, &devices[0], "raw");
    devices[0].ceremony(&installation).forget_log().unwrap();
    sign_some(&watcher, "after");
    eventually("all keys of the device are frozen", || (frozen(&installation).len() == 4).then_some(()));
    let log = load::log_of(&installation);
    assert!(of_kind(&log, "token").any(|entry| entry["device_log"]["gap"] == true));
    let reason = of_kind(&log, "frozen").next().unwrap()["reason"].clone();
    assert!(reason.as_str().unwrap().contains("who read the log away"), "{reason}");
    running.stop();
    installation.assert_log_verifies();
}

fn altered() {
    let (installation, devices) = Installation::serving_yubihsms(1, Duration::ZERO);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    sign_some(&watcher, "before");
    devices[0].faults().arm(Plan {
        fault: Fault::BreakLogDigest,
        command: Some(Command::SIGN_ECDSA),
        skip: 2,
        count: 1,
    });
    sign_some(&watcher, "after");
    eventually("all keys of the device are frozen", || (frozen(&installation).len() == 4).then_some(()));
    running.stop();
    installation.assert_log_verifies();
}

fn full() {
    let (installation, devices) = Installation::serving_yubihsms(1, Duration::ZERO);
    let running = installation.start();
    Watcher::new(&installation, &running).signed("one", digest("raw", 1));
    running.stop();
    devices[0].faults().arm(Plan::at(Fault::FillLog { free: 0 }, Command::AUTHENTICATE_SESSION));
    let before = recorded(&installation).len();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let up = || installation.status()["tokens"][0]["state"] == "up";
    eventually("it serves", || up().then_some(()));
    // The anchor is written a moment after the token is up, and until then nothing is accepted.
    eventually("it is signed", || (watcher.put("two", digest("raw", 2)).status == 200).then_some(()));
    assert!(recorded(&installation).len() >= before + 50, "what filled it was recorded");
    // Filled while it serves: nothing is lost, and nobody waits long.
    devices[0].faults().arm(Plan {
        fault: Fault::FillLog { free: 0 },
        command: Some(Command::SIGN_ECDSA),
        skip: 3,
        count: 1,
    });
    for number in 0..30 {
        let id = format!("three-{number}");
        eventually("it is signed", || (watcher.put(&id, digest("raw", number)).status == 200).then_some(()));
    }
    assert_eq!(frozen(&installation), Vec::<String>::new());
    running.stop();
    verify_chain(None, &recorded(&installation)).unwrap();
    installation.assert_log_verifies();
}

fn unknown() {
    let (installation, devices) = Installation::serving_yubihsms(1, Duration::ZERO);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    devices[0].faults().arm(Plan::at(Fault::LogUnknown { command: 0x7b }, Command::SIGN_ECDSA));
    sign_some(&watcher, "a");
    eventually("it is recorded", || recorded(&installation).iter().any(|entry| entry.command == 0x7b).then_some(()));
    assert_eq!(frozen(&installation), Vec::<String>::new());
    running.stop();
    installation.assert_log_verifies();
}

/// The ceremony tries the key it makes: that signature is the key's past.
fn made_meanwhile() {
    let (installation, devices) = Installation::serving_yubihsms(1, Duration::ZERO);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    sign_some(&watcher, "before");
    let protection = Protection::NeverLeaves;
    let name = "fresh".parse().unwrap();
    devices[0].ceremony(&installation).generate_key(&name, Algorithm::Secp256k1, protection).unwrap();
    let key = "[[key]]\nname = \"fresh\"\nalgorithm = \"secp256k1\"\nevidence = \"blind\"\n\n[[rule]]";
    let policy = POLICY.replacen("[[rule]]", key, 1).replace("version = 1", "version = 2");
    installation.write_policy(&policy.replace("[\"raw\",", "[\"fresh\", \"raw\","));
    installation.run("chancery", &["policy", "install", "policy.toml"]);
    watcher.signed("fresh", digest("fresh", 1));
    sign_some(&watcher, "after");
    assert_eq!(frozen(&installation), Vec::<String>::new());
    sign_behind_its_back(&installation, &devices[0], "fresh");
    sign_some(&watcher, "meanwhile");
    eventually("the key is frozen", || (frozen(&installation) == ["fresh"]).then_some(()));
    running.stop();
    installation.assert_log_verifies();
}

fn idle() {
    let (installation, _devices) = Installation::serving_yubihsms(1, Duration::ZERO);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    sign_some(&watcher, "a");
    let size = || running.metric("chancery_log_size");
    eventually("it is quiet", || {
        let before = size();
        std::thread::sleep(Duration::from_secs(3));
        (size() == before).then_some(())
    });
    running.stop();
}

fn attested() {
    let (installation, devices) = Installation::on_yubihsms(1, Duration::ZERO);
    let trust = |certificate: &[u8]| {
        fs::write(installation.path("attestation-ca.pem"), pem(certificate)).unwrap();
    };
    trust(&devices[0].ca_certificate());
    installation.edit_config(|config| format!("{config}attestation_ca = \"attestation-ca.pem\"\n"));
    installation.begin(POLICY);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("one", digest("raw", 1));
    let keys = watcher.get("/v1/keys").good();
    for key in keys["keys"].as_array().unwrap() {
        assert_eq!(key["attestation"].as_array().map(Vec::len), Some(2), "{key}");
    }
    running.stop();
    // Another maker's root: the device's word is worth nothing.
    let (_, others) = Installation::on_yubihsms(1, Duration::ZERO);
    trust(&others[0].ca_certificate());
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.put("two", digest("raw", 2)).code(), "token-unavailable");
    let unfit = installation.status()["tokens"][0]["unfit_keys"].to_string();
    assert!(unfit.contains("attestation, certificate"), "{unfit}");
    running.stop();
    installation.edit_config(|config| config.replace("attestation-ca.pem", "nowhere.pem"));
    let output = installation.command("chancery", &["check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("attestation_ca") && told.contains("nowhere.pem"), "{told}");
}

fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
