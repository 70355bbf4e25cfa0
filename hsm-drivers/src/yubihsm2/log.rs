//! The device's own log, over its session.

use hsm_types::KeyLabel;

use super::{Yubihsm2Device, failure};
use crate::{DeviceLog, DeviceLogPage, Error};

impl DeviceLog for Yubihsm2Device {
    fn read(&mut self) -> Result<DeviceLogPage, Error> {
        self.refresh()?;
        self.run(|session| session.log_entries().map_err(|error| failure::command_failed(&error, "Get Log Entries")))
    }

    fn acknowledge(&mut self, through: u16) -> Result<(), Error> {
        self.refresh()?;
        let attempted = format!("Set Log Index to {through}");
        self.run(|session| session.set_log_index(through).map_err(|error| failure::command_failed(&error, &attempted)))
    }

    fn object_id(&mut self, key: &KeyLabel) -> Result<u16, Error> {
        self.key(key).map(|found| found.id)
    }
}
