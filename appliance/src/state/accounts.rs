//! The second accountant: signatures the log lets happen, beside those the devices' own logs show. Knows no device: what
//! it reads was recorded in `token` entries.

use std::collections::{BTreeMap, BTreeSet};

use appliance_wire::DeviceLogRecord;
use hsm_drivers::{DeviceLogEntry, verify_chain};
use hsm_types::KeyLabel;
use serde::{Deserialize, Serialize};

/// One account a key, over all devices that keep logs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Accounts {
    keys: BTreeMap<KeyLabel, Account>,
    /// By serial number.
    devices: BTreeMap<String, Device>,
    /// Keys with signatures nobody can explain, until somebody ends their freeze.
    suspects: BTreeSet<KeyLabel>,
}

/// Signatures with one key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Account {
    /// One for each item of each attempt, recorded before the attempt began.
    pub allowed: u64,
    /// As many as the devices' logs show.
    pub made: u64,
}

/// What is known of a device's log.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Device {
    /// The last entry recorded, as the device gave it.
    last: Option<String>,
    keys: BTreeMap<KeyLabel, u16>,
}

impl Accounts {
    /// An attempt may begin: so many more signatures are explained.
    pub(super) fn allow(&mut self, key: &KeyLabel, signatures: u64) {
        self.keys.entry(key.clone()).or_default().allowed += signatures;
    }

    /// What is known of the key.
    #[must_use]
    pub fn of(&self, key: &KeyLabel) -> Account {
        self.keys.get(key).copied().unwrap_or_default()
    }

    /// Keys that must be frozen.
    #[must_use]
    pub fn suspects(&self) -> &BTreeSet<KeyLabel> {
        &self.suspects
    }

    /// The last entry recorded of the log of the device with this serial number.
    #[must_use]
    pub fn last_of(&self, serial: &str) -> Option<DeviceLogEntry> {
        self.devices.get(serial)?.last.as_deref().and_then(|text| read(text).ok())
    }

    /// Those of `keys` that this device was not known to name so.
    #[must_use]
    pub fn new_keys(&self, serial: &str, keys: &BTreeMap<KeyLabel, u16>) -> BTreeMap<KeyLabel, u16> {
        let known = self.devices.get(serial).map(|device| &device.keys);
        let is_new = |(key, id): &(&KeyLabel, &u16)| known.and_then(|known| known.get(*key)) != Some(*id);
        keys.iter().filter(is_new).map(|(key, id)| (key.clone(), *id)).collect()
    }

    /// Adds what the device with this serial number says it did.
    ///
    /// # Errors
    /// It cannot be read, or a gap is concealed or made up.
    pub(super) fn record(&mut self, serial: &str, log: &DeviceLogRecord) -> Result<(), String> {
        let entries = log.entries.iter().map(|text| read(text)).collect::<Result<Vec<_>, _>>()?;
        if verify_chain(self.last_of(serial).as_ref(), &entries).is_err() != log.gap {
            let which = if log.gap { "goes on, and it says there is a gap" } else { "has a gap it does not say" };
            return Err(format!("its device log {which}"));
        }
        // What a device did before anything of it was recorded is its past: a ceremony tries the keys it makes.
        let past = !self.devices.contains_key(serial);
        let device = self.devices.entry(serial.to_owned()).or_default();
        device.keys.extend(log.keys.clone());
        device.last = log.entries.last().cloned().or(device.last.take());
        for (key, id) in &device.keys {
            let account = self.keys.entry(key.clone()).or_default();
            account.made += entries.iter().filter(|entry| !past && entry.signed_with(*id)).count() as u64;
            if log.gap || account.made > account.allowed {
                self.suspects.insert(key.clone());
            }
        }
        Ok(())
    }

    /// Somebody looked into it and ended the freeze of the key: what was made so far counts as explained.
    pub(super) fn settle(&mut self, key: &str) {
        self.suspects.retain(|suspect| suspect.as_str() != key);
        if let Some((_, account)) = self.keys.iter_mut().find(|(label, _)| label.as_str() == key) {
            account.allowed = account.allowed.max(account.made);
        }
    }
}

fn read(text: &str) -> Result<DeviceLogEntry, String> {
    let bytes = hex::decode(text).ok();
    let entry = bytes.and_then(|bytes| DeviceLogEntry::decode(&bytes).ok());
    entry.ok_or_else(|| format!("\"{text}\" is no entry of a device log"))
}

#[cfg(test)]
mod tests;
