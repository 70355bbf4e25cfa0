//! What a device wrote down by itself, on its way into the log. The device forgets it only afterwards.

use std::{collections::BTreeMap, sync::mpsc::SyncSender};

use hsm_drivers::{BrokenChain, DeviceLogPage};
use hsm_types::KeyLabel;
use tokio::sync::oneshot;

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

/// Hands readings to the writer, from a thread that may wait.
#[derive(Clone, Debug)]
pub struct DeviceLogRecorder {
    jobs: SyncSender<Job>,
}

impl DeviceLogRecorder {
    /// Records a reading. Blocks until it is durable.
    ///
    /// # Errors
    /// `audit-log-unavailable`: the device must not forget it yet.
    pub fn record(&self, reading: DeviceLogReading) -> Result<RecordedDeviceLog, Refusal> {
        let (reply, recorded) = oneshot::channel();
        let stopping = |_| Refusal::log_unavailable("the appliance is stopping");
        self.jobs.send(Job::DeviceLog { reading: Box::new(reading), reply }).map_err(|_| stopping(()))?;
        recorded.blocking_recv().map_err(|_| stopping(()))?
    }
}

impl Audit {
    /// What device logs are recorded with.
    #[must_use]
    pub fn device_log_recorder(&self) -> DeviceLogRecorder {
        DeviceLogRecorder { jobs: self.jobs.clone() }
    }
}
