use std::collections::BTreeMap;

use appliance_wire::DeviceLogRecord;

use super::*;

const SERIAL: &str = "0017000001";
const OTHER_SERIAL: &str = "0017000002";
const SIGN_ECDSA: u8 = 0x56;

fn key() -> KeyLabel {
    "btc-hot".parse().unwrap()
}

/// The accounts of an appliance that knows its device, with nothing signed yet.
fn accounts() -> Accounts {
    let mut accounts = Accounts::default();
    for serial in [SERIAL, OTHER_SERIAL] {
        accounts.record(serial, &token(Vec::new(), false)).unwrap();
    }
    accounts
}

/// A device that signs with object 7.
struct Signer(Vec<DeviceLogEntry>);

impl Signer {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// `count` more entries, as a `token` entry has them.
    fn sign(&mut self, count: u16) -> Vec<String> {
        let before = self.0.len();
        for _ in 0..count {
            let mut entry = DeviceLogEntry {
                number: self.0.len() as u16,
                command: SIGN_ECDSA,
                length: 34,
                session_key: 2,
                target_key: 7,
                second_key: DeviceLogEntry::NO_KEY,
                result: SIGN_ECDSA | 0x80,
                tick: 100,
                digest: [0xa5; 16],
            };
            if let Some(previous) = self.0.last() {
                entry.digest = entry.digest_after(&previous.digest);
            }
            self.0.push(entry);
        }
        self.0[before..].iter().map(|entry| hex::encode(entry.encode())).collect()
    }
}

fn token(entries: Vec<String>, gap: bool) -> DeviceLogRecord {
    let keys = BTreeMap::from([(key(), 7)]);
    DeviceLogRecord { entries, keys, own: BTreeMap::new(), gap, unlogged_boots: 0, unlogged_authentications: 0 }
}

fn is_suspect(accounts: &Accounts) -> bool {
    accounts.suspects().contains(&key())
}

#[test]
fn what_was_allowed_is_explained_and_one_more_is_not() {
    let (mut accounts, mut signer) = (accounts(), Signer::new());
    accounts.allow(&key(), 3);
    accounts.record(SERIAL, &token(signer.sign(2), false)).unwrap();
    accounts.record(SERIAL, &token(signer.sign(1), false)).unwrap();
    assert_eq!(accounts.of(&key()), Account { allowed: 3, made: 3 });
    assert!(!is_suspect(&accounts));
    accounts.record(SERIAL, &token(signer.sign(1), false)).unwrap();
    assert!(is_suspect(&accounts), "a fourth signature");
}

#[test]
fn a_gap_makes_every_key_of_the_device_suspect_and_must_be_said() {
    let (mut accounts, mut signer) = (accounts(), Signer::new());
    accounts.allow(&key(), 10);
    accounts.record(SERIAL, &token(signer.sign(1), false)).unwrap();
    signer.sign(1);
    let behind_a_gap = signer.sign(1);
    let error = accounts.clone().record(SERIAL, &token(behind_a_gap.clone(), false)).unwrap_err();
    assert!(error.contains("gap"), "{error}");
    assert!(!is_suspect(&accounts));
    accounts.record(SERIAL, &token(behind_a_gap, true)).unwrap();
    assert!(is_suspect(&accounts));
    let error = accounts.record(SERIAL, &token(signer.sign(1), true)).unwrap_err();
    assert!(error.contains("goes on"), "none may be made up either: {error}");
}

#[test]
fn the_end_of_the_freeze_explains_what_was_made_and_no_more() {
    let (mut accounts, mut signer) = (accounts(), Signer::new());
    accounts.record(SERIAL, &token(signer.sign(2), false)).unwrap();
    assert!(is_suspect(&accounts));
    accounts.settle("btc-hot");
    assert!(!is_suspect(&accounts));
    accounts.allow(&key(), 1);
    accounts.record(SERIAL, &token(signer.sign(1), false)).unwrap();
    assert!(!is_suspect(&accounts));
    accounts.record(SERIAL, &token(signer.sign(1), false)).unwrap();
    assert!(is_suspect(&accounts));
}

#[test]
fn signatures_of_a_key_in_several_devices_are_added_up() {
    let (mut accounts, mut one, mut other) = (accounts(), Signer::new(), Signer::new());
    accounts.allow(&key(), 2);
    accounts.record(SERIAL, &token(one.sign(1), false)).unwrap();
    accounts.record(OTHER_SERIAL, &token(other.sign(1), false)).unwrap();
    assert!(!is_suspect(&accounts));
    accounts.record(OTHER_SERIAL, &token(other.sign(1), false)).unwrap();
    assert!(is_suspect(&accounts));
}

#[test]
fn only_what_is_new_about_keys_is_said_again() {
    let mut accounts = Accounts::default();
    let keys = BTreeMap::from([(key(), 7)]);
    assert_eq!(accounts.new_keys(SERIAL, &keys), keys);
    accounts.record(SERIAL, &token(Signer::new().sign(1), false)).unwrap();
    assert!(accounts.new_keys(SERIAL, &keys).is_empty());
    let moved = BTreeMap::from([(key(), 8)]);
    assert_eq!(accounts.new_keys(SERIAL, &moved), moved);
    assert_eq!(accounts.new_keys("0017000002", &keys), keys);
}

#[test]
fn what_is_no_entry_of_a_device_is_refused() {
    for text in ["", "00", "zz", &"00".repeat(33)] {
        let error = Accounts::default().record(SERIAL, &token(vec![text.to_owned()], false)).unwrap_err();
        assert!(error.contains("no entry of a device log"), "{error}");
    }
}

#[test]
fn what_a_device_did_before_it_was_known_is_its_past() {
    let (mut accounts, mut signer) = (Accounts::default(), Signer::new());
    accounts.record(SERIAL, &token(signer.sign(3), false)).unwrap();
    assert_eq!(accounts.of(&key()), Account::default());
    accounts.record(SERIAL, &token(signer.sign(1), false)).unwrap();
    assert!(is_suspect(&accounts));
}
