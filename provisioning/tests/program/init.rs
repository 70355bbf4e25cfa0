use std::{collections::BTreeMap, fs};

use crate::harness::Place;

const INIT: [&str; 4] = ["init", "--directory", "box", "--development"];

/// Every file but those the token itself keeps.
fn contents(place: &Place) -> BTreeMap<String, String> {
    let files = [
        "chancery.toml",
        "policy.toml",
        "watcher.toml",
        "token/pin",
        "token/so-pin",
        "token/softhsm2.conf",
        "pki/ca.crt",
        "pki/ca.key",
        "pki/server.crt",
        "pki/server.key",
        "pki/watcher.crt",
        "pki/watcher.key",
    ];
    files.into_iter().map(|file| (file.to_owned(), place.read(&format!("box/{file}")))).collect()
}

#[test]
fn secrets_are_their_owners_alone_and_never_said() {
    let place = Place::new();
    let ran = place.run(&INIT).succeeded();
    for secret in ["token/pin", "token/so-pin", "pki/ca.key", "pki/server.key", "pki/watcher.key"] {
        assert_eq!(place.mode(&format!("box/{secret}")), 0o600, "{secret}");
    }
    let (pin, so_pin) = (place.read("box/token/pin"), place.read("box/token/so-pin"));
    assert_ne!(pin, so_pin);
    assert_eq!(pin.len(), 24);
    for said in [&ran.out, &ran.err, &place.read("box/chancery.toml"), &place.read("box/token/softhsm2.conf")] {
        assert!(!said.contains(&pin) && !said.contains(&so_pin));
    }
}

#[test]
fn a_second_run_keeps_everything() {
    let place = Place::new();
    let keys = |place: &Place| {
        let ran = place.run(&[&INIT[..], &["--json"]].concat()).succeeded();
        (ran.json()["keys"].clone(), ran.json()["steps"].clone())
    };
    let (first, made) = keys(&place);
    let before = contents(&place);
    let (second, kept) = keys(&place);
    assert_eq!(first, second);
    assert_eq!(before, contents(&place));
    assert!(made.as_array().unwrap().iter().all(|step| step["outcome"] == "made"), "{made}");
    assert!(kept.as_array().unwrap().iter().all(|step| step["outcome"] == "kept"), "{kept}");
    let names: Vec<_> = first.as_array().unwrap().iter().map(|key| (&key["key"], &key["algorithm"])).collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().any(|(name, algorithm)| *name == "chancery-log" && *algorithm == "ed25519"));
    assert!(names.iter().any(|(name, algorithm)| *name == "chancery-self-test" && *algorithm == "secp256k1"));
}

#[test]
fn an_interrupted_run_is_completed_from_wherever_it_ended() {
    let place = Place::initialised();
    let before = contents(&place);
    // As a run leaves them that ended earlier and earlier: files are made in the reverse of this order.
    let made_last_first = ["chancery.toml", "watcher.toml", "policy.toml", "pki/watcher.crt", "pki/server.crt"];
    for reached in 1..=made_last_first.len() {
        for file in &made_last_first[..reached] {
            fs::remove_file(place.path(&format!("box/{file}"))).unwrap();
        }
        let ran = place.run(&INIT).succeeded();
        assert!(ran.out.contains("kept  token \"chancery\""), "{}", ran.out);
        assert!(ran.out.contains("kept  key \"chancery-log\""), "{}", ran.out);
        let after = contents(&place);
        for (file, content) in &after {
            // A certificate made anew has a new serial; its key, and all else, is what it was.
            if !file.ends_with(".crt") {
                assert_eq!(content, &before[file], "{file} after {reached}");
            }
        }
    }
}

#[test]
fn a_token_made_by_half_is_moved_away_and_made_anew() {
    let place = Place::initialised();
    fs::remove_file(place.path("box/chancery.toml")).unwrap();
    fs::write(place.path("box/token/half-made"), "").unwrap();
    let ran = place.run(&INIT).succeeded();
    assert!(ran.out.contains("made  token \"chancery\"") && ran.out.contains("was moved to"), "{}", ran.out);
    assert!(!place.path("box/token/half-made").exists());
    place.run(&["key", "list", "--config", "box/chancery.toml"]).succeeded();
}

#[test]
fn a_lost_pin_is_not_replaced_by_a_new_one() {
    let place = Place::initialised();
    for file in ["chancery.toml", "token/pin"] {
        fs::remove_file(place.path(&format!("box/{file}"))).unwrap();
    }
    place.run(&INIT).refused(78, "the PIN of the token beside it is gone");
    assert!(!place.path("box/token/pin").exists());
}

#[test]
fn a_lost_private_key_is_not_replaced_by_a_new_one() {
    let place = Place::initialised();
    fs::remove_file(place.path("box/pki/watcher.key")).unwrap();
    place.run(&INIT).refused(78, "the key of");
    assert!(!place.path("box/pki/watcher.key").exists());
}

#[test]
fn a_software_token_is_for_development() {
    let place = Place::new();
    place.run(&["init", "--directory", "box"]).refused(1, "say --development");
    assert!(!place.path("box").exists());
}

#[test]
fn a_module_that_is_not_there_is_told() {
    let place = Place::new();
    place.run(&[&INIT[..], &["--module", "/no/such/module.so"]].concat()).refused(1, "/no/such/module.so");
    let text = Place::initialised();
    let config = text.read("box/chancery.toml");
    let module = config.lines().find(|line| line.starts_with("module = ")).unwrap();
    fs::write(text.path("box/chancery.toml"), config.replace(module, "module = \"/no/such/module.so\"")).unwrap();
    text.run(&INIT).refused(78, "there is no PKCS#11 module at /no/such/module.so");
}

#[test]
fn an_origin_that_no_checkpoint_can_carry_is_wrong_usage() {
    let place = Place::new();
    place.run(&[&INIT[..], &["--origin", "two words"]].concat()).refused(2, "is no origin");
}
