//! Which of the mechanisms that serving and ceremonies need a token has, and which curves that leaves.

use cryptoki::{
    context::Pkcs11,
    mechanism::{MechanismInfo, MechanismType},
    slot::Slot,
};
use hsm_types::Algorithm;

use crate::{
    Error,
    pkcs11::failure::call_failed,
    probe::{Curve, Examiner, Mechanism, Support},
};

/// PKCS #11 v3.0, 6.3 and 6.13.
const LOOKED_FOR: [(MechanismType, &str); 5] = [
    (MechanismType::ECDSA, "CKM_ECDSA"),
    (MechanismType::ECC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"),
    (MechanismType::EDDSA, "CKM_EDDSA"),
    (MechanismType::ECC_EDWARDS_KEY_PAIR_GEN, "CKM_EC_EDWARDS_KEY_PAIR_GEN"),
    (MechanismType::AES_KEY_WRAP_PAD, "CKM_AES_KEY_WRAP_PAD"),
];

/// Bits of the orders of the ECDSA curves that are served.
const CURVE_BITS: u64 = 256;

pub(super) fn examine(examiner: &mut Examiner<'_>, context: &Pkcs11, slot: Slot) -> Result<(), Error> {
    let failed = |error| call_failed(error, "of the token");
    let all = context.get_mechanism_list(slot).map_err(failed)?;
    let mut found = Vec::new();
    for (mechanism, name) in LOOKED_FOR.into_iter().filter(|(mechanism, _)| all.contains(mechanism)) {
        let info = context.get_mechanism_info(slot, mechanism).map_err(failed)?;
        found.push(facts(name, &info));
    }
    judge(examiner, &found);
    examiner.report.curves = Algorithm::ALL.map(|algorithm| curve(algorithm, &found)).into();
    if let Some(pkcs11) = &mut examiner.report.pkcs11 {
        pkcs11.mechanism_count = all.len() as u64;
        pkcs11.mechanisms = found;
    }
    Ok(())
}

fn facts(name: &str, info: &MechanismInfo) -> Mechanism {
    Mechanism {
        name: name.to_owned(),
        min_key_size: info.min_key_size() as u64,
        max_key_size: info.max_key_size() as u64,
        hardware: info.hardware(),
        signs: info.sign(),
        generates: info.generate_key_pair(),
        wraps: info.wrap() && info.unwrap(),
    }
}

fn named<'a>(found: &'a [Mechanism], name: &str) -> Option<&'a Mechanism> {
    found.iter().find(|mechanism| mechanism.name == name)
}

fn judge(examiner: &mut Examiner<'_>, found: &[Mechanism]) {
    match named(found, "CKM_ECDSA") {
        Some(mechanism) if mechanism.signs => examiner.works("ECDSA over digests that are given (CKM_ECDSA)"),
        _ => examiner.wrong(
            "the token does not sign with CKM_ECDSA",
            "secp256k1 and P-256 keys need it: see whether the token's policy or its FIPS mode takes it away",
        ),
    }
    match named(found, "CKM_EDDSA") {
        Some(mechanism) if mechanism.signs => examiner.works("EdDSA (CKM_EDDSA)"),
        _ => examiner.odd(
            "the token does not sign with CKM_EDDSA",
            "it can hold no Ed25519 key, so the log key in it must be on P-256",
        ),
    }
    if named(found, "CKM_EC_KEY_PAIR_GEN").is_none_or(|mechanism| !mechanism.generates) {
        examiner.odd(
            "the token does not generate EC keys (CKM_EC_KEY_PAIR_GEN)",
            "make its keys with the tools of its vendor; a key that was imported may not serve",
        );
    }
    match named(found, "CKM_AES_KEY_WRAP_PAD") {
        Some(mechanism) if mechanism.wraps => {
            examiner.works("keys made with a backup can be replicated (CKM_AES_KEY_WRAP_PAD)");
        }
        _ => examiner.odd(
            "the token does not wrap with CKM_AES_KEY_WRAP_PAD",
            "`chancery-provision key replicate` cannot bring keys into or out of it: back them up with the tools of its \
             vendor",
        ),
    }
    if !found.is_empty() && found.iter().all(|mechanism| !mechanism.hardware) {
        examiner.odd(
            "no mechanism is done by hardware (CKF_HW)",
            "where this should be an HSM, see which token the module really opens; a software token is for development",
        );
    }
}

/// The token does not say which curves it has: the sizes alone can exclude one.
fn curve(algorithm: Algorithm, found: &[Mechanism]) -> Curve {
    let possible = match algorithm {
        Algorithm::Secp256k1 | Algorithm::P256 => named(found, "CKM_ECDSA").is_some_and(|mechanism| {
            mechanism.signs && (mechanism.min_key_size..=mechanism.max_key_size).contains(&CURVE_BITS)
        }),
        Algorithm::Ed25519 => named(found, "CKM_EDDSA").is_some_and(|mechanism| mechanism.signs),
    };
    let support = if possible { Support::Possible } else { Support::Absent };
    Curve { name: algorithm.name().to_owned(), support }
}
