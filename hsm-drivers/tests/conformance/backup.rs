//! A key in a SoftHSM token and in a file.

use cryptoki::object::ObjectClass;
use hsm_drivers::{
    Disposition, Error, Pin, Protection, TriesLeft,
    ceremony::{BackupKey, Replica, WrappedKey},
};
use hsm_types::{Algorithm, KeyLabel, PublicKey, Verifier};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::{
    backend::{Backend, input, label, sign},
    forged::{altered, backup_key, forged},
    replicate::{destroy, objects, seen, so_pin, with_backup},
    softhsm::{Token, user_pin},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("backup::a_key_comes_back_from_its_backup", a_key_comes_back),
        trial("backup::a_family_comes_back_into_the_token_it_was_destroyed_in", a_family_comes_back),
        trial("backup::a_backup_altered_anywhere_is_refused_and_nothing_is_left", an_altered_backup),
        trial("backup::another_key_in_the_file_proves_nothing_and_is_destroyed", another_key_in_the_file),
        trial("backup::what_is_there_is_neither_used_nor_overwritten", what_is_there),
        trial("backup::a_restore_interrupted_at_any_object_is_gone_on_from", an_interruption),
        trial("backup::a_key_made_without_one_has_none", without_backup),
        trial("backup::a_wrong_so_pin_ends_it_and_the_user_stays_logged_in", a_wrong_so_pin),
        trial("destroy::only_the_key_that_is_meant_is_destroyed_and_all_of_it", only_the_key_that_is_meant),
        trial("destroy::an_interruption_at_any_object_is_gone_on_from", an_interrupted_destruction),
        trial("ceremony::the_template_is_told_as_it_was_read_back", the_template),
        trial("ceremony::it_signs_what_verifies_and_gives_random_bytes", signs_and_random),
    ]
}

fn back_up(token: &Token, key: &KeyLabel) -> WrappedKey {
    token.ceremony.borrow_mut().back_up(key, &backup_key(), &so_pin(), &user_pin()).unwrap()
}

fn restore(token: &Token, backup: &WrappedKey) -> Result<Replica, Error> {
    token.ceremony.borrow_mut().restore(backup, &backup_key())
}

fn parent(token: &Token, key: &KeyLabel) -> PublicKey {
    token.ceremony.borrow_mut().generate_parent(key, Protection::LeavesWrapped).unwrap().0
}

fn a_key_comes_back() {
    for algorithm in [Algorithm::Secp256k1, Algorithm::P256] {
        let (from, to) = (Token::new(), Token::new());
        let key = label("kept");
        let public_key = with_backup(&from, &key, algorithm);
        let backup = back_up(&from, &key);
        assert_eq!(objects(&from), seen(1, 1, 0), "and no wrap key");
        from.device().public_key(&key).unwrap();
        let file = serde_json::to_string(&backup).unwrap();
        let backup: WrappedKey = serde_json::from_str(&file).unwrap();
        assert_eq!((&backup.public_key, &backup.chain_code), (&public_key, &None));

        for made in [true, false] {
            assert_eq!(restore(&to, &backup), Ok(Replica { public_key: public_key.clone(), made }));
            assert_eq!(objects(&to), seen(1, 1, 0), "and no wrap key");
        }
        let mut device = to.device();
        assert_eq!(device.protection(&key), Ok(Protection::LeavesWrapped));
        sign(&mut *device, &key, &Verifier::new(public_key.clone()), &input(algorithm, 1));
        // What came from a backup has one again.
        assert_eq!(restore(&Token::new(), &back_up(&to, &key)), Ok(Replica { public_key, made: true }));
    }
}

fn a_family_comes_back() {
    let token = Token::new();
    let key = label("parent");
    let public_key = parent(&token, &key);
    let chain_code = token.device().chain_code(&key).unwrap();
    let backup = back_up(&token, &key);
    token.ceremony.borrow_mut().destroy_key(&key, &public_key).unwrap();
    assert_eq!(objects(&token), seen(0, 0, 0));
    assert_eq!(restore(&token, &backup), Ok(Replica { public_key, made: true }));
    assert_eq!(token.device().chain_code(&key), Ok(chain_code));
    assert_eq!(objects(&token), seen(1, 1, 1));
}

