//! PKCS#11 tokens and YubiHSM 2 devices behind one small trait, and the worker process each of them lives in.
//!
//! Synchronous, and ignorant of everything above: no policy, no audit log, no runtime, no configuration format. A
//! [`Device`] is one logged-in session, owned by one thread. The appliance holds none itself: vendors' modules crash,
//! hang and forget, so they run in a process of their own ([`worker`]) that can be killed and started afresh.
//!
//! What comes out is a [`RawSignature`](hsm_types::RawSignature): a device is not believed, the caller verifies.

#[cfg(feature = "ceremony")]
pub mod ceremony;
mod device;
mod error;
mod pin;
pub mod pkcs11;
pub mod probe;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod worker;
pub mod yubihsm2;

pub use device::{
    BrokenChain, Device, DeviceInfo, DeviceLog, DeviceLogEntry, DeviceLogPage, LONGEST_ANCHOR, Protection,
    entries_after, verify_chain,
};
pub use error::{Disposition, Error, Login, TriesLeft};
pub use pin::Pin;
