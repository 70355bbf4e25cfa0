//! Words that devices, appliance and watcher share: keys, what is signed, signatures.
//!
//! Pure: no I/O, no device, no clock. A [`VerifiedSignature`] can be made in one way only, by verifying what a device
//! returned under the public key it was asked to sign for, or under the child of it that was wanted; everything that
//! leaves the appliance is one.

mod algorithm;
mod chain_code;
mod child;
mod fixed_base;
mod key_label;
mod public_key;
mod signature;
mod to_sign;
mod verifier;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use chain_code::{BadChainCode, ChainCode};
pub use child::{ChildKey, LAST_CHILD, NoChildren};
pub use key_label::{BadKeyLabel, KeyLabel, KeyPath};
pub use public_key::{BadPublicKey, PublicKey};
pub use signature::{RawSignature, VerifiedSignature, ecdsa_der};
pub use to_sign::{Digest, ToSign};
pub use verifier::{NotValid, Verifier};
