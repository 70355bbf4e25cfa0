//! What a device is asked to sign.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Exactly 32 bytes, hexadecimal on the wire: PKCS#11 tokens accept any length, so the length is a type here.
#[derive(Clone, Copy, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(&text, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(format!("a digest is 64 hexadecimal digits, this has {} characters", text.chars().count())),
        }
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        hex::encode(digest.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The input of one signature: ECDSA devices take the digest, Ed25519 devices the message (RFC 8032 hashes it twice).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ToSign {
    /// For ECDSA keys.
    Digest(Digest),
    /// For Ed25519 keys; each driver states its longest.
    Message(Vec<u8>),
}
