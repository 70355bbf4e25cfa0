//! Compared with the libraries' own verification, on valid signatures and on every kind of wrong one.

use k256::ecdsa::signature::hazmat::PrehashVerifier;
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};

use super::*;
use crate::Digest;

fn random_digest(rng: &mut StdRng) -> Digest {
    let mut digest = [0; 32];
    rng.fill_bytes(&mut digest);
    Digest(digest)
}

fn secp256k1_pair(rng: &mut StdRng) -> (k256::ecdsa::SigningKey, Verifier) {
    let signing = k256::ecdsa::SigningKey::random(rng);
    let verifier = Verifier::new(PublicKey::Secp256k1(signing.verifying_key().into()));
    (signing, verifier)
}

#[test]
fn secp256k1_agrees_with_the_library_and_recovers_the_key() {
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..8 {
        let (signing, verifier) = secp256k1_pair(&mut rng);
        for _ in 0..40 {
            let digest = random_digest(&mut rng);
            let (signature, recovery) = signing.sign_prehash_recoverable(&digest.0).unwrap();
            let low: [u8; 64] = signature.to_bytes().into();
            // A token gives either of the two: (r, s) or (r, n - s).
            let high = k256::ecdsa::Signature::from_scalars(signature.r().to_bytes(), (-*signature.s()).to_bytes());
            for raw in [low, high.unwrap().to_bytes().into()] {
                let verified = verifier.verify(&ToSign::Digest(digest), &RawSignature(raw)).unwrap();
                assert_eq!(verified.to_bytes(), low);
                assert_eq!(verified.recovery_id(), Some(recovery.to_byte()));
                assert_eq!(verified.to_der().unwrap(), signature.to_der().as_bytes());
            }
        }
    }
}

#[test]
fn p256_agrees_with_the_library() {
    let mut rng = StdRng::seed_from_u64(2);
    let signing = p256::ecdsa::SigningKey::random(&mut rng);
    let verifier = Verifier::new(PublicKey::P256(signing.verifying_key().into()));
    for _ in 0..40 {
        let digest = random_digest(&mut rng);
        let (signature, _) = signing.sign_prehash_recoverable(&digest.0).unwrap();
        let verified = verifier.verify(&ToSign::Digest(digest), &RawSignature(signature.to_bytes().into())).unwrap();
        let signature = p256::ecdsa::Signature::from_slice(&verified.to_bytes()).unwrap();
        assert_eq!(signature.normalize_s(), None, "s is in the lower half");
        signing.verifying_key().verify_prehash(&digest.0, &signature).unwrap();
        let recovery = k256::ecdsa::RecoveryId::from_byte(verified.recovery_id().unwrap()).unwrap();
        let recovered = p256::ecdsa::VerifyingKey::recover_from_prehash(&digest.0, &signature, recovery).unwrap();
        assert_eq!(&recovered, signing.verifying_key());
    }
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let mut rng = StdRng::seed_from_u64(3);
    let (signing, verifier) = secp256k1_pair(&mut rng);
    let digest = random_digest(&mut rng);
    let raw: [u8; 64] = signing.sign_prehash_recoverable(&digest.0).unwrap().0.to_bytes().into();
    for bit in 0..512 {
        let mut raw = raw;
        raw[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verifier.verify(&ToSign::Digest(digest), &RawSignature(raw)), Err(NotValid), "bit {bit}");
    }
    for bit in 0..256 {
        let mut digest = digest;
        digest.0[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verifier.verify(&ToSign::Digest(digest), &RawSignature(raw)), Err(NotValid), "bit {bit}");
    }
}

#[test]
fn zero_and_out_of_range_scalars_are_refused() {
    let mut rng = StdRng::seed_from_u64(4);
    let (signing, verifier) = secp256k1_pair(&mut rng);
    let digest = random_digest(&mut rng);
    let raw: [u8; 64] = signing.sign_prehash_recoverable(&digest.0).unwrap().0.to_bytes().into();
    for half in [0..32, 32..64] {
        for value in [0x00, 0xff] {
            let mut raw = raw;
            raw[half.clone()].fill(value);
            assert_eq!(verifier.verify(&ToSign::Digest(digest), &RawSignature(raw)), Err(NotValid));
        }
    }
}

#[test]
fn random_bytes_are_judged_as_the_library_judges_them() {
    let mut rng = StdRng::seed_from_u64(5);
    let (signing, verifier) = secp256k1_pair(&mut rng);
    for _ in 0..2_000 {
        let digest = random_digest(&mut rng);
        let mut raw = [0; 64];
        rng.fill_bytes(&mut raw);
        if rng.gen_bool(0.5) {
            raw = signing.sign_prehash_recoverable(&random_digest(&mut rng).0).unwrap().0.to_bytes().into();
        }
        let library = k256::ecdsa::Signature::from_slice(&raw)
            .is_ok_and(|signature| signing.verifying_key().verify_prehash(&digest.0, &signature).is_ok());
        assert_eq!(verifier.verify(&ToSign::Digest(digest), &RawSignature(raw)).is_ok(), library);
    }
}

#[test]
fn a_key_takes_only_the_input_its_algorithm_signs() {
    let mut rng = StdRng::seed_from_u64(6);
    let (signing, verifier) = secp256k1_pair(&mut rng);
    let digest = random_digest(&mut rng);
    let raw: [u8; 64] = signing.sign_prehash_recoverable(&digest.0).unwrap().0.to_bytes().into();
    assert_eq!(verifier.verify(&ToSign::Message(digest.0.to_vec()), &RawSignature(raw)), Err(NotValid));
}

/// The figure of docs/performance.md: `cargo test --release -p hsm-types -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_verification() {
    let mut rng = StdRng::seed_from_u64(7);
    let (signing, verifier) = secp256k1_pair(&mut rng);
    let digest = random_digest(&mut rng);
    let signature = signing.sign_prehash_recoverable(&digest.0).unwrap().0;
    let raw = RawSignature(signature.to_bytes().into());
    let input = ToSign::Digest(digest);
    let p256_signing = p256::ecdsa::SigningKey::random(&mut rng);
    let p256_verifier = Verifier::new(PublicKey::P256(p256_signing.verifying_key().into()));
    let p256_signature = p256_signing.sign_prehash_recoverable(&digest.0).unwrap().0;
    let p256_raw = RawSignature(p256_signature.to_bytes().into());
    let time = |name: &str, work: &dyn Fn() -> bool| {
        let best = (0..15)
            .map(|_| {
                let start = std::time::Instant::now();
                assert!((0..200).all(|_| work()));
                start.elapsed() / 200
            })
            .min()
            .unwrap();
        println!("{name} {best:?}");
    };
    time("secp256k1 tables", &|| verifier.verify(&input, &raw).is_ok());
    time("secp256k1 library", &|| signing.verifying_key().verify_prehash(&digest.0, &signature).is_ok());
    time("p256 tables", &|| p256_verifier.verify(&input, &p256_raw).is_ok());
    time("p256 library", &|| p256_signing.verifying_key().verify_prehash(&digest.0, &p256_signature).is_ok());
}
