//! What a device wrote down by itself, on its way into the log. The device forgets it only afterwards.

use std::collections::BTreeMap;

use hsm_drivers::{BrokenChain, DeviceLogPage};
use hsm_types::KeyLabel;

use super::{handle::Audit, job::Job};
use crate::refusal::Refusal;

/// A page of a device's log, as it was read.
#[derive(Clone, Debug)]
pub struct DeviceLogReading {
    /// Name of the token in the config.
    pub token: String,
    /// Serial number of the device.
    pub serial: String,
    /// What the device still holds; what was recorded before is skipped.
    pub page: DeviceLogPage,
    /// Numbers by which the device names keys of the log.
    pub keys: BTreeMap<KeyLabel, u16>,
    /// Signatures asked of it with the appliance's own keys since the last reading.
    pub own: BTreeMap<KeyLabel, u64>,
}

/// What became of a reading.
#[derive(Clone, Debug, Default)]
pub struct RecordedDeviceLog {
    /// Entries of the device that were new.
    pub entries: u64,
    /// Where it did not go on from what was recorded before.
    pub gap: Option<BrokenChain>,
    /// Keys frozen by it.
    pub frozen: Vec<KeyLabel>,
}

impl Audit {
    /// Records what a device says it did, and freezes keys whose signatures nobody can explain.
    ///
    /// # Errors
    /// `audit-log-unavailable`: the device must not forget it yet.
    pub async fn record_device_log(&self, reading: DeviceLogReading) -> Result<RecordedDeviceLog, Refusal> {
        self.ask(|reply| Job::DeviceLog { reading: Box::new(reading), reply }).await
    }
}