fn an_altered_backup() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("parent");
    parent(&from, &key);
    let other = with_backup(&from, &label("other"), Algorithm::Secp256k1);
    let backup = back_up(&from, &key);
    let others = serde_json::to_value(back_up(&from, &label("other"))).unwrap();
    for (member, value, words) in [
        ("wrapped", others["wrapped"].clone(), "the wrapped bytes in the backup changed"),
        ("label", "hot".into(), "the label in the backup changed"),
        ("public_key", other.to_string().into(), "the public key in the backup changed"),
        ("chain_code", "a5".repeat(32).into(), "the chain code in the backup changed"),
        ("chain_code", Value::Null, "the chain code in the backup changed"),
        ("id", "00".into(), "the place in the device"),
        ("backup_key", "00".repeat(8).into(), "wrapped under the backup key 0000000000000000"),
    ] {
        let error = restore(&to, &altered(&backup, member, value)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.disposition(), Disposition::NotSent, "{error}");
    }
    let another = BackupKey::from_secret(&[1; 32]);
    let error = to.ceremony.borrow_mut().restore(&backup, &another).unwrap_err().to_string();
    assert!(error.contains("find the shares of that one"), "{error}");
    assert_eq!(objects(&to), seen(0, 0, 0));
}

/// By somebody who has the backup key: what the token finds is what counts.
fn another_key_in_the_file() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("parent");
    parent(&from, &key);
    let backup = back_up(&from, &key);
    with_backup(&from, &label("other"), Algorithm::Secp256k1);
    let others = serde_json::to_value(back_up(&from, &label("other"))).unwrap();
    let error = restore(&to, &forged(&backup, "wrapped", others["wrapped"].clone())).unwrap_err().to_string();
    assert!(error.contains("pairwise test of key \"parent\""), "{error}");
    assert_eq!(objects(&to), seen(0, 0, 0));
    let error = restore(&to, &forged(&backup, "wrapped", "bm8ga2V5IGF0IGFsbCwgYnV0IDI0")).unwrap_err().to_string();
    assert!(error.contains("C_UnwrapKey for the replica of key \"parent\""), "{error}");
    assert_eq!(objects(&to), seen(0, 0, 0));
    restore(&to, &backup).unwrap();
}

fn what_is_there() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("taken");
    parent(&from, &key);
    let backup = back_up(&from, &key);
    let other = with_backup(&to, &key, Algorithm::Secp256k1);
    assert_eq!(restore(&to, &backup), Err(Error::KeyExists { key: key.clone() }));
    assert_eq!(to.device().public_key(&key), Ok(other));
    assert_eq!(objects(&to), seen(1, 1, 0));

    let third = Token::new();
    third.put_chain_code(&key, &[0xa5; 32]);
    let error = restore(&third, &backup).unwrap_err().to_string();
    assert!(error.contains("the chain code that waits for it"), "{error}");
    assert_eq!(objects(&third), seen(0, 0, 1));
}

fn an_interruption() {
    let (from, to) = (Token::new(), Token::new());
    let key = label("interrupted");
    let public_key = parent(&from, &key);
    let backup = back_up(&from, &key);
    restore(&to, &backup).unwrap();
    for missing in [&[ObjectClass::PRIVATE_KEY][..], &[ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY]] {
        missing.iter().for_each(|class| destroy(&to, *class, &key));
        assert_eq!(restore(&to, &backup), Ok(Replica { public_key: public_key.clone(), made: true }));
        assert_eq!(objects(&to), seen(1, 1, 1));
    }
}

fn without_backup() {
    let token = Token::new();
    let key = label("stays");
    token.generate(&key, Algorithm::Secp256k1);
    let backed_up = token.ceremony.borrow_mut().back_up(&key, &backup_key(), &so_pin(), &user_pin());
    let error = backed_up.unwrap_err().to_string();
    assert!(error.starts_with("backup of key \"stays\": it was made without a backup"), "{error}");
}

fn a_wrong_so_pin() {
    let token = Token::new();
    let key = label("kept");
    with_backup(&token, &key, Algorithm::Secp256k1);
    let wrong = Pin::new("so-271828".to_owned());
    let error = token.ceremony.borrow_mut().back_up(&key, &backup_key(), &wrong, &user_pin()).unwrap_err();
    assert!(matches!(error, Error::PinRefused { tries_left: TriesLeft::CountLow, .. }), "{error:?}");
    assert_eq!(token.ceremony.borrow_mut().list_keys().unwrap().len(), 1, "the user sees the private key");
    back_up(&token, &key);
}

