//! What a case needs of a device beyond serving: someone who makes and deletes its keys.

use hsm_drivers::Device;
use hsm_types::{Algorithm, ChainCode, Digest, KeyLabel, PublicKey, ToSign, VerifiedSignature, Verifier};
use sha2::{Digest as _, Sha256};

pub(crate) trait Backend {
    /// A new session.
    fn device(&self) -> Box<dyn Device>;
    /// A key that may serve.
    fn generate(&self, label: &KeyLabel, algorithm: Algorithm) -> PublicKey;
    /// A secp256k1 key that may have children.
    fn generate_parent(&self, label: &KeyLabel) -> (PublicKey, ChainCode);
    /// A further chain code for a label, this one from elsewhere; as many bytes as are given.
    fn put_chain_code(&self, label: &KeyLabel, value: &[u8]);
    /// A second key of a label that is there already.
    fn generate_twin(&self, label: &KeyLabel);
    /// A P-256 key that may do too much, and words that its findings must have.
    fn generate_unfit(&self, label: &KeyLabel) -> &'static [&'static str];
    /// Deletes all keys of this label, and what is beside them.
    fn delete(&self, label: &KeyLabel);
    /// The longest message of its driver.
    fn longest_message(&self) -> usize;
}

pub(crate) fn label(text: &str) -> KeyLabel {
    text.parse().unwrap()
}

/// An input of the kind keys of this algorithm sign, different for each number.
pub(crate) fn input(algorithm: Algorithm, number: usize) -> ToSign {
    let digest = Sha256::digest(number.to_be_bytes());
    if algorithm.signs_digests() { ToSign::Digest(Digest(digest.into())) } else { ToSign::Message(digest.to_vec()) }
}

/// One signature, through the gate that every signature goes through.
pub(crate) fn sign(device: &mut dyn Device, key: &KeyLabel, verifier: &Verifier, input: &ToSign) -> VerifiedSignature {
    let raw = device.sign(key, input).unwrap();
    verifier.verify(input, &raw).unwrap()
}
