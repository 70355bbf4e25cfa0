//! What custodians can do after a ceremony: wrap keys again, bring them back, renew officers.

use std::{fs, io::Write, process::Stdio};

use appliance_wire::sha256_hex;
use serde_json::Value;

use super::{Hall, terminal::People};
use crate::harness::Ran;

const TRANSCRIPT: [&str; 2] = ["--transcript", "out/transcript.json"];
const CAROL_AND_ERIN: [&str; 4] = ["--share-file", "out/shares/Carol.txt", "--share-file", "out/shares/Erin.txt"];

fn done(hall: Hall) -> Hall {
    hall.ceremony(&["--yes"]).succeeded();
    hall
}

fn softhsm() -> Hall {
    done(Hall::softhsm("{ file = \"token/so-pin\" }"))
}

fn restore(hall: &Hall, further: &[&str]) -> Ran {
    hall.run(&[&["backup", "restore", "out/backup/btc-vault.json"][..], further].concat())
}

fn check(hall: &Hall, file: &str) -> Ran {
    hall.run(&[&["backup", "check", file, "--json"][..], &TRANSCRIPT].concat())
}

/// What `key list` says of the key in the installation of this directory.
fn listed(hall: &Hall, directory: &str, further: &[&str]) -> Option<Value> {
    let config = format!("{directory}/chancery.toml");
    let listed = hall.run(&[&["key", "list", "--config", &config, "--json"][..], further].concat()).succeeded().json();
    listed.as_array().unwrap().iter().find(|key| key["key"] == "btc-vault").cloned()
}

#[test]
fn a_backup_comes_back_in_a_new_softhsm_token() {
    let hall = softhsm();
    hall.run(&["init", "--directory", "new", "--development"]).succeeded();
    let original = listed(&hall, "out", &[]).unwrap();
    for made in [true, false] {
        let arguments = [&["--config", "new/chancery.toml", "--json"][..], &TRANSCRIPT, &CAROL_AND_ERIN].concat();
        let restored = restore(&hall, &arguments).succeeded().json();
        assert_eq!((&restored["made"], &restored["public_key"]), (&made.into(), &original["public_key"]));
    }
    assert_eq!(listed(&hall, "new", &[]).unwrap(), original);
}

#[test]
fn a_backup_comes_back_in_a_new_device_from_typed_shares() {
    let hall = Hall::simulated();
    let mut people = People::default();
    let mut terminal = hall.terminal(&["ceremony", "run", "plan.toml", "--out", "out"]);
    terminal.play(&mut people);
    terminal.succeeded();
    hall.run(&["init", "--directory", "new", "--development", "--token", "simulator"]).succeeded();
    let password = ["--administrator-password-file", "new/token/administrator-password"];
    let arguments =
        [&["backup", "restore", "out/backup/btc-vault.json", "--config", "new/chancery.toml"][..], &password].concat();
    people.forget_who_typed();
    let mut terminal = hall.terminal(&arguments);
    terminal.play(&mut people);
    let seen = terminal.succeeded();
    assert!(seen.contains("Share 1 is good.") && seen.contains("brought back key \"btc-vault\""), "{seen}");
    let replica = listed(&hall, "new", &password).unwrap();
    assert_eq!((&replica["children"], &replica["backup"]), (&true.into(), &true.into()));
}

/// A backup of the key, made a second time, and what `check` says of both files.
fn made_again(hall: &Hall, further: &[&str]) -> (Value, Value) {
    let create = ["backup", "create", "btc-vault", "--out", "again.json", "--config", "out/chancery.toml"];
    let create = [&create[..], &TRANSCRIPT, &CAROL_AND_ERIN, further].concat();
    hall.run(&create).succeeded();
    hall.run(&create).refused(1, "is there and is not overwritten");
    let [first, again] = ["out/backup/btc-vault.json", "again.json"].map(|file| check(hall, file).succeeded().json());
    assert_eq!(again["public_key"], first["public_key"]);
    (first, again)
}

#[test]
fn a_backup_is_made_again_and_is_the_same_key() {
    // Key wrap gives the same bytes each time, a device's wrap never does.
    let (first, again) = made_again(&softhsm(), &["--so-pin-file", "out/token/so-pin"]);
    assert_eq!((&first["made_in_ceremony"], &again["made_in_ceremony"]), (&true.into(), &true.into()));
    let password = ["--administrator-password-file", "out/token/main-administrator"];
    let (first, again) = made_again(&done(Hall::simulated()), &password);
    assert_eq!((&first["made_in_ceremony"], &again["made_in_ceremony"]), (&true.into(), &false.into()));
}