fn only_the_key_that_is_meant() {
    let token = Token::new();
    let (key, beside) = (label("old"), label("beside"));
    let public_key = parent(&token, &key);
    let other = parent(&token, &beside);
    let destroy = |key, public_key| token.ceremony.borrow_mut().destroy_key(key, public_key);
    let error = destroy(&key, &other).unwrap_err();
    assert!(error.to_string().contains(&format!("its public key is {public_key}, not {other}")), "{error}");
    assert_eq!(error.disposition(), Disposition::NotSent);
    assert_eq!(objects(&token), seen(2, 2, 2));
    assert_eq!(destroy(&key, &public_key), Ok(()));
    assert_eq!(objects(&token), seen(1, 1, 1));
    assert_eq!(destroy(&key, &public_key), Err(Error::UnknownKey { key }));
    sign(&mut *token.device(), &beside, &Verifier::new(other), &input(Algorithm::Secp256k1, 1));
}

fn an_interrupted_destruction() {
    let token = Token::new();
    let key = label("old");
    for gone in [&[ObjectClass::PRIVATE_KEY][..], &[ObjectClass::PRIVATE_KEY, ObjectClass::DATA]] {
        let public_key = parent(&token, &key);
        gone.iter().for_each(|class| destroy(&token, *class, &key));
        assert_eq!(token.ceremony.borrow_mut().destroy_key(&key, &public_key), Ok(()));
        assert_eq!(objects(&token), seen(0, 0, 0));
    }
}

fn the_template() {
    let token = Token::new();
    let key = label("hot");
    token.generate(&key, Algorithm::P256);
    let facts = token.ceremony.borrow_mut().key_facts(&key).unwrap();
    let value = |name: &str| facts.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    for (name, expected) in [
        ("CKA_LABEL", "hot"),
        ("CKA_KEY_TYPE", "CKK_EC"),
        ("CKA_EC_PARAMS", "06082a8648ce3d030107"),
        ("CKA_EXTRACTABLE", "false"),
        ("CKA_NEVER_EXTRACTABLE", "true"),
        ("CKA_SENSITIVE", "true"),
        ("CKA_LOCAL", "true"),
        ("CKA_SIGN", "true"),
        ("CKA_DECRYPT", "false"),
        ("CKA_DERIVE", "false"),
        ("CKA_WRAP_WITH_TRUSTED", "false"),
    ] {
        assert_eq!(value(name), Some(expected), "{name}");
    }
    assert_eq!(value("CKA_ID").map(str::len), Some(32));
    // They are told of a key that may not serve, too.
    let unfit = label("unfit");
    token.generate_unfit(&unfit);
    let facts = token.ceremony.borrow_mut().key_facts(&unfit).unwrap();
    assert!(facts.contains(&("CKA_EXTRACTABLE".to_owned(), "true".to_owned())), "{facts:?}");
    let nobody = label("nobody");
    assert_eq!(token.ceremony.borrow_mut().key_facts(&nobody), Err(Error::UnknownKey { key: nobody.clone() }));
    assert_eq!(token.ceremony.borrow_mut().info(), token.device().info());
}

fn signs_and_random() {
    let token = Token::new();
    for algorithm in Algorithm::ALL {
        let key = label(algorithm.name());
        let public_key = token.generate(&key, algorithm);
        let input = input(algorithm, 1);
        let signature = token.ceremony.borrow_mut().sign(&key, &input).unwrap();
        let raw = hsm_types::RawSignature(signature.to_bytes());
        assert_eq!(Verifier::new(public_key).verify(&input, &raw), Ok(signature));
    }
    let error = token.ceremony.borrow_mut().sign(&label("p256"), &input(Algorithm::Ed25519, 1)).unwrap_err();
    assert!(matches!(error, Error::WrongInput { .. }), "{error}");
    let random = || token.ceremony.borrow_mut().random(32).unwrap();
    let (one, other) = (random(), random());
    assert!(one.len() == 32 && one != other);
}
