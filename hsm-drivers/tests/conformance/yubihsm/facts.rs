//! What a ceremony can tell of a device and of its keys.

use hsm_drivers::{
    Device, Error, Protection,
    yubihsm2::{attestation, protocol::Origin},
};
use hsm_types::{Algorithm, RawSignature, Verifier};
use libtest_mimic::Trial;

use super::Plugged;
use crate::{
    backend::{input, label},
    forged::backup_key,
    trial,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("yubihsm_facts::a_key_is_told_as_it_was_read_back", a_key_is_told),
        trial("yubihsm_facts::a_key_is_attested_down_to_its_maker", a_key_is_attested),
        trial("yubihsm_facts::it_signs_what_verifies_and_gives_random_bytes", signs_and_random),
    ]
}

fn a_key_is_told() {
    let device = Plugged::ready(1);
    let (key, kept) = (label("hot"), label("kept"));
    device.ceremony().generate_key(&key, Algorithm::Secp256k1, Protection::NeverLeaves).unwrap();
    device.ceremony().generate_key(&kept, Algorithm::Ed25519, Protection::LeavesWrapped).unwrap();
    let facts = device.ceremony().key_facts(&key).unwrap();
    let pairs: Vec<_> = facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let id = pairs[1];
    assert!(id.0 == "id" && id.1.starts_with("0x"), "{id:?}");
    let expected = [
        ("label", "hot"),
        id,
        ("type", "asymmetric-key"),
        ("algorithm", "eck256"),
        ("sequence", "0"),
        ("origin", "generated"),
        ("domains", "1"),
        ("capabilities", "sign-ecdsa"),
    ];
    assert_eq!(pairs, expected);

    let other = Plugged::ready(2);
    let backup = device.ceremony().back_up(&kept, &backup_key()).unwrap();
    other.ceremony().restore(&backup, &backup_key()).unwrap();
    let facts = other.ceremony().key_facts(&kept).unwrap();
    for (name, value) in [("origin", "generated,wrapped"), ("capabilities", "sign-eddsa,exportable-under-wrap")] {
        assert!(facts.contains(&(name.to_owned(), value.to_owned())), "{facts:?}");
    }
    let nobody = label("nobody");
    assert_eq!(device.ceremony().key_facts(&nobody), Err(Error::UnknownKey { key: nobody.clone() }));
    assert_eq!(device.ceremony().info(), device.device().info());
}

fn a_key_is_attested() {
    let device = Plugged::ready(1);
    let maker = device.line().simulator.ca_certificate();
    for algorithm in Algorithm::ALL {
        let key = label(algorithm.name());
        let public_key = device.ceremony().generate_key(&key, algorithm, Protection::NeverLeaves).unwrap();
        let certificates = device.ceremony().attest(&key).unwrap();
        let [certificate, issuer] = &certificates[..] else { panic!("{} certificates", certificates.len()) };
        let attested = attestation::verify(certificate, &[issuer], &maker).unwrap();
        assert_eq!((attested.public_key, attested.origin, attested.serial), (public_key, Origin::GENERATED, 1));
        assert!(attestation::verify_link(certificate, certificate).is_err());
    }
    let other = Plugged::ready(2);
    let key = label("p256");
    other.ceremony().generate_key(&key, Algorithm::P256, Protection::NeverLeaves).unwrap();
    let issuer = device.ceremony().attest(&key).unwrap().remove(1);
    assert!(attestation::verify_link(&other.ceremony().attest(&key).unwrap()[0], &issuer).is_err());
}

fn signs_and_random() {
    let device = Plugged::ready(1);
    let mut ceremony = device.ceremony();
    for algorithm in Algorithm::ALL {
        let key = label(algorithm.name());
        let public_key = ceremony.generate_key(&key, algorithm, Protection::NeverLeaves).unwrap();
        let input = input(algorithm, 1);
        let signature = ceremony.sign(&key, &input).unwrap();
        let raw = RawSignature(signature.to_bytes());
        assert_eq!(Verifier::new(public_key).verify(&input, &raw), Ok(signature));
    }
    let error = ceremony.sign(&label("p256"), &input(Algorithm::Ed25519, 1)).unwrap_err();
    assert!(matches!(error, Error::WrongInput { .. }), "{error}");
    let (one, other) = (ceremony.random(32).unwrap(), ceremony.random(32).unwrap());
    assert!(one.len() == 32 && one != other);
}
