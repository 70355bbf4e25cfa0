//! By what numbers devices call keys of the log: learnt from the `token` entries that were read.

use std::collections::HashMap;

use serde_json::Value;

/// Names of keys by serial number of the device and number of the object in it.
#[derive(Debug, Default)]
pub(crate) struct DeviceKeys(HashMap<(String, u64), String>);

impl DeviceKeys {
    /// Learns what a `token` entry tells; nothing from others.
    pub(crate) fn learn(&mut self, entry: &Value) {
        let (Some(serial), Some(keys)) = (entry["serial"].as_str(), entry["device_log"]["keys"].as_object()) else {
            return;
        };
        for (key, number) in keys {
            if let Some(number) = number.as_u64() {
                self.0.insert((serial.to_owned(), number), key.clone());
            }
        }
    }

    /// The key a device calls so.
    pub(crate) fn name(&self, serial: &str, number: u16) -> Option<&str> {
        self.0.get(&(serial.to_owned(), number.into())).map(String::as_str)
    }
}
