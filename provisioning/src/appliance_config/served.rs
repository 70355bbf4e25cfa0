//! The log a YubiHSM 2 keeps by itself, after a ceremony. It holds 62 entries and then refuses to work; who empties it is the
//! appliance, which records them first, once it serves the device.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
};

use hsm_drivers::yubihsm2::ceremony::Ceremony;

use super::ApplianceConfig;
use crate::{Error, report::Report};

/// What a ceremony with one key leaves in the log, and as much again.
const ROOM: u8 = 24;

impl ApplianceConfig {
    /// Makes room for a ceremony in the log of the device.
    pub fn make_room(&self, ceremony: &mut Ceremony, report: &mut Report) -> Result<(), Error> {
        if ceremony.log_room()? >= ROOM {
            return Ok(());
        }
        let entries = ceremony.forget_log()?;
        if self.has_served(&ceremony.serial())? {
            report.note(format!(
                "the device's own log was full and {entries} entries of it are forgotten: the appliance will find a gap \
                 there, and freeze the keys of this device until an officer ends that. To avoid it, start the appliance \
                 between ceremonies: it records the log"
            ));
        }
        Ok(())
    }

    /// Empties the log of a device that no appliance has seen yet. Of one that serves, the appliance records it.
    pub fn leave(&self, ceremony: &mut Ceremony) -> Result<(), Error> {
        if !self.has_served(&ceremony.serial())? {
            ceremony.forget_log()?;
        }
        Ok(())
    }

    /// Whether the audit log names the device of this serial number.
    fn has_served(&self, serial: &str) -> Result<bool, Error> {
        let path = self.state_directory().join("log.jsonl");
        let failed = |source| Error::File { attempted: "read", path: path.clone(), source };
        let log = match File::open(&path) {
            Ok(log) => log,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(failed(source)),
        };
        let wanted = format!("\"{serial}\"");
        for line in BufReader::new(log).lines() {
            if line.map_err(failed)?.contains(&wanted) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
