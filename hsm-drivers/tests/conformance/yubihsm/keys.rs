//! Keys that the ceremony made, as who serves finds them.

use hsm_drivers::{
    Device, Error, Protection,
    yubihsm2::{
        attestation,
        protocol::{Command, Label, ObjectType},
    },
};
use hsm_types::{Algorithm, Verifier};
use libtest_mimic::Trial;

use super::Plugged;
use crate::{
    backend::{input, label, sign},
    trial,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("yubihsm_keys::they_sign_and_are_as_they_were_asked_for", they_sign),
        trial("yubihsm_keys::a_parent_and_its_chain_code_share_label_and_object_id", a_parent),
        trial("yubihsm_keys::an_interrupted_parent_is_gone_on_from_with_its_chain_code", an_interrupted_parent),
        trial("yubihsm_keys::none_is_made_beside_another", none_beside_another),
        trial("yubihsm_keys::the_list_names_each_with_its_findings", the_list),
        trial("yubihsm_keys::a_full_log_is_told_and_can_be_forgotten", a_full_log),
    ]
}

fn they_sign() {
    let device = Plugged::ready(1);
    let mut ceremony = device.ceremony();
    for algorithm in Algorithm::ALL {
        for (protection, name) in [(Protection::NeverLeaves, "here"), (Protection::LeavesWrapped, "kept")] {
            let key = label(&format!("{name}-{algorithm}"));
            let public_key = ceremony.generate_key(&key, algorithm, protection).unwrap();
            let mut serving = device.device();
            assert_eq!(serving.public_key(&key), Ok(public_key.clone()));
            assert_eq!(serving.protection(&key), Ok(protection));
            assert_eq!(serving.chain_code(&key), Ok(None));
            sign(&mut serving, &key, &Verifier::new(public_key.clone()), &input(algorithm, 1));
            let certificate = serving.attestation(&key).unwrap().unwrap();
            let issuer = serving.attestation_issuer().unwrap().unwrap();
            let maker = device.line().simulator.ca_certificate();
            assert_eq!(attestation::verify(&certificate, &[&issuer], &maker).unwrap().public_key, public_key);
        }
    }
}

fn a_parent() {
    let device = Plugged::ready(1);
    let key = label("vault");
    let (public_key, chain_code) = device.ceremony().generate_parent(&key, Protection::NeverLeaves).unwrap();
    let mut serving = device.device();
    assert_eq!((serving.public_key(&key), serving.chain_code(&key)), (Ok(public_key), Ok(Some(chain_code))));
    let objects = device.objects();
    let ids: Vec<u16> =
        objects.iter().filter(|info| info.label == Label::new("vault").unwrap()).map(|i| i.id).collect();
    assert!(matches!(ids[..], [one, other] if one == other), "{ids:?}");
}

fn an_interrupted_parent() {
    let key = label("vault");
    for messages in 1.. {
        let device = Plugged::ready(1);
        let mut ceremony = device.ceremony();
        device.cut_after(messages);
        let first = ceremony.generate_parent(&key, Protection::LeavesWrapped);
        if !device.mend() {
            first.unwrap();
            assert!(messages > 8, "{messages}");
            break;
        }
        let made = device.count(ObjectType::ASYMMETRIC_KEY) == 1;
        match device.ceremony().generate_parent(&key, Protection::LeavesWrapped) {
            Ok((_, chain_code)) => assert_eq!(device.device().chain_code(&key), Ok(Some(chain_code))),
            Err(error) => assert!(made && matches!(error, Error::KeyExists { .. }), "{messages}: {error}"),
        }
        assert_eq!(device.count(ObjectType::OPAQUE), 1, "{messages}");
        assert!(device.device().chain_code(&key).unwrap().is_some(), "{messages}");
    }
}

fn none_beside_another() {
    let device = Plugged::ready(1);
    let key = label("hot");
    let mut ceremony = device.ceremony();
    let public_key = ceremony.generate_key(&key, Algorithm::Secp256k1, Protection::NeverLeaves).unwrap();
    let exists = Error::KeyExists { key: key.clone() };
    for algorithm in Algorithm::ALL {
        assert_eq!(ceremony.generate_key(&key, algorithm, Protection::LeavesWrapped), Err(exists.clone()));
    }
    assert_eq!(ceremony.generate_parent(&key, Protection::NeverLeaves), Err(exists));
    assert_eq!((device.device().public_key(&key), device.count(ObjectType::OPAQUE)), (Ok(public_key), 0));
}

fn the_list() {
    let device = Plugged::ready(1);
    let mut ceremony = device.ceremony();
    let public_key = ceremony.generate_key(&label("ed"), Algorithm::Ed25519, Protection::NeverLeaves).unwrap();
    ceremony.generate_parent(&label("vault"), Protection::LeavesWrapped).unwrap();
    // Made by somebody else: it may not sign.
    let idle = [&[0, 9][..], &Label::new("idle key").unwrap().0, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 12]].concat();
    device.administrator().run(Command::GENERATE_ASYMMETRIC_KEY, idle).unwrap();
    let mut listed = ceremony.list_keys().unwrap();
    listed.sort_by(|one, other| one.label.cmp(&other.label));
    let [ed, idle, vault] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((&ed.public_key, ed.algorithm), (&Some(public_key), Some(Algorithm::Ed25519)));
    assert!(!ed.children && !ed.backup && ed.findings.is_empty(), "{ed:?}");
    assert!(vault.children && vault.backup && vault.findings.is_empty(), "{vault:?}");
    assert_eq!((idle.label.as_str(), idle.algorithm), ("idle key", Some(Algorithm::P256)));
    assert_eq!(idle.findings, ["it may not sign (capability sign-ecdsa is missing)"]);
}

fn a_full_log() {
    let device = Plugged::ready(1);
    let mut ceremony = device.ceremony();
    let mut error = None;
    for number in 0..40 {
        let key = label(&format!("key-{number}"));
        let made = ceremony.generate_key(&key, Algorithm::P256, Protection::NeverLeaves);
        error = made.err();
        if error.is_some() {
            break;
        }
    }
    let error = error.unwrap().to_string();
    assert!(error.contains("log-full"), "{error}");
    assert_eq!(ceremony.log_room(), Ok(0));
    assert_eq!(ceremony.forget_log(), Ok(62));
    ceremony.generate_key(&label("after"), Algorithm::P256, Protection::NeverLeaves).unwrap();
    assert!(ceremony.log_room().unwrap() > 50);
}
