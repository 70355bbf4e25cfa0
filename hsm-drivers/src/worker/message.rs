//! What travels between parent and child, value by value.

mod error;
mod log;
mod report;

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use hsm_types::{Algorithm, ChainCode, Digest, KeyLabel, PublicKey, RawSignature, ToSign};

use super::{
    Driver, Opened, Opening, Request, Response,
    wire::{Bytes, Malformed, Wire, put_counted},
};
use crate::{DeviceInfo, Pin, Protection};

/// Begins an [`Opening`]: tells a worker's socket from anything else, and this version from others.
const MAGIC: [u8; 4] = *b"HSM2";

/// The most signatures one request may want.
pub(super) const MOST_INPUTS: usize = 1024;

impl Opening {
    /// At least as many bytes as its frame has.
    pub(super) fn capacity(&self) -> usize {
        let forbidden: usize = self.forbidden.iter().map(|path| size_of::<u32>() + path.as_os_str().len()).sum();
        64 + forbidden
            + match &self.driver {
                Driver::Pkcs11 { module, label, serial, pin } => {
                    module.as_os_str().len() + label.len() + serial.as_ref().map_or(0, String::len) + pin.expose().len()
                }
                Driver::Yubihsm { connector, password, .. } => connector.len() + password.expose().len(),
            }
    }
}

impl Wire for Opening {
    fn encode(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&MAGIC);
        (self.sessions as u64).encode(to);
        self.forbidden.encode(to);
        self.driver.encode(to);
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        if from.take_array()? != MAGIC {
            return Err(Malformed("it does not begin like the opening of a worker of this version"));
        }
        let sessions = usize::try_from(u64::decode(from)?).map_err(|_| Malformed("too many sessions"))?;
        Ok(Self { sessions, forbidden: Vec::decode(from)?, driver: Driver::decode(from)? })
    }
}

impl Wire for Opened {
    fn encode(&self, to: &mut Vec<u8>) {
        self.info.encode(to);
        self.caveats.encode(to);
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(Self { info: DeviceInfo::decode(from)?, caveats: Vec::decode(from)? })
    }
}

impl Wire for PathBuf {
    fn encode(&self, to: &mut Vec<u8>) {
        put_counted(to, self.as_os_str().as_bytes());
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(Self::from(OsString::from_vec(from.take_counted()?.to_vec())))
    }
}

impl Wire for Driver {
    fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Self::Pkcs11 { module, label, serial, pin } => {
                to.push(0);
                module.encode(to);
                label.encode(to);
                serial.encode(to);
                put_counted(to, pin.expose().as_bytes());
            }
            Self::Yubihsm { connector, authentication_key, password } => {
                to.push(1);
                connector.encode(to);
                authentication_key.encode(to);
                put_counted(to, password.expose().as_bytes());
            }
        }
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => Ok(Self::Pkcs11 {
                module: PathBuf::decode(from)?,
                label: String::decode(from)?,
                serial: Option::decode(from)?,
                pin: Pin::new(String::decode(from)?),
            }),
            1 => Ok(Self::Yubihsm {
                connector: String::decode(from)?,
                authentication_key: u16::decode(from)?,
                password: Pin::new(String::decode(from)?),
            }),
            _ => Err(Malformed("an unknown driver")),
        }
    }
}

impl Wire for Request {
    fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Self::Info => to.push(0),
            Self::PublicKey(key) => {
                to.push(1);
                key.encode(to);
            }
            Self::Sign { key, inputs } => {
                to.push(2);
                key.encode(to);
                inputs.encode(to);
            }
            Self::ChainCode(key) => {
                to.push(3);
                key.encode(to);
            }
            Self::Attestation(key) => {
                to.push(4);
                key.encode(to);
            }
            Self::ReadDeviceLog => to.push(5),
            Self::AcknowledgeDeviceLog(through) => {
                to.push(6);
                through.encode(to);
            }
            Self::AttestationIssuer => to.push(7),
            Self::Protection(key) => {
                to.push(8);
                key.encode(to);
            }
            Self::ObjectId(key) => {
                to.push(9);
                key.encode(to);
            }
            Self::ReadAnchor => to.push(10),
            Self::WriteAnchor(anchor) => {
                to.push(11);
                put_counted(to, anchor);
            }
        }
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => Ok(Self::Info),
            1 => KeyLabel::decode(from).map(Self::PublicKey),
            2 => {
                let (key, inputs) = (KeyLabel::decode(from)?, Vec::decode(from)?);
                if inputs.len() > MOST_INPUTS {
                    return Err(Malformed("too many inputs"));
                }
                Ok(Self::Sign { key, inputs })
            }
            3 => KeyLabel::decode(from).map(Self::ChainCode),
            4 => KeyLabel::decode(from).map(Self::Attestation),
            5 => Ok(Self::ReadDeviceLog),
            6 => u16::decode(from).map(Self::AcknowledgeDeviceLog),
            7 => Ok(Self::AttestationIssuer),
            8 => KeyLabel::decode(from).map(Self::Protection),
            9 => KeyLabel::decode(from).map(Self::ObjectId),
            10 => Ok(Self::ReadAnchor),
            11 => from.take_counted().map(|anchor| Self::WriteAnchor(anchor.to_vec())),
            _ => Err(Malformed("an unknown request")),
        }
    }
}

