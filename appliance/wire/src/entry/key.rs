//! A key, from the day it is bound to the day it is destroyed.

use hsm_types::{Algorithm, KeyLabel};
use serde::{Deserialize, Serialize};

use super::OfficerSignature;

/// A key's identity.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyEntry {
    /// Its name: the label in the token.
    pub name: KeyLabel,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Compressed SEC1 or 32-byte Ed25519, hexadecimal.
    pub public_key: String,
    /// Its evidence level, fixed.
    pub evidence: String,
    /// The token it was found in.
    pub token: String,
    /// 32 bytes beside the key in the token, hexadecimal: what its children are derived with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_code: Option<String>,
    /// Whether it was made with a backup: it may leave its token wrapped under a trusted key, and be in several.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
    /// What its device attested of it: X.509 certificates in DER, base64, the key's first and then the device's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestation: Vec<String>,
    /// What becomes of a key that is bound already; absent where it is bound here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<KeyChange>,
}

/// A step towards the end of a key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyChange {
    /// Which.
    pub to: KeyEnd,
    /// Why, in the officers' words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What the officers signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<OfficerSignature>,
}

/// How far a key is from its end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyEnd {
    /// It signs nothing more, and may be destroyed from this service time on, in milliseconds.
    PendingDestroy(u64),
    /// It is kept after all.
    Kept,
    /// Its token has it no more.
    Destroyed,
}
