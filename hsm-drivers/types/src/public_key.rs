//! Public keys, on their curve.

use std::fmt;

use elliptic_curve::sec1::ToEncodedPoint;

use crate::Algorithm;

/// A point that was checked to lie on its curve.
#[derive(Clone, Eq, PartialEq)]
pub enum PublicKey {
    /// On secp256k1.
    Secp256k1(k256::PublicKey),
    /// On P-256.
    P256(p256::PublicKey),
    /// On edwards25519.
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// Bytes that are no public key of the algorithm.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("these {length} bytes are no {algorithm} public key")]
pub struct BadPublicKey {
    algorithm: Algorithm,
    length: usize,
}

impl PublicKey {
    /// Reads SEC1 bytes, compressed or not, or the 32 bytes of Ed25519.
    ///
    /// # Errors
    /// Wrong length, not on the curve, the point at infinity, or an Ed25519 point of small order.
    pub fn decode(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, BadPublicKey> {
        let bad = || BadPublicKey { algorithm, length: bytes.len() };
        match algorithm {
            Algorithm::Secp256k1 => k256::PublicKey::from_sec1_bytes(bytes).map(Self::Secp256k1).map_err(|_| bad()),
            Algorithm::P256 => p256::PublicKey::from_sec1_bytes(bytes).map(Self::P256).map_err(|_| bad()),
            Algorithm::Ed25519 => {
                let bytes = bytes.try_into().map_err(|_| bad())?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| bad())?;
                if key.is_weak() { Err(bad()) } else { Ok(Self::Ed25519(key)) }
            }
        }
    }

    /// The algorithm of the key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Secp256k1(_) => Algorithm::Secp256k1,
            Self::P256(_) => Algorithm::P256,
            Self::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// Compressed SEC1, 33 bytes, or the 32 bytes of Ed25519: the form of entries and answers.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Secp256k1(key) => key.to_encoded_point(true).as_bytes().to_vec(),
            Self::P256(key) => key.to_encoded_point(true).as_bytes().to_vec(),
            Self::Ed25519(key) => key.as_bytes().to_vec(),
        }
    }

    /// Uncompressed SEC1, 65 bytes, or the 32 bytes of Ed25519: the form devices hold points in.
    #[must_use]
    pub fn to_uncompressed(&self) -> Vec<u8> {
        match self {
            Self::Secp256k1(key) => key.to_encoded_point(false).as_bytes().to_vec(),
            Self::P256(key) => key.to_encoded_point(false).as_bytes().to_vec(),
            Self::Ed25519(key) => key.as_bytes().to_vec(),
        }
    }

    /// Both coordinates of a secp256k1 key, 64 bytes: what an Ethereum address is the hash of.
    #[must_use]
    pub fn coordinates(&self) -> Option<[u8; 64]> {
        let Self::Secp256k1(key) = self else { return None };
        key.to_encoded_point(false).as_bytes().get(1..)?.try_into().ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {self})", self.algorithm())
    }
}
