//! Against a chain of our own, made with OpenSSL 3: RSA root, intermediate and device as Yubico has them, a P-256 key
//! (`leaf`), and a certificate that this key signed about another (`fake`).

use x509_cert::der::Encode;

use super::*;

const ROOT: &[u8] = include_bytes!("testdata/root.der");
const INTERMEDIATE: &[u8] = include_bytes!("testdata/intermediate.der");
const DEVICE: &[u8] = include_bytes!("testdata/device.der");
const LEAF: &[u8] = include_bytes!("testdata/leaf.der");
const FAKE: &[u8] = include_bytes!("testdata/fake.der");

#[test]
fn a_whole_chain_tells_what_the_device_says() {
    let attested = verify(LEAF, &[DEVICE, INTERMEDIATE], ROOT).unwrap();
    let point = hex::decode("027f3860777801125d6dd3c79ab150be04195b11415916e10b2c748cce03ba455a").unwrap();
    let expected = Attested {
        public_key: PublicKey::decode(Algorithm::P256, &point).unwrap(),
        serial: 7_550_054,
        firmware: [2, 4, 0],
        origin: Origin::GENERATED,
        domains: Domains(1),
        capabilities: Capabilities::SIGN_ECDSA,
        id: 7,
        label: Some("hot".to_owned()),
    };
    assert_eq!(attested, expected);
}

#[test]
fn a_root_may_be_the_intermediate() {
    verify(LEAF, &[DEVICE], INTERMEDIATE).unwrap();
}

/// Certificate, issuers, root.
type Chain<'a> = (&'a [u8], &'a [&'a [u8]], &'a [u8]);

#[test]
fn a_chain_with_a_certificate_missing_doubled_or_out_of_order_is_refused() {
    let chains: &[Chain<'_>] = &[
        (LEAF, &[], ROOT),
        (LEAF, &[DEVICE], ROOT),
        (LEAF, &[INTERMEDIATE], ROOT),
        (LEAF, &[INTERMEDIATE, DEVICE], ROOT),
        (LEAF, &[DEVICE, DEVICE, INTERMEDIATE], ROOT),
        (LEAF, &[DEVICE, INTERMEDIATE], DEVICE),
        (LEAF, &[], LEAF),
        (LEAF, &[], DEVICE),
        (DEVICE, &[INTERMEDIATE], ROOT),
        (INTERMEDIATE, &[], ROOT),
        (ROOT, &[], ROOT),
        (b"", &[DEVICE, INTERMEDIATE], ROOT),
        (LEAF, &[DEVICE, b"\x30\x00"], ROOT),
    ];
    for (position, (certificate, issuers, root)) in chains.iter().enumerate() {
        assert!(verify(certificate, issuers, root).is_err(), "chain {position}");
    }
}

/// The attack: whoever may sign with a key in the device lets it sign a certificate about a key outside.
#[test]
fn a_key_in_the_device_attests_nothing() {
    let error = verify(FAKE, &[LEAF, DEVICE, INTERMEDIATE], ROOT).unwrap_err();
    assert_eq!(error, BadAttestation::NoIssuer { number: 1, reason: "for it is about a key in a device" });
    assert!(verify(FAKE, &[DEVICE, INTERMEDIATE], ROOT).is_err());
    assert!(verify(FAKE, &[], LEAF).is_err());
}

#[test]
fn a_critical_extension_nobody_knows_is_refused() {
    let mut certificate = Certificate::from_der(DEVICE).unwrap();
    for extension in certificate.tbs_certificate.extensions.as_mut().unwrap() {
        extension.critical |= extension.extn_id == FIRMWARE;
    }
    let altered = certificate.to_der().unwrap();
    let error = verify(LEAF, &[&altered, INTERMEDIATE], ROOT).unwrap_err().to_string();
    assert!(error.starts_with("attestation, certificate 1:") && error.contains("1.3.6.1.4.1.41482.4.1"), "{error}");
}

#[test]
fn no_altered_byte_is_accepted_and_none_makes_it_panic() {
    for which in 0..3 {
        let whole = [LEAF, DEVICE, INTERMEDIATE];
        for position in 0..whole[which].len() {
            let mut chain = whole.map(<[u8]>::to_vec);
            chain[which][position] ^= 1 << (position % 8);
            let [leaf, device, intermediate] = &chain;
            assert!(verify(leaf, &[device, intermediate], ROOT).is_err(), "certificate {which}, byte {position}");
        }
    }
    for cut in 0..LEAF.len() {
        assert!(verify(&LEAF[..cut], &[DEVICE, INTERMEDIATE], ROOT).is_err());
    }
}
