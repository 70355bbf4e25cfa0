//! Whether one signature of an answer or entry is what it claims to be. Trusts nothing but arithmetic.

use appliance_wire::{ItemSignature, sha256_hex};
use hsm_types::{Digest, RawSignature, ToSign, Verifier};

/// What could be said about a signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It verifies under its public key.
    Verified,
    /// Ed25519 without the message at hand: entries carry only its SHA-256, under which nothing can be verified.
    MessageNotAtHand,
}

/// Verifies a signature and that its other spellings (`der`, `recovery_id`) say the same. `message` is for Ed25519.
pub(crate) fn check(item: &ItemSignature, verifier: &Verifier, message: Option<&[u8]>) -> Result<Outcome, String> {
    let raw = raw(item)?;
    if item.public_key != verifier.public_key().to_string() {
        return Err("its public key is not the key's one".to_owned());
    }
    let input = if verifier.public_key().algorithm().signs_digests() {
        ToSign::Digest(digest(item)?)
    } else {
        match to_sign_message(item, message)? {
            Some(message) => ToSign::Message(message.to_vec()),
            None => return Ok(Outcome::MessageNotAtHand),
        }
    };
    let verified = verifier.verify(&input, &raw).map_err(|error| error.to_string())?;
    if verified.to_bytes() != raw.0 {
        return Err("s is in the upper half".to_owned());
    }
    if item.recovery_id != verified.recovery_id() {
        return Err("the recovery id is another signature's".to_owned());
    }
    match (&item.der, verified.to_der()) {
        (Some(given), Some(der)) if *given != hex::encode(&der) => Err("der and signature differ".to_owned()),
        (Some(_), None) => Err("an Ed25519 signature has no DER form".to_owned()),
        (Some(_) | None, _) => Ok(Outcome::Verified),
    }
}

fn raw(item: &ItemSignature) -> Result<RawSignature, String> {
    let mut raw = [0; 64];
    hex::decode_to_slice(&item.signature, &mut raw).map_err(|_| "the signature is not 64 bytes in hexadecimal")?;
    Ok(RawSignature(raw))
}

fn digest(item: &ItemSignature) -> Result<Digest, String> {
    match (item.digest, &item.message_sha256) {
        (Some(digest), None) => Ok(digest),
        _ => Err("an ECDSA signature names its digest, and nothing else".to_owned()),
    }
}

fn to_sign_message<'a>(item: &ItemSignature, message: Option<&'a [u8]>) -> Result<Option<&'a [u8]>, String> {
    match (item.digest, &item.message_sha256, message) {
        (None, Some(_), None) => Ok(None),
        (None, Some(sha256), Some(message)) if *sha256 == sha256_hex(message) => Ok(Some(message)),
        (None, Some(_), Some(_)) => Err("it is of another message".to_owned()),
        _ => Err("an Ed25519 signature names the SHA-256 of its message, and nothing else".to_owned()),
    }
}
