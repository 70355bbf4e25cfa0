//! Asymmetric keys: how they are made, kept, and sign.
//!
//! Kept is what a wrapped object carries: of an EC key the private scalar; of an Ed25519 key seed, scalar (last byte
//! first), prefix and public key, the seed missing where it was imported without.

use ed25519_dalek::{
    SigningKey as Ed25519Key,
    hazmat::{ExpandedSecretKey, raw_sign},
};
use k256::ecdsa::signature::hazmat::PrehashSigner;
use rand::{Rng, RngCore, rngs::OsRng};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use super::signature::Signature;
use crate::yubihsm2::protocol::{Algorithm, ErrorCode};

/// Bytes of an Ed25519 key with its seed, and without.
const SEEDED: usize = 128;
const EXPANDED: usize = 96;

/// A new key.
pub(super) fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let mut random = Zeroizing::new([0; 32]);
    // A random number is no scalar only once in 2^32 tries or less.
    for _ in 0..8 {
        OsRng.fill_bytes(&mut *random);
        if let Ok(value) = import(algorithm, &*random) {
            return Ok(value);
        }
    }
    Err(ErrorCode::INVALID_DATA)
}

/// The form kept of a key put in clear: 32 bytes, scalar or seed.
pub(super) fn import(algorithm: Algorithm, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorCode> {
    let bytes: &[u8; 32] = key.try_into().map_err(|_| ErrorCode::WRONG_LENGTH)?;
    let value = match algorithm {
        Algorithm::EC_K256 | Algorithm::EC_P256 => bytes.to_vec(),
        Algorithm::ED25519 => expand(bytes),
        _ => return Err(ErrorCode::INVALID_DATA),
    };
    public(algorithm, &value)?;
    Ok(Zeroizing::new(value))
}

/// RFC 8032, 5.1.5. The scalar stays unreduced.
fn expand(seed: &[u8; 32]) -> Vec<u8> {
    let mut hash: Zeroizing<[u8; 64]> = Zeroizing::new(Sha512::digest(seed).into());
    hash[0] &= 0xf8;
    hash[31] = hash[31] & 0x7f | 0x40;
    hash[..32].reverse();
    let public = Ed25519Key::from_bytes(seed).verifying_key();
    [&seed[..], &*hash, public.as_bytes()].concat()
}

/// What leaves the device under a wrap key; the seed of an Ed25519 key only where it is asked for.
pub(super) fn exported(algorithm: Algorithm, value: &[u8], with_seed: bool) -> &[u8] {
    let seedless = algorithm == Algorithm::ED25519 && value.len() == SEEDED && !with_seed;
    if seedless { value.get(32..).unwrap_or_default() } else { value }
}

/// The public key as Get Public Key gives it: x || y, or the 32 bytes of Ed25519. Fails for what is no key.
pub(super) fn public(algorithm: Algorithm, value: &[u8]) -> Result<Vec<u8>, ErrorCode> {
    let no_key = |_| ErrorCode::INVALID_DATA;
    match algorithm {
        Algorithm::EC_K256 => {
            let key = k256::ecdsa::SigningKey::from_slice(value).map_err(no_key)?;
            Ok(key.verifying_key().to_encoded_point(false).as_bytes()[1..].to_vec())
        }
        Algorithm::EC_P256 => {
            let key = p256::ecdsa::SigningKey::from_slice(value).map_err(no_key)?;
            Ok(key.verifying_key().to_encoded_point(false).as_bytes()[1..].to_vec())
        }
        Algorithm::ED25519 => match value.len() {
            SEEDED | EXPANDED => Ok(value[value.len() - 32..].to_vec()),
            _ => Err(ErrorCode::WRONG_LENGTH),
        },
        _ => Err(ErrorCode::INVALID_DATA),
    }
}

/// ECDSA over a digest of 20 to 64 bytes; s is either of the two, as on a device, or the greater one.
pub(super) fn sign_digest(
    algorithm: Algorithm,
    value: &[u8],
    digest: &[u8],
    high_s: bool,
) -> Result<Signature, ErrorCode> {
    if !(20..=64).contains(&digest.len()) {
        return Err(ErrorCode::WRONG_LENGTH);
    }
    let negate = high_s || OsRng.gen_bool(0.5);
    macro_rules! sign {
        ($curve:ident) => {{
            let key = $curve::ecdsa::SigningKey::from_slice(value).map_err(|_| ErrorCode::INVALID_DATA)?;
            let signed: $curve::ecdsa::Signature = key.sign_prehash(digest).map_err(|_| ErrorCode::INVALID_DATA)?;
            let low = signed.normalize_s().unwrap_or(signed);
            let s = if negate { -*low.s() } else { *low.s() };
            (low.r().to_bytes(), s.to_bytes())
        }};
    }
    let mut bytes = [0; 64];
    let (r, s) = match algorithm {
        Algorithm::EC_K256 => sign!(k256),
        Algorithm::EC_P256 => sign!(p256),
        _ => return Err(ErrorCode::INVALID_DATA),
    };
    bytes[..32].copy_from_slice(&r);
    bytes[32..].copy_from_slice(&s);
    Ok(Signature(bytes))
}

/// PureEdDSA over a message.
pub(super) fn sign_message(algorithm: Algorithm, value: &[u8], message: &[u8]) -> Result<Signature, ErrorCode> {
    if algorithm != Algorithm::ED25519 {
        return Err(ErrorCode::INVALID_DATA);
    }
    let parts = exported(algorithm, value, false);
    let (secret, public) = parts.split_first_chunk::<64>().ok_or(ErrorCode::INVALID_DATA)?;
    let public: &[u8; 32] = public.try_into().map_err(|_| ErrorCode::INVALID_DATA)?;
    let mut secret = Zeroizing::new(*secret);
    secret[..32].reverse();
    let verifying = ed25519_dalek::VerifyingKey::from_bytes(public).map_err(|_| ErrorCode::INVALID_DATA)?;
    let expanded = ExpandedSecretKey::from_bytes(&secret);
    Ok(Signature(raw_sign::<Sha512>(&expanded, message, &verifying).to_bytes()))
}