#[test]
fn shares_that_will_not_do_are_refused_and_nothing_is_restored() {
    let hall = softhsm();
    hall.run(&["init", "--directory", "new", "--development"]).succeeded();
    let other = softhsm();
    fs::copy(other.place.path("out/shares/Dave.txt"), hall.place.path("stranger.txt")).unwrap();
    let altered = hall.place.read("out/shares/Dave.txt");
    let last = altered.trim().chars().last().unwrap();
    let bent = format!("{}{}", altered.trim().strip_suffix(last).unwrap(), if last == 'q' { 'p' } else { 'q' });
    fs::write(hall.place.path("altered.txt"), bent).unwrap();
    fs::write(hall.place.path("none.txt"), "lorem ipsum").unwrap();
    let carol = "out/shares/Carol.txt";
    for (files, code, because) in [
        (&[carol][..], 1, "1 shares are too few: 2 are needed"),
        (&[carol, carol], 78, "share 1 was given already"),
        (&[carol, "stranger.txt"], 78, "this share is of another ceremony"),
        (&[carol, "altered.txt"], 78, "this share's checksum is wrong"),
        (&[carol, "none.txt"], 78, "this is no share"),
    ] {
        let shares: Vec<&str> = files.iter().flat_map(|file| ["--share-file", file]).collect();
        for transcript in [&TRANSCRIPT[..], &[]] {
            let arguments = [&["--config", "new/chancery.toml"][..], transcript, &shares].concat();
            restore(&hall, &arguments).refused(code, because);
        }
    }
    // Without the transcript another ceremony's shares are good ones, but not this backup's.
    let theirs = ["Carol", "Dave"].map(|name| {
        fs::copy(other.place.path(&format!("out/shares/{name}.txt")), hall.place.path(&format!("{name}-2.txt")))
            .unwrap();
        format!("{name}-2.txt")
    });
    let shares = ["--config", "new/chancery.toml", "--share-file", &theirs[0], "--share-file", &theirs[1]];
    restore(&hall, &shares).refused(1, "the backup is wrapped under the backup key");
    assert_eq!(listed(&hall, "new", &[]), None);
}

#[test]
fn an_altered_backup_is_found_without_a_secret_or_with_one() {
    let hall = softhsm();
    let original: Value = serde_json::from_str(&hall.place.read("out/backup/btc-vault.json")).unwrap();
    let bend = |member: &str, value: Value| {
        let mut bent = original.clone();
        assert_ne!(bent[member], value, "{member}");
        bent[member] = value;
        fs::write(hall.place.path("out/backup/btc-vault.json"), bent.to_string()).unwrap();
    };
    bend("backup_key", "00".repeat(8).into());
    check(&hall, "out/backup/btc-vault.json").refused(3, "it is wrapped under backup key 0000000000000000");
    bend("chain_code", "11".repeat(32).into());
    check(&hall, "out/backup/btc-vault.json").refused(3, "its chain code is not the one");
    bend("public_key", "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".into());
    check(&hall, "out/backup/btc-vault.json").refused(3, "and the ceremony made");
    bend("wrapped", "AAAA".into());
    let arguments = [&["--config", "out/chancery.toml"][..], &TRANSCRIPT, &CAROL_AND_ERIN].concat();
    restore(&hall, &arguments).refused(1, "changed since it was made");
    fs::write(hall.place.path("out/backup/btc-vault.json"), "{}").unwrap();
    check(&hall, "out/backup/btc-vault.json").refused(3, "is no backup of a key");
}

/// What the appliance prints, for this policy.
fn text(hall: &Hall, policy: &str) -> String {
    let log_key = hall.verify().json()["log_key"].as_str().unwrap().to_owned();
    let (origin, _) = log_key.split_once('+').unwrap();
    let sha256 = sha256_hex(hall.place.read(policy).as_bytes());
    format!(
        "renew the officers by policy version 2\n\norigin: {origin}\nsha256: {sha256}\nexpires: 2026-11-29T00:00:00Z\n"
    )
}

fn renew(hall: &Hall, shares: &[&str]) -> Ran {
    let officers = ["ceremony", "officers", "new-policy.toml", "--text", "text", "--signature-out", "signature"];
    hall.run(&[&officers[..], &TRANSCRIPT, shares].concat())
}

#[test]
fn custodians_renew_officers_with_a_signature_that_ssh_keygen_knows() {
    let hall = softhsm();
    fs::write(hall.place.path("new-policy.toml"), "version = 2\n").unwrap();
    fs::write(hall.place.path("text"), text(&hall, "new-policy.toml")).unwrap();
    renew(&hall, &CAROL_AND_ERIN).succeeded();
    let key = hall.verify().json()["backup"]["renewal_key"].as_str().unwrap().to_owned();
    fs::write(hall.place.path("signers"), format!("custodians {key}\n")).unwrap();
    let verify = ["-Y", "verify", "-f", "signers", "-I", "custodians", "-n", "chancery-renewal", "-s", "signature"];
    let mut command = hall.place.command(std::path::Path::new("ssh-keygen"), &verify);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(hall.place.read("text").as_bytes()).unwrap();
    Ran::of(child.wait_with_output().unwrap()).succeeded();
}

#[test]
fn custodians_sign_nothing_about_another_policy_or_appliance() {
    let hall = softhsm();
    fs::write(hall.place.path("new-policy.toml"), "version = 2\n").unwrap();
    let right = text(&hall, "new-policy.toml");
    for wrong in [right.replace("sha256: ", "sha256: 0"), right.replace("signer-1/", "signer-2/"), String::new()] {
        fs::write(hall.place.path("text"), wrong).unwrap();
        renew(&hall, &CAROL_AND_ERIN).refused(2, "it is of another appliance or another policy");
    }
    fs::write(hall.place.path("text"), right).unwrap();
    renew(&hall, &CAROL_AND_ERIN[..2]).refused(1, "too few");
    assert!(!hall.place.path("signature").exists());
}
