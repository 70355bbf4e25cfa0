//! The seam between the appliance and its devices.

mod anchor;
mod log;

use hsm_types::{ChainCode, KeyLabel, PublicKey, RawSignature, ToSign};

pub(crate) use self::anchor::{ANCHOR, Generations, kept, too_long};
pub use self::{
    anchor::LONGEST_ANCHOR,
    log::{BrokenChain, DeviceLog, DeviceLogEntry, DeviceLogPage, entries_after, verify_chain},
};
use crate::Error;

/// One logged-in session of one HSM, owned by one thread.
///
/// A value of a type with this trait *is* logged in: there is no `open`, `login` or `close`. `&mut` says exclusive use,
/// because a signature is two or three calls that share state on the token. Callers name keys by label; object handles
/// and object ids stay inside.
pub trait Device: Send {
    /// What the device says about itself.
    fn info(&mut self) -> Result<DeviceInfo, Error>;

    /// The public key of `key`, after its attributes were read back and found fit to serve.
    ///
    /// # Errors
    /// [`Error::KeyUnfit`] lists every deviation from what a serving key must be.
    fn public_key(&mut self, key: &KeyLabel) -> Result<PublicKey, Error>;

    /// Whether `key` can leave the device, after the same look at it as in [`Device::public_key`].
    ///
    /// # Errors
    /// As [`Device::public_key`].
    fn protection(&mut self, key: &KeyLabel) -> Result<Protection, Error>;

    /// What children of `key` are derived with; none where the device holds no chain code for it.
    ///
    /// # Errors
    /// [`Error::KeyUnfit`] where there is more than one, or what is there may not be used. None is ever chosen.
    fn chain_code(&mut self, key: &KeyLabel) -> Result<Option<ChainCode>, Error>;

    /// One signature, unverified.
    ///
    /// # Errors
    /// [`Error::disposition`] says whether a signature can exist.
    fn sign(&mut self, key: &KeyLabel, input: &ToSign) -> Result<RawSignature, Error>;

    /// The device's own word about `key`, an X.509 certificate in DER; none where devices of this kind give none.
    ///
    /// # Errors
    /// As [`Device::public_key`], and where the device may not, or does not, attest.
    fn attestation(&mut self, _key: &KeyLabel) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }

    /// The certificate of the key that signs attestations, as the device holds it; none where there is no such thing.
    ///
    /// # Errors
    /// As of any call to the device.
    fn attestation_issuer(&mut self) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }

    /// The appliance's anchor, as it was written last; none where none ever was.
    ///
    /// # Errors
    /// [`Error::KeyUnfit`] where what is there is no anchor; which of two is the newer one is known otherwise.
    fn read_anchor(&mut self) -> Result<Option<Vec<u8>>, Error>;

    /// Keeps these bytes, at most [`LONGEST_ANCHOR`], in place of those written before. Whenever it is interrupted, one
    /// of both is read afterwards.
    ///
    /// # Errors
    /// As of any call to the device: the anchor read afterwards may be either.
    fn write_anchor(&mut self, anchor: &[u8]) -> Result<(), Error>;

    /// What the device itself writes down about what it did; none where devices of this kind keep no log.
    fn device_log(&mut self) -> Option<&mut dyn DeviceLog> {
        None
    }
}

/// Whether a private key can leave its device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protection {
    /// Never, in no form: it was made there and stays.
    NeverLeaves,
    /// Only wrapped, under a key that the security officer trusts; perhaps it came so itself. There is, or may be,
    /// another device that holds it.
    LeavesWrapped,
}

/// What a device says about itself, and what its driver can carry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceInfo {
    /// `pkcs11` or `yubihsm`, as in the configuration.
    pub driver: String,
    /// Manufacturer of the token, not of the module.
    pub manufacturer: String,
    /// Model of the token.
    pub model: String,
    /// Serial number, as the device prints it.
    pub serial: String,
    /// Firmware version.
    pub firmware: String,
    /// PKCS#11: label of the token. YubiHSM, which has none: empty.
    pub label: String,
    /// The longest message an Ed25519 key of this device signs, in bytes.
    pub longest_message: usize,
}