impl Wire for Response {
    fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Self::Info(info) => {
                to.push(0);
                info.encode(to);
            }
            Self::PublicKey(key) => {
                to.push(1);
                key.algorithm().name().to_owned().encode(to);
                put_counted(to, &key.to_bytes());
            }
            Self::Signatures(signatures) => {
                to.push(2);
                signatures.encode(to);
            }
            Self::ChainCode(chain_code) => {
                to.push(3);
                chain_code.encode(to);
            }
            Self::Attestation(None) => to.push(4),
            Self::Attestation(Some(certificate)) => {
                to.push(5);
                put_counted(to, certificate);
            }
            Self::DeviceLog(page) => {
                to.push(6);
                page.encode(to);
            }
            Self::DeviceLogAcknowledged => to.push(7),
            Self::Protection(protection) => {
                to.push(8);
                protection.encode(to);
            }
            Self::ObjectId(id) => {
                to.push(9);
                id.encode(to);
            }
            Self::Anchor(None) => to.push(10),
            Self::Anchor(Some(anchor)) => {
                to.push(11);
                put_counted(to, anchor);
            }
            Self::AnchorWritten => to.push(12),
        }
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => DeviceInfo::decode(from).map(Self::Info),
            1 => {
                let name = String::decode(from)?;
                let algorithm: Algorithm = name.parse().map_err(|_| Malformed("an unknown algorithm"))?;
                let key = PublicKey::decode(algorithm, from.take_counted()?);
                key.map(Self::PublicKey).map_err(|_| Malformed("a public key that is none"))
            }
            2 => Vec::decode(from).map(Self::Signatures),
            3 => Option::decode(from).map(Self::ChainCode),
            4 => Ok(Self::Attestation(None)),
            5 => from.take_counted().map(|certificate| Self::Attestation(Some(certificate.to_vec()))),
            6 => Option::decode(from).map(Self::DeviceLog),
            7 => Ok(Self::DeviceLogAcknowledged),
            8 => Protection::decode(from).map(Self::Protection),
            9 => u16::decode(from).map(Self::ObjectId),
            10 => Ok(Self::Anchor(None)),
            11 => from.take_counted().map(|anchor| Self::Anchor(Some(anchor.to_vec()))),
            12 => Ok(Self::AnchorWritten),
            _ => Err(Malformed("an unknown response")),
        }
    }
}

impl Wire for KeyLabel {
    fn encode(&self, to: &mut Vec<u8>) {
        put_counted(to, self.as_str().as_bytes());
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        String::decode(from)?.parse().map_err(|_| Malformed("a key label that is none"))
    }
}

impl Wire for Protection {
    fn encode(&self, to: &mut Vec<u8>) {
        to.push(match self {
            Self::NeverLeaves => 0,
            Self::LeavesWrapped => 1,
        });
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => Ok(Self::NeverLeaves),
            1 => Ok(Self::LeavesWrapped),
            _ => Err(Malformed("an unknown protection")),
        }
    }
}

impl Wire for ChainCode {
    fn encode(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.as_bytes());
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        from.take_array().map(Self::new)
    }
}

impl Wire for ToSign {
    fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Self::Digest(digest) => {
                to.push(0);
                to.extend_from_slice(&digest.0);
            }
            Self::Message(message) => {
                to.push(1);
                put_counted(to, message);
            }
        }
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match from.take_tag()? {
            0 => from.take_array().map(|digest| Self::Digest(Digest(digest))),
            1 => from.take_counted().map(|message| Self::Message(message.to_vec())),
            _ => Err(Malformed("an unknown kind of input")),
        }
    }
}

impl Wire for RawSignature {
    fn encode(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.0);
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        from.take_array().map(Self)
    }
}

impl Wire for DeviceInfo {
    fn encode(&self, to: &mut Vec<u8>) {
        for text in [&self.driver, &self.manufacturer, &self.model, &self.serial, &self.firmware, &self.label] {
            text.encode(to);
        }
        (self.longest_message as u64).encode(to);
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            driver: String::decode(from)?,
            manufacturer: String::decode(from)?,
            model: String::decode(from)?,
            serial: String::decode(from)?,
            firmware: String::decode(from)?,
            label: String::decode(from)?,
            longest_message: usize::try_from(u64::decode(from)?).map_err(|_| Malformed("a length too long"))?,
        })
    }
}

#[cfg(test)]
mod tests;
