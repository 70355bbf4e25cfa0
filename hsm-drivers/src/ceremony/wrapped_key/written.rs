//! The JSON object of a backup file.

use base64::{Engine, engine::general_purpose::STANDARD};
use hsm_types::{Algorithm, KeyLabel, PublicKey};
use serde::{Deserialize, Serialize};

use super::{BadWrappedKey, PKCS11, Seal, WrappedKey, Wrapping, YUBIHSM};

/// As it is written; unknown members are refused.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    label: KeyLabel,
    algorithm: Algorithm,
    /// Hexadecimal: compressed SEC1, or the 32 bytes of Ed25519.
    public_key: String,
    /// Hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain_code: Option<String>,
    driver: String,
    mechanism: String,
    /// PKCS#11: `CKA_ID`, hexadecimal. YubiHSM: the object id as `0x1234`.
    id: String,
    /// YubiHSM alone: numbers with commas between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    domains: Option<String>,
    /// YubiHSM alone: names with commas between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capabilities: Option<String>,
    /// Base64.
    wrapped: String,
    /// Hexadecimal: the fingerprint.
    backup_key: String,
    /// Hexadecimal: a tag for each of wrapped bytes, label, public key, chain code, and the rest.
    seal: String,
}

impl From<WrappedKey> for Written {
    fn from(key: WrappedKey) -> Self {
        let (id, domains, capabilities) = match &key.wrapping {
            Wrapping::Pkcs11 { id } => (hex::encode(id), None, None),
            Wrapping::Yubihsm { id, domains, capabilities } => {
                (format!("{id:#06x}"), Some(domains.to_string()), Some(capabilities.to_string()))
            }
        };
        Self {
            algorithm: key.algorithm(),
            public_key: key.public_key.to_string(),
            chain_code: key.chain_code.map(|code| code.to_hex()),
            driver: key.wrapping.driver().to_owned(),
            mechanism: key.wrapping.mechanism().to_owned(),
            id,
            domains,
            capabilities,
            wrapped: STANDARD.encode(&key.wrapped),
            backup_key: hex::encode(key.backup_key),
            seal: hex::encode(key.seal.0),
            label: key.label,
        }
    }
}

impl TryFrom<Written> for WrappedKey {
    type Error = BadWrappedKey;

    fn try_from(written: Written) -> Result<Self, BadWrappedKey> {
        let wrapping = written.wrapping()?;
        let public_key = hex::decode(&written.public_key).map_err(|error| bad("public_key", error))?;
        let public_key = PublicKey::decode(written.algorithm, &public_key).map_err(|error| bad("public_key", error))?;
        let chain_code = written.chain_code.map(|code| code.parse()).transpose();
        let wrapped = STANDARD.decode(&written.wrapped).map_err(|error| bad("wrapped", error))?;
        Ok(Self {
            label: written.label,
            public_key,
            chain_code: chain_code.map_err(|error| bad("chain_code", error))?,
            wrapping,
            wrapped,
            backup_key: bytes("backup_key", &written.backup_key)?,
            seal: Seal(bytes("seal", &written.seal)?),
        })
    }
}

impl Written {
    fn wrapping(&self) -> Result<Wrapping, BadWrappedKey> {
        let (wrapping, (_, mechanism)) = match (&self.domains, &self.capabilities) {
            (None, None) if self.driver == PKCS11.0 => {
                (Wrapping::Pkcs11 { id: hex::decode(&self.id).map_err(|error| bad("id", error))? }, PKCS11)
            }
            (Some(domains), Some(capabilities)) if self.driver == YUBIHSM.0 => {
                let id = self.id.strip_prefix("0x").and_then(|digits| u16::from_str_radix(digits, 16).ok());
                let id = id.ok_or_else(|| bad("id", "must be an object id like 0x1234"))?;
                let domains = domains.parse().map_err(|error| bad("domains", error))?;
                let capabilities = capabilities.parse().map_err(|error| bad("capabilities", error))?;
                (Wrapping::Yubihsm { id, domains, capabilities }, YUBIHSM)
            }
            _ => {
                let reason = "must be pkcs11, or yubihsm with `domains` and `capabilities`";
                return Err(bad("driver", reason));
            }
        };
        if self.mechanism != mechanism {
            return Err(bad("mechanism", format_args!("must be {mechanism}")));
        }
        Ok(wrapping)
    }
}

fn bytes<const N: usize>(field: &'static str, digits: &str) -> Result<[u8; N], BadWrappedKey> {
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).map(|()| bytes).map_err(|error| bad(field, error))
}

fn bad(field: &'static str, reason: impl std::fmt::Display) -> BadWrappedKey {
    BadWrappedKey { field, reason: reason.to_string() }
}
