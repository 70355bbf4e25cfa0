//! What a device keeps without power, and the file it is kept in.

mod text;

use std::{
    fmt::Debug,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

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

    /// The state in `file`; none where there is no such file.
    pub(super) fn read(file: &Path) -> Result<Option<Self>, BadState> {
        let bytes = match fs::read(file) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(BadState::File { path: file.to_owned(), cause }),
        };
        text::read(&bytes).map(Some).map_err(|line| BadState::Text { path: file.to_owned(), line })
    }

    /// What [`write`] is given.
    pub(super) fn to_text(&self) -> Zeroizing<Vec<u8>> {
        text::write(self)
    }
}

/// Replaces `file` whole: what is there afterwards is the old state or the new one.
pub(super) fn write(file: &Path, text: &[u8]) -> Result<(), BadState> {
    let failed = |cause| BadState::File { path: file.to_owned(), cause };
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    replace(file, Path::new(&beside), text).map_err(failed)
}

fn replace(file: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(beside)?;
    new.write_all(bytes)?;
    new.sync_data()?;
    fs::rename(beside, file)?;
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
