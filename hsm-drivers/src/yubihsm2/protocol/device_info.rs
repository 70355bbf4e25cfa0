//! The first page of what Get Device Info answers. From firmware 2.4 on there is a second one, the part number as text.

use super::{Algorithm, Reader, TooShort};

/// The first page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceInfoPage {
    /// Firmware version: major, minor, build.
    pub version: [u8; 3],
    /// Serial number; printed with ten digits by Yubico's tools.
    pub serial: u32,
    /// Entries the log store holds at most.
    pub log_capacity: u8,
    /// Entries it holds now.
    pub log_used: u8,
    /// Every algorithm the device knows, those without a name here too.
    pub algorithms: Vec<Algorithm>,
}

impl DeviceInfoPage {
    /// As the device writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.version.to_vec();
        bytes.extend(self.serial.to_be_bytes());
        bytes.extend([self.log_capacity, self.log_used]);
        bytes.extend(self.algorithms.iter().map(|algorithm| algorithm.0));
        bytes
    }

    /// Reads the encoded form.
    ///
    /// # Errors
    /// Fewer than nine bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, TooShort> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            version: reader.array()?,
            serial: reader.u32()?,
            log_capacity: reader.u8()?,
            log_used: reader.u8()?,
            algorithms: reader.rest().iter().map(|code| Algorithm(*code)).collect(),
        })
    }
}
