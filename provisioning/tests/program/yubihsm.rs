use std::{fs, net::TcpListener};

use hsm_drivers::simulator::{Options, Simulator};

use crate::harness::{Place, Ran};

const INIT: [&str; 6] = ["init", "--directory", "box", "--development", "--token", "simulator"];
const PASSWORD: [&str; 2] = ["--administrator-password-file", "box/token/administrator-password"];

fn simulated() -> Place {
    let place = Place::new();
    place.run(&INIT).succeeded();
    place
}

fn key(place: &Place, arguments: &[&str]) -> Ran {
    place.run(&[&["key"], arguments, &["--config", "box/chancery.toml"], &PASSWORD].concat())
}

/// A box with the tokens `main` and `second`.
fn two_devices() -> Place {
    let place = simulated();
    let config = place.read("box/chancery.toml");
    let (_, token) = config.split_once("[[token]]").unwrap();
    let second = token.replace("\"main\"", "\"second\"").replace("token/", "../other/token/");
    fs::write(place.path("box/chancery.toml"), format!("{config}\n[[token]]{second}")).unwrap();
    for outcome in ["made", "kept"] {
        let set_up = place.run(&SETUP).succeeded().json();
        assert_eq!((&set_up["token"], &set_up["steps"][2]["outcome"]), (&"second".into(), &outcome.into()), "{set_up}");
    }
    assert_eq!(place.mode("other/token/administrator-password"), 0o600);
    place
}

const SETUP: [&str; 9] = [
    "token",
    "setup",
    "--token",
    "second",
    "--administrator-password-file",
    "other/token/administrator-password",
    "--config",
    "box/chancery.toml",
    "--json",
];
const REPLICATE: [&str; 9] = [
    "replicate",
    "btc-vault",
    "--to",
    "second",
    "--token",
    "main",
    "--to-administrator-password-file",
    "other/token/administrator-password",
    "--json",
];

#[test]
fn a_simulated_device_is_set_up_with_nothing_installed_and_kept() {
    let place = Place::new();
    let run = || {
        let mut command = place.command(std::path::Path::new(crate::harness::PROGRAM), &INIT);
        Ran::of(command.arg("--json").env_remove("SOFTHSM2_MODULE").output().unwrap()).succeeded()
    };
    let first = run();
    let files = ["chancery.toml", "token/password", "token/administrator-password"];
    let contents = || files.map(|file| place.read(&format!("box/{file}")));
    let before = contents();
    assert!(first.json()["steps"].as_array().unwrap().iter().all(|step| step["outcome"] == "made"), "{}", first.out);
    let second = run();
    assert!(second.json()["steps"].as_array().unwrap().iter().all(|step| step["outcome"] == "kept"), "{}", second.out);
    assert_eq!(before, contents());
    assert_eq!(first.json()["keys"], second.json()["keys"]);
    for secret in ["password", "administrator-password", "simulator"] {
        assert_eq!(place.mode(&format!("box/token/{secret}")), 0o600, "{secret}");
    }
    assert_ne!(before[1], before[2]);
    for said in [&first.out, &first.err, &before[0]] {
        assert!(!said.contains(&before[1]) && !said.contains(&before[2]));
    }
}

#[test]
fn keys_are_made_and_listed_by_the_administrator() {
    let place = simulated();
    key(&place, &["generate", "btc-hot", "--algorithm", "secp256k1"]).succeeded();
    let made = key(&place, &["generate", "btc-vault", "--algorithm", "secp256k1", "--children", "--backup", "--json"]);
    let made = made.succeeded().json();
    assert_eq!((&made["children"], &made["backup"]), (&true.into(), &true.into()));
    let listed = key(&place, &["list", "--json"]).succeeded().json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert_eq!(names, ["btc-hot", "btc-vault", "chancery-log", "chancery-self-test"]);
    for listed in listed.as_array().unwrap() {
        assert_eq!(listed["findings"], serde_json::json!([]), "{listed}");
        assert_eq!(listed["children"] == true, listed["key"] == "btc-vault", "{listed}");
        assert_eq!(listed["backup"] == true, listed["key"] == "btc-vault", "{listed}");
    }
    key(&place, &["generate", "btc-hot", "--algorithm", "p256"]).refused(1, "the device has one already");
    key(&place, &["generate", "btc-hot", "--algorithm", "secp256k1", "--children"]).refused(1, "made without children");
}

#[test]
fn more_keys_are_made_than_the_devices_log_has_room_for() {
    let place = simulated();
    for number in 0..20 {
        key(&place, &["generate", &format!("key-{number}"), "--algorithm", "p256"]).succeeded();
    }
}

