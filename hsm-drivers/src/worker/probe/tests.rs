use std::path::PathBuf;

use hsm_types::{Digest, ToSign};

use super::*;
use crate::{
    DeviceInfo, Pin, Protection, TriesLeft,
    probe::{Curve, KeyFacts, Mechanism, Pkcs11Facts, Rate, Sessions, Signing, Support, TokenFacts, YubihsmFacts},
};

fn text(number: u8) -> String {
    format!("text {number}")
}

fn pkcs11() -> Pkcs11Facts {
    let token = TokenFacts {
        pin_tries: TriesLeft::CountLow,
        pin_initialized: true,
        login_required: false,
        protected_authentication_path: true,
        write_protected: false,
        most_sessions: Some(5),
        open_sessions: None,
    };
    let name = text(5);
    let mechanism = Mechanism {
        name,
        min_key_size: 6,
        max_key_size: 7,
        hardware: true,
        signs: false,
        generates: true,
        wraps: false,
    };
    Pkcs11Facts {
        cryptoki_version: text(1),
        library_manufacturer: text(2),
        library_description: text(3),
        library_version: text(4),
        token: Some(token),
        mechanism_count: 8,
        mechanisms: vec![mechanism],
    }
}

fn yubihsm() -> YubihsmFacts {
    YubihsmFacts {
        algorithms: vec![text(1), text(2)],
        log_used: 3,
        log_capacity: 4,
        unlogged: Some(5),
        force_audit: Some(text(6)),
        audited: vec![text(7)],
        audited_for_ever: vec![text(8)],
        authentication_key: 9,
        domains: text(10),
        capabilities: text(11),
        delegated_capabilities: text(12),
        has_key_1: Some(true),
    }
}

/// Every field another value than its neighbour.
fn report() -> Report {
    let device = DeviceInfo {
        driver: text(1),
        manufacturer: text(2),
        model: text(3),
        serial: text(4),
        firmware: text(5),
        label: text(6),
        longest_message: 7,
    };
    let key = KeyFacts {
        label: text(1),
        algorithm: Some(text(2)),
        public_key: None,
        protection: Some(Protection::LeavesWrapped),
        point_form: Some(text(3)),
        params_form: Some(text(4)),
        unfit: vec![text(5)],
    };
    let supports = [Support::Used, Support::Named, Support::Possible, Support::Absent];
    let levels = [Level::Works, Level::Odd, Level::Wrong];
    let rates = vec![Rate { sessions: 1, per_second: 2 }];
    Report {
        device: Some(device),
        pkcs11: Some(pkcs11()),
        yubihsm: Some(yubihsm()),
        curves: supports.map(|support| Curve { name: text(1), support }).into(),
        keys: vec![key],
        other_keys: 3,
        sessions: Some(Sessions { opened: 4, refusal: Some(text(1)) }),
        signing: Some(Signing { algorithm: text(1), signatures: 2, made: 3, high_s: 4, p50_us: 5, p99_us: 6, rates }),
        findings: levels.map(|level| Finding { level, what: text(1), advice: Some(text(2)) }).into(),
    }
}

fn encoded(value: &impl Wire) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

#[test]
fn a_report_arrives_as_it_was_told() {
    let error = Error::WorkerGone { reason: text(1) };
    for next in [Next::Doing(text(1)), Next::Done(Ok(())), Next::Done(Err(error.clone()))] {
        let bytes = encoded(&Told { report: report(), next });
        let told: Told = Bytes::decode_all(&bytes).unwrap();
        assert_eq!(told.report, report());
        assert_eq!(encoded(&told), bytes);
        for cut in 0..bytes.len() {
            assert!(Bytes::decode_all::<Told>(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}

#[test]
fn a_question_arrives_with_its_opening_and_never_outgrows_its_frame() {
    let inputs = vec![ToSign::Digest(Digest([7; 32])), ToSign::Message(vec![1; 40])];
    let key = "chancery-self-test".parse().unwrap();
    let question = Question { key, inputs, signatures: Some(9), shared: true };
    let pin = Pin::new("secret-pin".to_owned());
    let driver = Driver::Pkcs11 { module: PathBuf::from("/m.so"), label: text(1), serial: None, pin };
    let opening = Opening { sessions: 4, forbidden: vec![PathBuf::from("/state")], driver };
    let capacity = opening.capacity() + question.capacity();
    let frame = frame::encode_secret(capacity, &First::Probe(opening, question.clone())).unwrap();
    assert!(frame.len() <= capacity);
    let First::Probe(opening, arrived) = Bytes::decode_all(&frame[4..]).unwrap() else { unreachable!("a question") };
    assert_eq!(arrived, question);
    let Driver::Pkcs11 { pin, .. } = &opening.driver else { unreachable!("a PKCS#11 opening") };
    assert_eq!(pin.expose(), "secret-pin");
    // Without a question it is an opening, as before.
    let bytes = encoded(&opening);
    assert!(matches!(Bytes::decode_all(&bytes), Ok(First::Opening(_))));
}
