//! What a device keeps without power, and the file it is kept in.

mod file;
mod text;

use std::{fmt::Debug, io, path::PathBuf};

use zeroize::Zeroizing;

pub(super) use self::file::StateFile;
use super::{
    audit::Audit,
    certificate::{self, Issuer},
    keys,
    log::Log,
    objects::{Object, Objects},
};
use crate::yubihsm2::protocol::{
    Algorithm, Capabilities, Domains, ErrorCode, Label, ObjectInfo, ObjectType, Origin, channel::StaticKeys,
};

/// The kept state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadState {
    /// The file cannot be read or written.
    #[error("simulator state {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error(
        "simulator state {}: line {line} is not one of a simulator's state: name another file, or delete this one and \
         all its keys with it",
        path.display()
    )]
    Text {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; one behind the last where the end is missing.
        line: usize,
    },
    /// Another process has the device, or this one twice.
    #[error(
        "simulator state {}: {} has this device open, and two would each lose what the other did: stop it, or name \
         another file",
        path.display(),
        holder.map_or_else(|| "another process".to_owned(), |process| format!("process {process}"))
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// Process id of whoever has it.
        holder: Option<u32>,
    },
    /// There is no device to power on.
    #[error(
        "simulator state {}: there is no such file: make a device by `chancery-provision init --token simulator`, or \
         name the one there is in CHANCERY_SIMULATOR",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A variable of the environment says something else than it can.
    #[error("{name}: write the milliseconds of a signature, such as 70")]
    Variable {
        /// The variable.
        name: &'static str,
    },
    /// No key or certificate could be made.
    #[error("simulator state: no keys could be made for a fresh device")]
    Fresh,
}

/// What a device keeps without power.
#[derive(Clone)]
pub(super) struct State {
    pub(super) serial: u32,
    /// Survive a reset: they are the maker's.
    pub(super) maker: Certified,
    pub(super) attestation: Certified,
    pub(super) objects: Objects,
    pub(super) audit: Audit,
    pub(super) log: Log,
}

/// A P-256 key and its certificate.
#[derive(Clone)]
pub(super) struct Certified {
    pub(super) key: Zeroizing<Vec<u8>>,
    /// DER. That of the attestation key is made when the device is powered on: it names the firmware.
    pub(super) certificate: Vec<u8>,
}

impl Certified {
    pub(super) fn issuer(&self) -> Issuer<'_> {
        Issuer { key: &self.key, certificate: &self.certificate }
    }
}

impl State {
    /// A device from the factory.
    pub(super) fn fresh(serial: u32) -> Result<Self, BadState> {
        let key = || keys::generate(Algorithm::EC_P256).map_err(|_| BadState::Fresh);
        let maker_key = key()?;
        let public = keys::public(Algorithm::EC_P256, &maker_key).map_err(|_| BadState::Fresh)?;
        let certificate = certificate::maker(&maker_key, &public).map_err(|_| BadState::Fresh)?;
        let maker = Certified { key: maker_key, certificate };
        let attestation = Certified { key: key()?, certificate: Vec::new() };
        let (objects, audit, log) = (Objects::default(), Audit::default(), Log::fresh());
        let mut state = Self { serial, maker, attestation, objects, audit, log };
        state.reset();
        Ok(state)
    }

    /// Back to what the factory left: one authentication key, nothing else but serial number and attestation key.
    pub(super) fn reset(&mut self) {
        (self.objects, self.audit, self.log) = (Objects::default(), Audit::default(), Log::fresh());
        let value = StaticKeys::from_password(b"password").to_bytes().to_vec();
        let info = ObjectInfo {
            capabilities: Capabilities::ALL,
            id: 1,
            length: 0,
            domains: Domains::ALL,
            object_type: ObjectType::AUTHENTICATION_KEY,
            algorithm: Algorithm::AES128_YUBICO_AUTHENTICATION,
            sequence: 0,
            origin: Origin::IMPORTED,
            label: Label::new("DEFAULT AUTHKEY CHANGE THIS ASAP").unwrap_or(Label([0; Label::LENGTH])),
            delegated_capabilities: Capabilities::ALL,
        };
        let kept: Result<u16, ErrorCode> = self.objects.insert(Object { info, value: Zeroizing::new(value) });
        debug_assert!(kept.is_ok(), "an empty device has room for it");
    }
}