#[test]
fn the_log_of_a_device_that_serves_is_left_to_the_appliance() {
    let place = simulated();
    let serial =
        place.read("box/token/simulator").lines().find_map(|line| Some(line.strip_prefix("serial ")?.to_owned()));
    let serial = u32::from_str_radix(&serial.unwrap(), 16).unwrap();
    fs::create_dir(place.path("box/state")).unwrap();
    fs::write(place.path("box/state/log.jsonl"), format!("{{\"serial\":\"{serial:010}\"}}\n")).unwrap();
    let mut notes = 0;
    for number in 0..12 {
        let made = key(&place, &["generate", &format!("key-{number}"), "--algorithm", "p256"]).succeeded();
        notes += made.out.matches("the appliance will find a gap there").count();
    }
    assert_eq!(notes, 1, "about sixty entries");
}

#[test]
fn a_wrong_password_or_none_is_refused() {
    let place = simulated();
    fs::copy(place.path("box/token/password"), place.path("wrong")).unwrap();
    let list = ["key", "list", "--config", "box/chancery.toml"];
    place.run(&[&list[..], &["--administrator-password-file", "wrong"]].concat()).refused(78, "the PIN was refused");
    place
        .run(&[&list[..], &PASSWORD, &["--administrator", "7"]].concat())
        .refused(1, "no authentication key of this id");
    fs::remove_file(place.path("box/token/password")).unwrap();
    fs::remove_file(place.path("box/chancery.toml")).unwrap();
    place.run(&INIT).refused(78, "the password of the device beside it is gone");
}

#[test]
fn a_device_that_is_open_elsewhere_is_told() {
    let place = simulated();
    let _open = Simulator::open(Some(&place.path("box/token/simulator")), Options::default()).unwrap();
    let because = format!("process {} has this device open", std::process::id());
    key(&place, &["list"]).refused(1, &because);
    fs::write(place.path("box/chancery.toml"), place.read("box/chancery.toml").replace("token/simulator", "absent"))
        .unwrap();
    key(&place, &["list"]).refused(1, "absent: there is no such file");
}

#[test]
fn a_device_over_http_is_set_up_and_one_that_holds_something_is_not() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Simulator::open(None, Options::default()).unwrap().serve(listener).unwrap();
    let init =
        |directory: &str| place.run(&["init", "--directory", directory, "--development", "--token", &server.url()]);
    init("box").succeeded();
    key(&place, &["generate", "btc-hot", "--algorithm", "secp256k1"]).succeeded();
    init("box").succeeded();
    init("other").refused(78, "the PIN was refused");
}

#[test]
fn a_key_is_replicated_into_another_device_once_and_found_again() {
    let place = two_devices();
    let generate = ["generate", "btc-vault", "--algorithm", "secp256k1", "--children", "--backup", "--token", "main"];
    let made = key(&place, &[&generate[..], &["--json"]].concat()).succeeded().json();
    for is_made in [true, false] {
        let replica = key(&place, &REPLICATE).succeeded().json();
        assert_eq!((&replica["made"], &replica["token"]), (&is_made.into(), &"second".into()));
        assert_eq!(replica["public_key"], made["public_key"]);
    }
    let list = ["key", "list", "--config", "box/chancery.toml", "--token", "second", "--json"];
    let password = ["--administrator-password-file", "other/token/administrator-password"];
    let listed = place.run(&[&list[..], &password].concat()).succeeded().json();
    let replica = listed.as_array().unwrap().iter().find(|key| key["key"] == "btc-vault").unwrap();
    assert_eq!((&replica["backup"], &replica["children"]), (&true.into(), &true.into()));
}

#[test]
fn a_key_is_not_replicated_where_it_may_or_can_not() {
    let place = two_devices();
    key(&place, &["generate", "btc-vault", "--algorithm", "secp256k1", "--token", "main"]).succeeded();
    key(&place, &REPLICATE).refused(1, "it was made without --backup");
    place.run(&["init", "--directory", "soft", "--development"]).succeeded();
    let config = place.read("box/chancery.toml");
    let soft = place.read("soft/chancery.toml");
    let (_, token) = soft.split_once("[[token]]").unwrap();
    let third = token.replace("\"main\"", "\"soft\"").replace("token/", "../soft/token/");
    fs::write(place.path("box/chancery.toml"), format!("{config}\n[[token]]{third}")).unwrap();
    let to_soft = REPLICATE.map(|word| if word == "second" { "soft" } else { word });
    key(&place, &to_soft).refused(2, "is of another kind");
    let set_up_soft = SETUP.map(|word| if word == "second" { "soft" } else { word });
    place.run(&set_up_soft).refused(78, "token \"soft\" is no YubiHSM 2");
}
