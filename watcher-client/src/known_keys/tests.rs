//! What is remembered of keys, and what is an alarm.

use std::fs;

use super::*;
use crate::testing::{chain_code, ecdsa_public_key};

fn key(name: &str, seed: u8) -> SeenKey {
    SeenKey { name: name.to_owned(), public_key: ecdsa_public_key(seed), chain_code: None }
}

fn with_children(name: &str, seed: u8, code: u8) -> SeenKey {
    SeenKey { chain_code: Some(chain_code(code)), ..key(name, seed) }
}

fn public_key(known: &KnownKeys, path: &str) -> Option<PublicKey> {
    known.verifier(&path.parse().unwrap()).ok().map(|verifier| verifier.public_key().clone())
}

#[test]
fn a_changed_key_is_an_alarm_and_the_first_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let directory = StateDirectory::open(folder.path()).unwrap();
    let known = KnownKeys::open(directory.clone()).unwrap();
    known.remember(&[key("btc-hot", 1)]).unwrap();
    known.remember(&[key("btc-hot", 1)]).unwrap();

    let changed = [key("other", 1), key("btc-hot", 2)];
    for known in [&known, &KnownKeys::open(directory.clone()).unwrap()] {
        let error = known.remember(&changed).unwrap_err();
        assert!(matches!(&error, Error::KeyChanged { key, .. } if key == "btc-hot"), "{error}");
        assert!(error.to_string().contains("keys.json"), "{error}");
        assert_eq!(public_key(known, "btc-hot"), Some(ecdsa_public_key(1)));
        assert_eq!(public_key(known, "other"), None);
    }
}

#[test]
fn another_process_is_believed_like_ourselves() {
    let folder = tempfile::tempdir().unwrap();
    let directory = StateDirectory::open(folder.path()).unwrap();
    let [here, there] = [(); 2].map(|()| KnownKeys::open(directory.clone()).unwrap());
    there.remember(&[with_children("btc-hot", 1, 1)]).unwrap();
    let error = here.remember(&[key("btc-hot", 2)]).unwrap_err();
    assert!(matches!(error, Error::KeyChanged { .. }), "{error}");
    let error = here.remember(&[with_children("btc-hot", 1, 2)]).unwrap_err();
    assert!(matches!(error, Error::ChainCodeChanged { .. }), "{error}");
}

#[test]
fn children_are_derived_from_the_first_chain_code_and_another_one_is_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let directory = StateDirectory::open(folder.path()).unwrap();
    let known = KnownKeys::open(directory.clone()).unwrap();
    known.remember(&[key("btc-hot", 1)]).unwrap();
    assert!(!known.knows(&"btc-hot/7".parse().unwrap()));
    assert_eq!(public_key(&known, "btc-hot/7"), None);

    known.remember(&[with_children("btc-hot", 1, 1)]).unwrap();
    let child = ecdsa_public_key(1).child(&chain_code(1), 7).unwrap();
    for known in [&known, &KnownKeys::open(directory).unwrap()] {
        assert_eq!(public_key(known, "btc-hot/7").as_ref(), Some(child.public_key()));
        let error = known.remember(&[with_children("btc-hot", 1, 2)]).unwrap_err();
        assert!(matches!(&error, Error::ChainCodeChanged { key, .. } if key == "btc-hot"), "{error}");
        // A signer that does not show it any more makes nothing forgotten.
        known.remember(&[key("btc-hot", 1)]).unwrap();
        assert_eq!(public_key(known, "btc-hot/7").as_ref(), Some(child.public_key()));
    }
}

#[test]
fn a_damaged_file_is_refused_and_not_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let bad_chain_code =
        format!(r#"{{"k":{{"algorithm":"secp256k1","public_key":"{}","chain_code":"00"}}}}"#, ecdsa_public_key(1));
    for text in ["", "{", "[]", r#"{"k":{"algorithm":"p256","public_key":"00"}}"#, &bad_chain_code] {
        fs::write(folder.path().join(FILE), text).unwrap();
        let error = KnownKeys::open(StateDirectory::open(folder.path()).unwrap()).unwrap_err();
        assert!(matches!(error, Error::StateDamaged { .. }), "{error}");
        assert!(error.to_string().contains("Restore it from a copy"), "{error}");
    }
}
