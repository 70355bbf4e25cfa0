//! What only a PKCS#11 token can show.

use std::fs;

use cryptoki::object::{Attribute, ObjectClass};
use hsm_drivers::{
    Device, Disposition, Error, Pin, Protection, TriesLeft,
    pkcs11::{
        self,
        ceremony::{Ceremony, initialize_token},
    },
};
use hsm_types::{Algorithm, Verifier};
use libtest_mimic::Trial;

use crate::{
    backend::{Backend, input, label, sign},
    softhsm::{Token, initialize, module, user_pin},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("pkcs11::a_wrong_pin_is_refused_and_says_what_is_left", a_wrong_pin_is_refused_and_says_what_is_left),
        trial("pkcs11::a_stale_handle_is_searched_again", a_stale_handle_is_searched_again),
        trial("pkcs11::a_session_logged_out_is_broken", a_session_logged_out_is_broken),
        trial("pkcs11::a_token_that_is_gone_has_no_unknown_keys", a_token_that_is_gone_has_no_unknown_keys),
        trial("pkcs11::a_token_is_found_by_label_and_serial", a_token_is_found_by_label_and_serial),
        trial("pkcs11::a_module_that_is_none_is_told_by_its_path", a_module_that_is_none_is_told_by_its_path),
        trial("pkcs11::the_ceremony_overwrites_nothing", the_ceremony_overwrites_nothing),
        trial("pkcs11::a_token_that_is_gone_has_not_lost_its_chain_codes", a_token_that_is_gone_keeps_its_chain_codes),
        trial("pkcs11::a_chain_code_that_is_open_or_not_fixed_is_refused", a_chain_code_that_is_open_or_not_fixed),
        trial("pkcs11::a_chain_code_cannot_be_changed_nor_read_without_login", a_chain_code_is_fixed_and_private),
        trial("pkcs11::an_interrupted_ceremony_goes_on_with_its_chain_code", an_interrupted_ceremony_goes_on),
        trial("pkcs11::a_key_made_without_children_gets_none_later", a_key_made_without_children_gets_none_later),
        trial("pkcs11::every_private_key_is_listed", every_private_key_is_listed),
    ]
}

fn a_wrong_pin_is_refused_and_says_what_is_left() {
    initialize("wrong pin");
    let token = pkcs11::Token::find(&module(), "wrong pin", None).unwrap();
    let error = token.log_in(&Pin::new("314159".to_owned())).unwrap_err();
    assert!(matches!(error, Error::PinRefused { tries_left: TriesLeft::CountLow, .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "login to token \"wrong pin\" (CKR_PIN_INCORRECT): the PIN was refused; the token says that fewer tries are \
         left than at first, not how many; it is not tried again: put the right PIN where the configuration says, then \
         start again"
    );
    assert!(error.needs_operator());
    assert_eq!(error.disposition(), Disposition::Refused);
    // The right one still opens it.
    token.log_in(&user_pin()).unwrap();
}

fn a_stale_handle_is_searched_again() {
    let token = Token::new();
    let key = label("stale");
    let verifier = Verifier::new(token.generate(&key, Algorithm::Secp256k1));
    let mut device = token.device();
    sign(&mut *device, &key, &verifier, &input(Algorithm::Secp256k1, 0));
    // Logging out makes every handle of a private object stale, in all sessions; the key is still there.
    let session = token.raw_session();
    session.logout().unwrap();
    session.login(cryptoki::session::UserType::User, Some(&crate::softhsm::USER_PIN.into())).unwrap();
    sign(&mut *device, &key, &verifier, &input(Algorithm::Secp256k1, 1));
}

fn a_session_logged_out_is_broken() {
    let token = Token::new();
    let key = label("logged-out");
    token.generate(&key, Algorithm::P256);
    let (mut device, mut idle) = (token.device(), token.device());
    device.sign(&key, &input(Algorithm::P256, 0)).unwrap();
    token.raw_session().logout().unwrap();
    for error in [device.sign(&key, &input(Algorithm::P256, 1)), idle.sign(&key, &input(Algorithm::P256, 1))] {
        let error = error.unwrap_err();
        assert_eq!(error.disposition(), Disposition::Broken, "{error}");
    }
}

/// Its objects are not found, which must not be taken for keys that were deleted.
fn a_token_that_is_gone_has_no_unknown_keys() {
    let token = Token::new();
    let key = label("gone");
    token.generate(&key, Algorithm::P256);
    let (mut device, mut idle) = (token.device(), token.device());
    device.sign(&key, &input(Algorithm::P256, 0)).unwrap();
    let (directory, away) = (token.directory(), token.away());
    fs::rename(&directory, &away).unwrap();
    for error in [device.sign(&key, &input(Algorithm::P256, 1)), idle.sign(&key, &input(Algorithm::P256, 1))] {
        let error = error.unwrap_err();
        assert_eq!(error.disposition(), Disposition::Broken, "{error}");
    }
    fs::rename(&away, &directory).unwrap();
}

fn a_token_is_found_by_label_and_serial() {
    let token = Token::new();
    let error = pkcs11::Token::find(&module(), &token.label, Some("0123456789abcdef")).unwrap_err();
    assert!(matches!(error, Error::TokenNotFound { .. }), "{error}");
    assert!(error.to_string().contains(&token.serial), "it names those that are there: {error}");
    assert!(!error.needs_operator(), "it may be plugged in again");
    assert_eq!(token.found().log_in(&user_pin()).unwrap().info().unwrap().serial, token.serial);
}

fn a_module_that_is_none_is_told_by_its_path() {
    let error = pkcs11::Token::find("/nonexistent/module.so".as_ref(), "t", None).unwrap_err();
    assert!(error.to_string().starts_with("loading PKCS#11 module /nonexistent/module.so: "), "{error}");
    assert_eq!(error.disposition(), Disposition::NotSent);
}

fn the_ceremony_overwrites_nothing() {
    let token = Token::new();
    let pin = || Pin::new("123456".to_owned());
    let error = initialize_token(&module(), &token.label, &pin(), &pin()).unwrap_err();
    assert!(matches!(error, Error::TokenExists { .. }), "{error}");
    let error = initialize_token(&module(), &"l".repeat(33), &pin(), &pin()).unwrap_err();
    assert!(error.to_string().contains("1 to 32 bytes"), "{error}");

    let key = label("once");
    token.generate(&key, Algorithm::P256);
    let error =
        token.ceremony.borrow_mut().generate_key(&key, Algorithm::Ed25519, Protection::NeverLeaves).unwrap_err();
    assert_eq!(error, Error::KeyExists { key });
}

fn a_token_that_is_gone_keeps_its_chain_codes() {
    let token = Token::new();
    let key = label("parent");
    token.generate_parent(&key);
    let mut device = token.device();
    let (directory, away) = (token.directory(), token.away());
    fs::rename(&directory, &away).unwrap();
    let error = device.chain_code(&key).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Broken, "{error}");
    fs::rename(&away, &directory).unwrap();

    let token = Token::new();
    token.generate_parent(&key);
    let mut device = token.device();
    token.raw_session().logout().unwrap();
    let error = device.chain_code(&key).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Broken, "{error}");
}

