//! What the tests need: a log, keys and a signer of their own.

use appliance_wire::ItemSignature;
use hsm_types::{ChainCode, Digest, PublicKey, RawSignature, ToSign, VerifiedSignature, Verifier};
use k256::ecdsa::signature::hazmat::PrehashSigner;

mod answers;
mod log;
mod node;
mod pki;
mod server;
pub(crate) mod vault;

pub(crate) use answers::{keys_answer, serve_log, signed_answer};
pub(crate) use log::TestLog;
pub(crate) use node::{NodeAnswer, TestNode};
pub(crate) use pki::TestPki;
pub(crate) use server::{Seen, TestAnswer, TestServer};

fn signing_key(seed: u8) -> k256::ecdsa::SigningKey {
    k256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap()
}

/// The secp256k1 public key of a seed.
pub(crate) fn ecdsa_public_key(seed: u8) -> PublicKey {
    PublicKey::Secp256k1(signing_key(seed).verifying_key().into())
}

/// The Ed25519 key of a seed.
pub(crate) fn ed25519_key(seed: u8) -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[seed; 32])
}

/// Its public key.
pub(crate) fn ed25519_public_key(seed: u8) -> PublicKey {
    PublicKey::Ed25519(ed25519_key(seed).verifying_key())
}

/// A chain code.
pub(crate) fn chain_code(seed: u8) -> ChainCode {
    ChainCode::new([seed; 32])
}

/// A good signature by child `index` of the key of a seed with the chain code of the same seed, as the signer answers it.
pub(crate) fn child_signature(seed: u8, key: &str, index: u32, digest: Digest) -> ItemSignature {
    let parent = Verifier::new(ecdsa_public_key(seed));
    let child = parent.child(&chain_code(seed), index).unwrap();
    let ToSign::Digest(to_sign) = child.to_sign(&digest) else { panic!("a child signs digests") };
    let raw: k256::ecdsa::Signature = signing_key(seed).sign_prehash(&to_sign.0).unwrap();
    let raw = RawSignature(raw.to_bytes().into());
    let verified = parent.verify_child(&child, &digest, &raw).unwrap();
    item_signature(&format!("{key}/{index}"), digest, &verified, child.public_key())
}

fn item_signature(key: &str, digest: Digest, verified: &VerifiedSignature, public_key: &PublicKey) -> ItemSignature {
    ItemSignature {
        key: key.parse().unwrap(),
        digest: Some(digest),
        message_sha256: None,
        signature: hex::encode(verified.to_bytes()),
        recovery_id: verified.recovery_id(),
        der: verified.to_der().map(hex::encode),
        public_key: public_key.to_string(),
    }
}

/// A good signature of `digest` by the key of a seed, as the signer answers it.
pub(crate) fn ecdsa_signature(seed: u8, key: &str, digest: [u8; 32]) -> ItemSignature {
    let raw: k256::ecdsa::Signature = signing_key(seed).sign_prehash(&digest).unwrap();
    let public_key = ecdsa_public_key(seed);
    let input = ToSign::Digest(Digest(digest));
    let verified = Verifier::new(public_key.clone()).verify(&input, &RawSignature(raw.to_bytes().into())).unwrap();
    item_signature(key, Digest(digest), &verified, &public_key)
}
