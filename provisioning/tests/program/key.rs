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
    let commands: [&[&str]; 8] = [
        &[],
        &["init"],
        &["quickstart"],
        &["key"],
        &["key", "generate"],
        &["key", "list"],
        &["pki"],
        &["pki", "issue"],
    ];
    for command in commands {
        let ran = place.run(&[command, &["--help"]].concat()).succeeded();
        assert!(ran.out.contains("Example:\n  chancery-provision "), "{command:?}: {}", ran.out);
    }
}
