use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::harness::{PROGRAM, Place};

const GENERATE: [&str; 7] = ["key", "generate", "btc-hot", "--algorithm", "secp256k1", "--config", "box/chancery.toml"];
const LIST: [&str; 5] = ["key", "list", "--config", "box/chancery.toml", "--json"];

#[test]
fn a_key_is_made_once_and_listed() {
    let place = Place::initialised();
    place.run(&GENERATE).succeeded();
    let before = place.run(&LIST).succeeded().json();
    let found = before.as_array().unwrap().iter().find(|key| key["key"] == "btc-hot").unwrap().clone();
    assert_eq!(found["algorithm"], "secp256k1");
    assert_eq!(found["findings"].as_array().unwrap().len(), 0);
    assert_eq!(found["public_key"].as_str().unwrap().len(), 66);

    place.run(&GENERATE).refused(1, "the device has one already");
    assert_eq!(place.run(&LIST).succeeded().json(), before);
}

#[test]
fn a_key_with_children_is_made_once_and_listed_as_such() {
    let place = Place::initialised();
    let with_children = [&GENERATE[..], &["--children"]].concat();
    let made = place.run(&[&with_children[..], &["--json"]].concat()).succeeded().json();
    assert_eq!(made["children"], true);
    let before = place.run(&LIST).succeeded().json();
    for key in before.as_array().unwrap() {
        assert_eq!(key["children"], key["key"] == "btc-hot", "{key}");
        assert_eq!(key["findings"].as_array().unwrap().len(), 0, "{key}");
    }
    let found = before.as_array().unwrap().iter().find(|key| key["key"] == "btc-hot").unwrap();
    assert_eq!(found["public_key"], made["public_key"]);
    let listed = place.run(&LIST[..4]).succeeded().out;
    for line in listed.lines() {
        let word = if line.starts_with("btc-hot ") { "children: yes" } else { "children: no" };
        assert!(line.ends_with(word), "{line}");
    }

    place.run(&with_children).refused(1, "the device has one already");
    place.run(&GENERATE).refused(1, "the device has one already");
    assert_eq!(place.run(&LIST).succeeded().json(), before);
}

#[test]
fn a_key_made_without_children_never_gets_them() {
    let place = Place::initialised();
    assert_eq!(place.run(&[&GENERATE[..], &["--json"]].concat()).succeeded().json()["children"], false);
    let before = place.run(&LIST).succeeded().json();
    let with_children = [&GENERATE[..], &["--children"]].concat();
    place.run(&with_children).refused(1, "make another under a new name with --children");
    assert_eq!(place.run(&LIST).succeeded().json(), before);
}

#[test]
fn only_secp256k1_keys_have_children() {
    let place = Place::initialised();
    let before = place.run(&LIST).succeeded().json();
    for algorithm in ["p256", "ed25519"] {
        let arguments = ["key", "generate", "x", "--algorithm", algorithm, "--children"];
        let arguments = [&arguments[..], &["--config", "box/chancery.toml"]].concat();
        place.run(&arguments).refused(2, "only secp256k1 keys have");
    }
    assert_eq!(place.run(&LIST).succeeded().json(), before);
}

#[test]
fn every_algorithm_can_be_made() {
    let place = Place::initialised();
    for algorithm in ["secp256k1", "p256", "ed25519"] {
        let made = place.run(&[
            "key",
            "generate",
            algorithm,
            "--algorithm",
            algorithm,
            "--config",
            "box/chancery.toml",
            "--json",
        ]);
        assert_eq!(made.succeeded().json()["algorithm"], algorithm);
    }
}

#[test]
fn the_token_is_found_from_any_directory_and_environment() {
    let place = Place::initialised();
    let config = place.path("box/chancery.toml");
    let arguments = ["key", "list", "--config", config.to_str().unwrap()];
    let mut command = place.command(Path::new(PROGRAM), &arguments);
    command.current_dir("/").env("SOFTHSM2_CONF", "/no/such/softhsm2.conf");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("chancery-log"));
}

#[test]
fn a_pin_others_can_read_is_not_used() {
    let place = Place::initialised();
    fs::set_permissions(place.path("box/token/pin"), fs::Permissions::from_mode(0o644)).unwrap();
    place.run(&LIST).refused(78, "mode 0644 lets others read the PIN: chmod 600");
}

#[test]
fn a_wrong_pin_is_told_and_ends_with_78() {
    let place = Place::initialised();
    fs::write(place.path("box/token/pin"), "not-the-pin").unwrap();
    place.run(&LIST).refused(78, "the PIN was refused");
}

#[test]
fn a_name_no_device_can_carry_is_wrong_usage() {
    let place = Place::initialised();
    let arguments = ["key", "generate", "btc hot", "--algorithm", "secp256k1", "--config", "box/chancery.toml"];
    place.run(&arguments).refused(2, "is no key name");
    place.run(&["key", "generate", "x", "--algorithm", "rsa"]).refused(2, "is no algorithm");
}

#[test]
fn which_of_two_tokens_must_be_said() {
    let place = Place::initialised();
    let config = place.read("box/chancery.toml");
    let (_, token) = config.split_once("[[token]]").unwrap();
    let second = token.replace("\"main\"", "\"second\"");
    fs::write(place.path("box/chancery.toml"), format!("{config}\n[[token]]{second}")).unwrap();
    place.run(&LIST).refused(78, "say which with --token NAME");
    place.run(&[&LIST[..], &["--token", "second"]].concat()).succeeded();
    place.run(&[&LIST[..], &["--token", "third"]].concat()).refused(78, "names no token \"third\"");
}

#[test]
fn every_help_has_an_example() {
    let place = Place::new();
    let commands: [&[&str]; 9] = [
        &[],
        &["init"],
        &["quickstart"],
        &["key"],
        &["key", "generate"],
        &["key", "list"],
        &["key", "replicate"],
        &["pki"],
        &["pki", "issue"],
    ];
    for command in commands {
        let ran = place.run(&[command, &["--help"]].concat()).succeeded();
        assert!(ran.out.contains("Example:\n  chancery-provision "), "{command:?}: {}", ran.out);
    }
}
