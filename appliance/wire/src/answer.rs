//! What the watcher API answers.

use hsm_types::{Algorithm, Digest, KeyPath};
use serde::{Deserialize, Serialize};

use crate::Receipt;

/// Where a request stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RequestStatus {
    /// Waits for officers.
    Pending,
    /// Charged and bound, not yet signed.
    Accepted,
    /// Signed; the bytes never change.
    Signed,
    /// Accepted, but no longer allowed when the token could sign.
    Lapsed,
    /// Refused by an officer.
    Rejected,
    /// Taken back by the watcher.
    Withdrawn,
    /// Expired before the officers decided.
    Expired,
}

impl RequestStatus {
    /// The wire name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Signed => "signed",
            Self::Lapsed => "lapsed",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// Answer of `PUT` and `GET /v1/signatures/{request_id}`. A `PUT` of a signed request answers the same bytes for ever;
/// `GET` adds the receipt once a checkpoint covers the entry.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignatureAnswer {
    /// The request.
    pub request_id: String,
    /// Where it stands.
    pub status: RequestStatus,
    /// One for each item, in order; only when signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Vec<ItemSignature>>,
    /// Index of the entry that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// Proof that the entry is in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// One signature. ECDSA has `digest`, `recovery_id` and `der`; Ed25519 has `message_sha256` instead.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemSignature {
    /// `key` or `key/child`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: KeyPath,
    /// What was signed (ECDSA).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub digest: Option<Digest>,
    /// SHA-256 of what was signed (Ed25519), hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_sha256: Option<String>,
    /// r || s with low s, or R || S; hexadecimal.
    pub signature: String,
    /// 0 to 3 (ECDSA).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_id: Option<u8>,
    /// The DER form (ECDSA), hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub der: Option<String>,
    /// Compressed SEC1 or 32-byte Ed25519, hexadecimal.
    pub public_key: String,
}

/// Answer of `GET /v1/keys`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeysAnswer {
    /// The keys granted to the caller.
    pub keys: Vec<KeyAnswer>,
}

/// One granted key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyAnswer {
    /// Its name.
    pub name: String,
    /// Its algorithm.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub algorithm: Algorithm,
    /// Compressed SEC1 or 32-byte Ed25519, hexadecimal.
    pub public_key: String,
    /// The key's own address, where its assets have one chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `verified`, `declared` or `blind`.
    pub evidence: String,
    /// `active`, `retiring` (it signs, and gets no new addresses), `disabled`, `frozen`, `pending-destroy` or
    /// `destroyed`.
    pub state: String,
    /// Whether it has children.
    pub children: bool,
    /// What they are derived with, hexadecimal, where it has children. Whoever has it can link all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_code: Option<String>,
    /// What its device attested of it when it came into the log: X.509 certificates in DER, base64, the key's first and
    /// then the device's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestation: Vec<String>,
}

/// Body of `POST /v1/keys/{key}/addresses`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddressesRequest {
    /// How many children: 1 to 1000.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
    pub count: u32,
    /// They begin after this one; after the last allocated where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 2_147_483_647))]
    pub after: Option<u32>,
}

/// Answer of `POST` and `GET /v1/keys/{key}/addresses`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddressesAnswer {
    /// Children in order of their index.
    pub addresses: Vec<Address>,
    /// What to pass as `after` for those that follow, where there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// One allocated child.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Address {
    /// `key/child`.
    pub key: String,
    /// The index.
    pub child: u32,
    /// Compressed SEC1, hexadecimal.
    pub public_key: String,
    /// The address, where the key's assets have one form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Answer of `GET /v1/limits`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitsAnswer {
    /// Every limit that can apply to the caller.
    pub limits: Vec<LimitAnswer>,
}

/// What one limit has left for the caller.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitAnswer {
    /// Its name in the policy.
    pub name: String,
    /// Length of the sliding window, in service time; 0 where the limit holds for ever.
    pub window_seconds: u64,
    /// The asset of an amount; absent where signatures are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// An amount in the asset's main unit, or a number of signatures.
    pub max: String,
    /// Likewise.
    pub used: String,
    /// Likewise.
    pub remaining: String,
    /// When something of it is free again, if no more is used (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frees_at: Option<String>,
}

/// Answer of the two proof calls: node hashes in the order of RFC 9162, base64.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProofAnswer {
    /// The hashes.
    pub proof: Vec<String>,
}

/// Answer of `GET /v1/log/entries/{index}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EntryAnswer {
    /// The index.
    pub index: u64,
    /// The leaf's exact bytes, base64.
    pub entry: String,
}
