//! RFC 8785: the one spelling of a JSON value, the bytes that are hashed and signed.

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// Bytes that are JSON of the right shape, but not in the one canonical spelling, or not of that shape at all.
#[derive(Debug, thiserror::Error)]
pub enum NotCanonical {
    /// Not JSON, or not of the expected shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Of the right shape, but spelt otherwise: white space, member order, unknown members, number forms.
    #[error("the bytes are not the RFC 8785 form of what they say")]
    Spelling,
}

/// The RFC 8785 form of `value`.
///
/// # Errors
/// A value JSON cannot express; none of our types has one.
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, NotCanonical> {
    Ok(serde_json_canonicalizer::to_vec(value)?)
}

/// Reads a value and demands that `bytes` is its canonical form, so that one value has one hash.
///
/// # Errors
/// See [`NotCanonical`].
pub fn from_canonical<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, NotCanonical> {
    let value = serde_json::from_slice(bytes)?;
    if canonical(&value)? == bytes { Ok(value) } else { Err(NotCanonical::Spelling) }
}

/// SHA-256 in lower-case hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
