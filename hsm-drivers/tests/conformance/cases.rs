//! What holds for every device.

use std::thread;

use hsm_drivers::{Disposition, Error, LONGEST_ANCHOR, Protection};
use hsm_types::{Algorithm, RawSignature, ToSign, Verifier};
use libtest_mimic::Trial;

use crate::{
    backend::{Backend, input, label, sign},
    trial,
};

type Case = (&'static str, fn(&dyn Backend));

const CASES: &[Case] = &[
    ("it_says_what_it_is", it_says_what_it_is),
    ("every_algorithm_signs_and_verifies", every_algorithm_signs_and_verifies),
    ("released_signatures_are_low_s", released_signatures_are_low_s),
    ("an_unknown_label_is_an_unknown_key", an_unknown_label_is_an_unknown_key),
    ("two_objects_of_one_label_are_ambiguous", two_objects_of_one_label_are_ambiguous),
    ("the_wrong_kind_of_input_is_not_sent", the_wrong_kind_of_input_is_not_sent),
    ("a_message_of_the_limit_is_signed_and_one_over_it_is_not", messages_at_the_limit),
    ("a_deleted_key_signs_nothing", a_deleted_key_signs_nothing),
    ("another_key_under_the_same_label_is_refused", another_key_under_the_same_label_is_refused),
    ("a_key_that_may_do_too_much_is_unfit", a_key_that_may_do_too_much_is_unfit),
    ("a_chain_code_is_read_back_and_absent_is_none", a_chain_code_is_read_back_and_absent_is_none),
    ("two_chain_codes_are_refused", two_chain_codes_are_refused),
    ("a_chain_code_of_another_length_is_refused", a_chain_code_of_another_length_is_refused),
    ("an_anchor_is_read_back_by_every_session_and_none_is_none", an_anchor_is_read_back),
    ("an_anchor_too_long_is_not_written", an_anchor_too_long_is_not_written),
    ("a_childs_signature_is_its_own_and_not_its_parents", a_childs_signature_is_its_own),
    ("two_sessions_sign_two_hundred_times", two_sessions_sign_two_hundred_times),
];

pub(crate) fn trials(backend: &'static str, open: fn() -> Box<dyn Backend>) -> impl Iterator<Item = Trial> {
    CASES.iter().map(move |(name, case)| trial(format!("{backend}::{name}"), move || case(&*open())))
}

fn it_says_what_it_is(backend: &dyn Backend) {
    let info = backend.device().info().unwrap();
    assert_eq!(info.longest_message, backend.longest_message());
    assert!(!info.serial.is_empty() && !info.manufacturer.is_empty() && !info.firmware.is_empty(), "{info:?}");
}

fn every_algorithm_signs_and_verifies(backend: &dyn Backend) {
    for algorithm in Algorithm::ALL {
        let key = label(algorithm.name());
        let public_key = backend.generate(&key, algorithm);
        let mut device = backend.device();
        assert_eq!(device.public_key(&key).unwrap(), public_key);
        assert_eq!(device.protection(&key), Ok(Protection::NeverLeaves));
        let verifier = Verifier::new(public_key);
        for number in 0..8 {
            sign(&mut *device, &key, &verifier, &input(algorithm, number));
        }
    }
}

fn released_signatures_are_low_s(backend: &dyn Backend) {
    for algorithm in [Algorithm::Secp256k1, Algorithm::P256] {
        let key = label(algorithm.name());
        let verifier = Verifier::new(backend.generate(&key, algorithm));
        let mut device = backend.device();
        for number in 0..32 {
            let signature = sign(&mut *device, &key, &verifier, &input(algorithm, number));
            // Half of either curve's order begins with 0x7f.
            assert!(signature.to_bytes()[32] < 0x80);
        }
    }
}

fn an_unknown_label_is_an_unknown_key(backend: &dyn Backend) {
    let key = label("nobody");
    let unknown = Error::UnknownKey { key: key.clone() };
    assert_eq!(backend.device().public_key(&key), Err(unknown.clone()));
    assert_eq!(backend.device().protection(&key), Err(unknown.clone()));
    assert_eq!(backend.device().sign(&key, &input(Algorithm::P256, 0)), Err(unknown.clone()));
    assert_eq!(unknown.disposition(), Disposition::NotSent);
}

fn two_objects_of_one_label_are_ambiguous(backend: &dyn Backend) {
    let key = label("twin");
    backend.generate(&key, Algorithm::P256);
    backend.generate_twin(&key);
    let error = backend.device().sign(&key, &input(Algorithm::P256, 0)).unwrap_err();
    assert_eq!(error, Error::AmbiguousKey { key });
    assert!(error.needs_operator());
}

fn the_wrong_kind_of_input_is_not_sent(backend: &dyn Backend) {
    for (algorithm, wrong) in [
        (Algorithm::Secp256k1, Algorithm::Ed25519),
        (Algorithm::P256, Algorithm::Ed25519),
        (Algorithm::Ed25519, Algorithm::P256),
    ] {
        let key = label(algorithm.name());
        backend.generate(&key, algorithm);
        let mut device = backend.device();
        let error = device.sign(&key, &input(wrong, 0)).unwrap_err();
        assert!(matches!(error, Error::WrongInput { .. }), "{error}");
        assert_eq!(error.disposition(), Disposition::NotSent);
        device.sign(&key, &input(algorithm, 0)).unwrap();
    }
}

fn messages_at_the_limit(backend: &dyn Backend) {
    let key = label("ed25519");
    let verifier = Verifier::new(backend.generate(&key, Algorithm::Ed25519));
    let mut device = backend.device();
    for length in [0, 1, backend.longest_message()] {
        sign(&mut *device, &key, &verifier, &ToSign::Message(vec![0xa5; length]));
    }
    let error = device.sign(&key, &ToSign::Message(vec![0xa5; backend.longest_message() + 1])).unwrap_err();
    assert!(matches!(error, Error::WrongInput { .. }), "{error}");
    sign(&mut *device, &key, &verifier, &ToSign::Message(b"and it still signs".to_vec()));
}

fn a_deleted_key_signs_nothing(backend: &dyn Backend) {
    let key = label("short-lived");
    backend.generate(&key, Algorithm::P256);
    let mut device = backend.device();
    device.sign(&key, &input(Algorithm::P256, 0)).unwrap();
    backend.delete(&key);
    let error = device.sign(&key, &input(Algorithm::P256, 1)).unwrap_err();
    assert_ne!(error.disposition(), Disposition::OutcomeUnknown, "{error}");
    assert_eq!(backend.device().public_key(&key), Err(Error::UnknownKey { key }));
}

fn another_key_under_the_same_label_is_refused(backend: &dyn Backend) {
    let key = label("replaced");
    backend.generate(&key, Algorithm::Secp256k1);
    let mut device = backend.device();
    device.sign(&key, &input(Algorithm::Secp256k1, 0)).unwrap();
    backend.delete(&key);
    let other = backend.generate(&key, Algorithm::Secp256k1);
    for _ in 0..2 {
        let error = device.sign(&key, &input(Algorithm::Secp256k1, 1)).unwrap_err();
        let Error::KeyUnfit { findings, .. } = &error else { panic!("{error}") };
        assert!(findings[0].contains(&other.to_string()), "{error}");
        assert!(error.needs_operator());
    }
    assert!(device.public_key(&key).is_err());
}

fn a_key_that_may_do_too_much_is_unfit(backend: &dyn Backend) {
    let key = label("unfit");
    let words = backend.generate_unfit(&key);
    let mut device = backend.device();
    let refused = [
        device.public_key(&key).unwrap_err(),
        device.protection(&key).unwrap_err(),
        device.sign(&key, &input(Algorithm::P256, 0)).unwrap_err(),
    ];
    for error in refused {
        let Error::KeyUnfit { findings, .. } = &error else { panic!("{error}") };
        assert_eq!(findings.len(), words.len(), "{findings:?}");
        for word in words {
            assert!(findings.iter().any(|finding| finding.contains(word)), "{word} in {findings:?}");
        }
        assert!(error.needs_operator());
        assert_eq!(error.disposition(), Disposition::NotSent);
    }
}

fn a_chain_code_is_read_back_and_absent_is_none(backend: &dyn Backend) {
    let (parent, single) = (label("parent"), label("single"));
    let (public_key, chain_code) = backend.generate_parent(&parent);
    let (other, other_code) = backend.generate_parent(&label("other"));
    backend.generate(&single, Algorithm::Secp256k1);
    let mut device = backend.device();
    assert_eq!(device.public_key(&parent).unwrap(), public_key);
    assert_eq!(device.chain_code(&parent).unwrap(), Some(chain_code.clone()));
    assert_eq!(device.chain_code(&single).unwrap(), None);
    assert!(other != public_key && other_code != chain_code, "each has its own");
}

fn two_chain_codes_are_refused(backend: &dyn Backend) {
    let key = label("doubled");
    let (_, chain_code) = backend.generate_parent(&key);
    // The same value twice is no better: nobody can tell which is deleted next.
    backend.put_chain_code(&key, chain_code.as_bytes());
    let error = backend.device().chain_code(&key).unwrap_err();
    assert!(error.to_string().contains("it has 2 chain codes, not one"), "{error}");
    assert!(error.needs_operator());
}

fn a_chain_code_of_another_length_is_refused(backend: &dyn Backend) {
    for length in [1, 31, 33] {
        let key = label(&format!("length-{length}"));
        backend.generate(&key, Algorithm::Secp256k1);
        backend.put_chain_code(&key, &vec![0xa5; length]);
        let error = backend.device().chain_code(&key).unwrap_err();
        assert!(error.to_string().contains(&format!("its chain code has {length} bytes, not 32")), "{error}");
        assert!(error.needs_operator());
    }
}

fn an_anchor_is_read_back(backend: &dyn Backend) {
    let (mut device, mut another) = (backend.device(), backend.device());
    assert_eq!(device.read_anchor(), Ok(None));
    for number in 0..6_u8 {
        let anchor = vec![number; usize::from(number) * 51];
        device.write_anchor(&anchor).unwrap();
        for reader in [&mut device, &mut another, &mut backend.device()] {
            assert_eq!(reader.read_anchor(), Ok(Some(anchor.clone())), "after writing {number}");
        }
    }
    another.write_anchor(b"of another session").unwrap();
    assert_eq!(device.read_anchor().unwrap().unwrap(), b"of another session");
}

fn an_anchor_too_long_is_not_written(backend: &dyn Backend) {
    let mut device = backend.device();
    device.write_anchor(&[7; LONGEST_ANCHOR]).unwrap();
    let error = device.write_anchor(&[8; LONGEST_ANCHOR + 1]).unwrap_err();
    assert_eq!(error.disposition(), Disposition::NotSent, "{error}");
    assert_eq!(device.read_anchor().unwrap().unwrap(), [7; LONGEST_ANCHOR]);
}

fn a_childs_signature_is_its_own(backend: &dyn Backend) {
    let key = label("parent");
    let (public_key, chain_code) = backend.generate_parent(&key);
    let mut device = backend.device();
    let verifier = Verifier::new(public_key);
    for index in [0, 1, 17, 2_147_483_647] {
        let child = verifier.child(&chain_code, index).unwrap();
        for number in 0..8 {
            let ToSign::Digest(digest) = input(Algorithm::Secp256k1, number) else { panic!("a digest") };
            let raw = device.sign(&key, &child.to_sign(&digest)).unwrap();
            let signature = verifier.verify_child(&child, &digest, &raw).unwrap();
            let (input, released) = (ToSign::Digest(digest), RawSignature(signature.to_bytes()));
            // As anyone would who knows nothing of families.
            assert_eq!(Verifier::new(child.public_key().clone()).verify(&input, &released), Ok(signature));
            assert!(verifier.verify(&input, &released).is_err());
        }
    }
}

fn two_sessions_sign_two_hundred_times(backend: &dyn Backend) {
    let key = label("busy");
    let verifier = Verifier::new(backend.generate(&key, Algorithm::P256));
    let devices = [backend.device(), backend.device()];
    thread::scope(|scope| {
        for (session, mut device) in devices.into_iter().enumerate() {
            let (key, verifier) = (&key, &verifier);
            scope.spawn(move || {
                for number in 0..100 {
                    sign(&mut *device, key, verifier, &input(Algorithm::P256, session * 100 + number));
                }
            });
        }
    });
}
