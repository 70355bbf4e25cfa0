//! The device's own log between parent and child.

use super::{Bytes, Malformed, Wire};
use crate::{DeviceLogEntry, DeviceLogPage};

impl Wire for DeviceLogPage {
    fn encode(&self, to: &mut Vec<u8>) {
        self.unlogged_boots.encode(to);
        self.unlogged_authentications.encode(to);
        self.entries.encode(to);
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            unlogged_boots: u16::decode(from)?,
            unlogged_authentications: u16::decode(from)?,
            entries: Vec::decode(from)?,
        })
    }
}

impl Wire for DeviceLogEntry {
    fn encode(&self, to: &mut Vec<u8>) {
        self.number.encode(to);
        to.push(self.command);
        for number in [self.length, self.session_key, self.target_key, self.second_key] {
            number.encode(to);
        }
        to.push(self.result);
        self.tick.encode(to);
        to.extend_from_slice(&self.digest);
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            number: u16::decode(from)?,
            command: from.take_tag()?,
            length: u16::decode(from)?,
            session_key: u16::decode(from)?,
            target_key: u16::decode(from)?,
            second_key: u16::decode(from)?,
            result: from.take_tag()?,
            tick: u32::decode(from)?,
            digest: from.take_array()?,
        })
    }
}
