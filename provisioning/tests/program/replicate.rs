use std::{fs, path::Path};

use crate::harness::{Place, Ran};

const REPLICATE: [&str; 9] =
    ["key", "replicate", "btc-vault", "--to", "second", "--config", "box/chancery.toml", "--so-pin-file", "so-pin"];
const GENERATE: [&str; 7] =
    ["key", "generate", "btc-vault", "--algorithm", "secp256k1", "--config", "box/chancery.toml"];

/// A box whose configuration names two tokens of one SoftHSM: `main` and `second`, each with PINs of its own.
fn two_tokens() -> Place {
    let place = Place::initialised();
    place.run(&["init", "--directory", "other", "--development"]).succeeded();
    let (ours, theirs) = (token_directory(&place, "box"), token_directory(&place, "other"));
    let moved = place.path("box/token/objects").join(theirs.file_name().unwrap());
    fs::rename(&theirs, moved).unwrap();
    fs::copy(place.path("other/token/pin"), place.path("box/token/second-pin")).unwrap();
    fs::copy(place.path("box/token/so-pin"), place.path("so-pin")).unwrap();

    // Both have the label of every token `init` makes; the serial tells them apart.
    let config = place.read("box/chancery.toml");
    let (before, token) = config.split_once("[[token]]").unwrap();
    let with = |name: &str, pin: &str, directory: &Path| {
        let token = token.replace("\"main\"", &format!("\"{name}\"")).replace("token/pin", pin);
        let label = token.lines().find(|line| line.starts_with("label")).unwrap().to_owned();
        token.replace(&label, &format!("{label}\nserial = \"{}\"", serial(directory)))
    };
    let (main, second) = (with("main", "token/pin", &ours), with("second", "token/second-pin", &theirs));
    fs::write(place.path("box/chancery.toml"), format!("{before}[[token]]{main}\n[[token]]{second}")).unwrap();
    place
}

/// SoftHSM's own, named by a UUID.
fn token_directory(place: &Place, of: &str) -> std::path::PathBuf {
    let mut entries = fs::read_dir(place.path(of).join("token/objects")).unwrap();
    entries.next().unwrap().unwrap().path()
}

/// The UUID's last 16 digits.
fn serial(directory: &Path) -> String {
    let name = directory.file_name().unwrap().to_string_lossy().replace('-', "");
    name[name.len() - 16..].to_owned()
}

fn generate(place: &Place, further: &[&str]) -> Ran {
    place.run(&[&GENERATE[..], &["--token", "main", "--json"], further].concat()).succeeded()
}

fn listed(place: &Place, token: &str) -> Option<serde_json::Value> {
    let keys = place.run(&["key", "list", "--config", "box/chancery.toml", "--token", token, "--json"]);
    keys.succeeded().json().as_array().unwrap().iter().find(|key| key["key"] == "btc-vault").cloned()
}

#[test]
fn a_key_made_with_backup_is_replicated_once_and_found_again() {
    let place = two_tokens();
    let made = generate(&place, &["--children", "--backup"]).json();
    assert_eq!((&made["children"], &made["backup"]), (&true.into(), &true.into()));
    assert_eq!(listed(&place, "second"), None);

    let said = place.run(&REPLICATE).succeeded().out;
    assert!(said.starts_with("made the replica of key \"btc-vault\" in token \"second\", public key "), "{said}");
    let (original, replica) = (listed(&place, "main").unwrap(), listed(&place, "second").unwrap());
    assert_eq!(original, replica, "same public key, children, backup; nothing found");
    assert_eq!(replica["public_key"], made["public_key"]);
    assert_eq!(replica["findings"], serde_json::json!([]));
    assert_eq!((&replica["children"], &replica["backup"]), (&true.into(), &true.into()));

    let again = place.run(&[&REPLICATE[..], &["--json"]].concat()).succeeded().json();
    assert_eq!((&again["made"], &again["token"]), (&false.into(), &"second".into()));
    assert_eq!(listed(&place, "second").unwrap(), replica);

    let lines = place.run(&["key", "list", "--config", "box/chancery.toml", "--token", "second"]).succeeded().out;
    for line in lines.lines() {
        let words = if line.starts_with("btc-vault ") { "backup: yes  children: yes" } else { "backup: no" };
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn the_source_may_be_named_and_is_not_the_destination() {
    let place = two_tokens();
    generate(&place, &["--backup"]);
    place.run(&[&REPLICATE[..], &["--token", "second"]].concat()).refused(1, "both are the same token");
    place.run(&[&REPLICATE[..], &["--token", "third"]].concat()).refused(78, "names no token \"third\"");
    place.run(&[&REPLICATE[..], &["--token", "main"]].concat()).succeeded();
}

#[test]
fn a_key_made_without_backup_stays_where_it_is() {
    let place = two_tokens();
    assert_eq!(generate(&place, &[]).json()["backup"], false);
    place.run(&REPLICATE).refused(1, "it was made without --backup, so that it never leaves its token");
    assert_eq!(listed(&place, "second"), None);
    assert_eq!(listed(&place, "main").unwrap()["backup"], false);
}

#[test]
fn the_officers_pin_is_read_like_the_users() {
    use std::os::unix::fs::PermissionsExt;
    let place = two_tokens();
    generate(&place, &["--backup"]);
    fs::set_permissions(place.path("so-pin"), fs::Permissions::from_mode(0o644)).unwrap();
    place.run(&REPLICATE).refused(78, "mode 0644 lets others read the PIN: chmod 600");
    fs::set_permissions(place.path("so-pin"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(place.path("so-pin"), "not-the-so-pin").unwrap();
    place.run(&REPLICATE).refused(78, "as its security officer (CKR_PIN_INCORRECT): the PIN was refused");
    assert_eq!(listed(&place, "second"), None);
}

#[test]
fn two_tokens_that_no_one_program_can_see_are_refused() {
    let place = two_tokens();
    let config = place.read("box/chancery.toml");
    let (main, second) = config.rsplit_once("[[token]]").unwrap();
    let second = second.replace("token/softhsm2.conf", "elsewhere/softhsm2.conf");
    fs::write(place.path("box/chancery.toml"), format!("{main}[[token]]{second}")).unwrap();
    place.run(&REPLICATE).refused(78, "have another SOFTHSM2_CONF each");
}
