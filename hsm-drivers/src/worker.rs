//! One child process per token: vendors' modules crash and hang, and must take nothing with them.
//!
//! Parent and child speak frames over a socket pair whose one end is the child's stdin. The PIN travels only there:
//! never in an argument, never in an environment variable.

mod answers;
mod batch;
mod confine;
mod frame;
mod message;
mod outstanding;
mod parent;
mod pool;
mod probe;
mod process;
mod serve;
mod wire;

use std::path::PathBuf;

use hsm_types::{ChainCode, KeyLabel, PublicKey, RawSignature, ToSign};

pub use parent::Worker;
pub use probe::{Probed, probe};
pub use serve::serve;

use crate::{DeviceInfo, DeviceLogPage, Pin, Protection};

/// What a worker is to open.
#[derive(Debug)]
pub struct Opening {
    /// Where the device is and how to log in.
    pub driver: Driver,
    /// Sessions, each with a thread of its own. A YubiHSM works serially and is given one, whatever stands here.
    pub sessions: usize,
    /// What the worker can neither read nor write from before the device's module is loaded: absolute paths.
    pub forbidden: Vec<PathBuf>,
}

/// What a worker says once it is open.
#[derive(Debug)]
struct Opened {
    info: DeviceInfo,
    caveats: Vec<String>,
}

/// Which device, by which driver.
#[derive(Debug)]
pub enum Driver {
    /// A PKCS#11 token.
    Pkcs11 {
        /// The vendor's shared library.
        module: PathBuf,
        /// `CK_TOKEN_INFO.label`, without padding.
        label: String,
        /// `CK_TOKEN_INFO.serialNumber`, where it is pinned.
        serial: Option<String>,
        /// The user PIN.
        pin: Pin,
    },
    /// A YubiHSM 2.
    Yubihsm {
        /// The way there, as [`Address`](crate::yubihsm2::connector::Address) reads it.
        connector: String,
        /// Object id of the authentication key.
        authentication_key: u16,
        /// Its password.
        password: Pin,
    },
}

/// What a worker can be asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// [`Device::info`](crate::Device::info).
    Info,
    /// [`Device::public_key`](crate::Device::public_key).
    PublicKey(KeyLabel),
    /// [`Device::protection`](crate::Device::protection).
    Protection(KeyLabel),
    /// [`Device::chain_code`](crate::Device::chain_code).
    ChainCode(KeyLabel),
    /// [`Device::sign`](crate::Device::sign) for each input, over all sessions: all are signed or the first error is
    /// the answer.
    Sign {
        /// The key.
        key: KeyLabel,
        /// In the order of the signatures wanted.
        inputs: Vec<ToSign>,
    },
    /// [`Device::attestation`](crate::Device::attestation).
    Attestation(KeyLabel),
    /// [`Device::attestation_issuer`](crate::Device::attestation_issuer).
    AttestationIssuer,
    /// [`DeviceLog::read`](crate::DeviceLog::read).
    ReadDeviceLog,
    /// [`DeviceLog::acknowledge`](crate::DeviceLog::acknowledge) through this number.
    AcknowledgeDeviceLog(u16),
    /// [`DeviceLog::object_id`](crate::DeviceLog::object_id).
    ObjectId(KeyLabel),
    /// [`Device::read_anchor`](crate::Device::read_anchor).
    ReadAnchor,
    /// [`Device::write_anchor`](crate::Device::write_anchor) of these bytes.
    WriteAnchor(Vec<u8>),
}

/// What a worker answers, kind by kind of [`Request`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Response {
    /// To [`Request::Info`].
    Info(DeviceInfo),
    /// To [`Request::PublicKey`].
    PublicKey(PublicKey),
    /// To [`Request::Protection`].
    Protection(Protection),
    /// To [`Request::ChainCode`].
    ChainCode(Option<ChainCode>),
    /// To [`Request::Sign`], in the order of its inputs.
    Signatures(Vec<RawSignature>),
    /// To [`Request::Attestation`] and [`Request::AttestationIssuer`]: a certificate in DER.
    Attestation(Option<Vec<u8>>),
    /// To [`Request::ReadDeviceLog`]: none where the device keeps no log.
    DeviceLog(Option<DeviceLogPage>),
    /// To [`Request::AcknowledgeDeviceLog`].
    DeviceLogAcknowledged,
    /// To [`Request::ObjectId`].
    ObjectId(u16),
    /// To [`Request::ReadAnchor`].
    Anchor(Option<Vec<u8>>),
    /// To [`Request::WriteAnchor`].
    AnchorWritten,
}
