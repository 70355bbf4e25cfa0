//! The three signature schemes the devices offer.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A curve together with the scheme its keys sign by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// ECDSA on secp256k1 (SEC 2) over a 32-byte digest.
    Secp256k1,
    /// ECDSA on P-256 (FIPS 186-5) over a 32-byte digest.
    P256,
    /// PureEdDSA on edwards25519 (RFC 8032) over a message.
    Ed25519,
}

impl Algorithm {
    /// Every algorithm, in the order people list them.
    pub const ALL: [Self; 3] = [Self::Secp256k1, Self::P256, Self::Ed25519];

    /// The name used in policy, entries and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secp256k1 => "secp256k1",
            Self::P256 => "p256",
            Self::Ed25519 => "ed25519",
        }
    }

    /// Whether keys of this algorithm sign a 32-byte digest (ECDSA) and not a message.
    #[must_use]
    pub fn signs_digests(self) -> bool {
        match self {
            Self::Secp256k1 | Self::P256 => true,
            Self::Ed25519 => false,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
            .ok_or_else(|| UnknownAlgorithm(text.to_owned()))
    }
}

/// A name that is no [`Algorithm`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{0}\" is no algorithm: use secp256k1, p256 or ed25519")]
pub struct UnknownAlgorithm(String);