fn a_chain_code_that_is_open_or_not_fixed() {
    let token = Token::new();
    for (name, private, modifiable, word) in
        [("open", false, false, "CKA_PRIVATE"), ("not-fixed", true, true, "CKA_MODIFIABLE")]
    {
        let key = label(name);
        token.generate(&key, Algorithm::Secp256k1);
        token.put_raw_chain_code(&key, &[0xa5; 32], private, modifiable);
        let error = token.device().chain_code(&key).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

fn a_chain_code_is_fixed_and_private() {
    let token = Token::new();
    let key = label("parent");
    token.generate_parent(&key);
    let wanted = [Attribute::Class(ObjectClass::DATA), Attribute::Label(key.as_str().into())];
    let session = token.raw_session();
    let [object] = session.find_objects(&wanted).unwrap()[..] else { panic!("not one") };
    assert!(session.update_attributes(object, &[Attribute::Value(vec![7; 32])]).is_err());
    session.logout().unwrap();
    assert_eq!(session.find_objects(&wanted).unwrap(), []);
}

fn an_interrupted_ceremony_goes_on() {
    let token = Token::new();
    let key = label("interrupted");
    token.put_chain_code(&key, &[0xa5; 32]);
    assert_eq!(token.generate_parent(&key).1.as_bytes(), &[0xa5; 32]);

    let key = label("two-wait");
    token.put_chain_code(&key, &[1; 32]);
    token.put_chain_code(&key, &[2; 32]);
    let error = token.ceremony.borrow_mut().generate_parent(&key, Protection::NeverLeaves).unwrap_err();
    assert!(error.to_string().contains("it has 2 chain codes, not one"), "{error}");
    assert_eq!(token.device().public_key(&key), Err(Error::UnknownKey { key }), "no key was made");
}

fn a_key_made_without_children_gets_none_later() {
    let token = Token::new();
    let key = label("single");
    token.generate(&key, Algorithm::Secp256k1);
    let error = token.ceremony.borrow_mut().generate_parent(&key, Protection::NeverLeaves).unwrap_err();
    assert_eq!(error, Error::KeyExists { key: key.clone() });
    assert_eq!(token.device().chain_code(&key).unwrap(), None);
}

fn every_private_key_is_listed() {
    let token = Token::new();
    for algorithm in Algorithm::ALL {
        token.generate(&label(algorithm.name()), algorithm);
    }
    let kept_twice = label("kept-twice");
    token.ceremony.borrow_mut().generate_key(&kept_twice, Algorithm::P256, Protection::LeavesWrapped).unwrap();
    token.generate_parent(&label("parent"));
    token.generate_parent(&label("twofold"));
    token.put_chain_code(&label("twofold"), &[0xa5; 32]);
    token.generate_unfit(&label("unfit"));
    let mut listed = Ceremony::open(&module(), &token.label, None, &user_pin()).unwrap().list_keys().unwrap();
    listed.sort_by(|one, other| one.label.cmp(&other.label));
    let labels: Vec<&str> = listed.iter().map(|key| key.label.as_str()).collect();
    assert_eq!(labels, ["ed25519", "kept-twice", "p256", "parent", "secp256k1", "twofold", "unfit"]);
    for key in &listed {
        assert!(key.public_key.is_some() && key.algorithm.is_some(), "{key:?}");
        assert_eq!(key.findings.is_empty(), !["twofold", "unfit"].contains(&&*key.label), "{key:?}");
        assert_eq!(key.children, key.label == "parent", "{key:?}");
        assert_eq!(key.backup, key.label == "kept-twice", "{key:?}");
    }
}
