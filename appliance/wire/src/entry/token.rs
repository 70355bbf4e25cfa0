//! What a token says of itself.

use std::collections::BTreeMap;

use hsm_types::KeyLabel;
use serde::{Deserialize, Serialize};

use super::OfficerSignature;

/// Something a token did.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TokenEntry {
    /// Its name in the config.
    pub token: String,
    /// Its serial number.
    pub serial: String,
    /// What it did.
    #[serde(flatten)]
    pub event: TokenEvent,
}

/// What a token did.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEvent {
    /// It wrote down by itself, since the entry before.
    DeviceLog(DeviceLogRecord),
    /// From here on it signs the log's checkpoints and holds its anchor; every limit counts as full for one window,
    /// because nothing tells any more how far the log went.
    HoldsLog(LogToken),
}

/// Where the log key is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LogToken {
    /// The C2SP verifier key of the log.
    pub log_key: String,
    /// Who brought it in.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What the officers signed; none in profile `development` without officers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<OfficerSignature>,
}

/// A part of a device's own log. It may forget this part only once this entry is durable.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DeviceLogRecord {
    /// Oldest first, each as the device gave it: 32 bytes, hexadecimal (Yubico, "YubiHSM 2 User Guide", Logs).
    pub entries: Vec<String>,
    /// Numbers by which the device's log names keys of the log, where they are new.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<KeyLabel, u16>,
    /// Signatures asked of it with keys of the appliance's own: self-tests and checkpoints.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own: BTreeMap<KeyLabel, u64>,
    /// Whether it does not go on where the entry before ended: something is missing, and may have been signatures.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
    /// Boots that found no room in it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unlogged_boots: u16,
    /// Sessions opened that found no room in it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unlogged_authentications: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u16) -> bool {
    *count == 0
}
