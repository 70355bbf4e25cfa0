//! What a witness leaves behind, through the program.

use appliance_wire::{Fork, WitnessKey};

use super::*;

#[test]
fn a_fork_is_checked_offline_with_the_log_key_alone() {
    let (known, other) = (TestLog::grown(9, "entry"), TestLog::grown(9, "other"));
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, fork: &Fork| {
        let file = folder.path().join(name).display().to_string();
        fs::write(&file, serde_json::to_string(fork).unwrap()).unwrap();
        file
    };
    let of = |one: &TestLog, two: &TestLog| Fork::new(&one.head(), &two.head(), &[], &[], "why".to_owned(), 1);
    let proven = write("fork.json", &of(&known, &other));
    let none = write("none.json", &of(&known, &known));
    let log_key = known.key.to_string();
    let stranger = appliance_wire::LogKey::new("other.example/log", known.key.public()).unwrap().to_string();
    assert_exit(&["verify", "--fork", &proven, "--log-key", &log_key], 0);
    assert_exit(&["verify", "--fork", &proven, "--log-key", &log_key, "--json"], 0);
    assert_exit(&["verify", "--fork", &proven, "--log-key", &stranger], 3);
    assert_exit(&["verify", "--fork", &none, "--log-key", &log_key], 3);
    fs::write(&none, "{}").unwrap();
    assert_exit(&["verify", "--fork", &none, "--log-key", &log_key], 3);
    assert_exit(&["verify", "--fork", "/nowhere", "--log-key", &log_key], 1);
    assert_exit(&["verify", "--log-key", &log_key], 2);
    assert_exit(&["verify", &proven, "--fork", &proven, "--log-key", &log_key], 2);
}

#[test]
fn a_witness_key_is_made_once_and_its_verifier_key_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("witness.key").display().to_string();
    let key = witness::make_key("exchange.example/a", file.as_ref());
    let shown = key.unwrap_or_else(|failure| panic!("{failure:?}")).text;
    assert_eq!(WitnessKey::parse(&shown).unwrap().name(), "exchange.example/a");
    assert_exit(&["witness", "key", "--name", "exchange.example/a", "--out", &file], 1);
    let (other, absent) = (format!("{file}.2"), format!("{file}/none"));
    assert_exit(&["witness", "key", "--name", "white space", "--out", &other], 78);
    assert_exit(&["witness", "key", "--name", "exchange.example/a", "--out", &absent], 1);
    assert_exit(&["witness", "key", "--out", &other], 2);
    assert_exit(&["witness", "key", "--name", "exchange.example/a", "--out", &other, "--json"], 0);
}

#[test]
fn the_pause_of_a_witness_is_seconds_or_minutes() {
    let every = |text: &str| {
        let arguments = Arguments::try_parse_from(["x", "witness", "--every", text]).ok()?;
        let Command::Witness(witness) = arguments.command else { panic!("another command") };
        Some(witness.every.as_secs())
    };
    assert_eq!([every("5s"), every("2m"), every("86400s")], [Some(5), Some(120), Some(86_400)]);
    for bad in ["0s", "5", "m", "1h", "-1s", "86401s", "18446744073709551615m"] {
        assert_eq!(every(bad), None, "{bad}");
    }
}
