//! Keys in a token of any make, and the tokens that `init` makes.

mod device;
mod softhsm;
mod yubihsm;

use std::str::FromStr;

use hsm_drivers::{
    Error as DeviceError, Protection,
    yubihsm2::connector::{Address, NotAnAddress},
};
use hsm_types::{Algorithm, KeyLabel, PublicKey};

pub(crate) use self::yubihsm::open_simulator;
pub use self::{
    device::Device,
    softhsm::{LABEL, SoftToken, find_module},
    yubihsm::{ADMINISTRATOR, ADMINISTRATOR_PASSWORD, SIGNER, YubiToken},
};
use crate::{Error, report::Outcome};

/// A key to be made.
#[derive(Clone, Debug)]
pub struct PlannedKey {
    /// Its label.
    pub label: KeyLabel,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Whether it may have children.
    pub children: bool,
}

/// Keys of the appliance itself; no policy may name them.
pub const OWN_KEYS: [(&str, Algorithm); 2] =
    [("chancery-log", Algorithm::Ed25519), ("chancery-self-test", Algorithm::Secp256k1)];

/// The appliance's own keys, as they are made.
pub fn own_keys() -> impl Iterator<Item = PlannedKey> {
    // Both names are labels.
    let planned = |(label, algorithm): (&str, Algorithm)| Some((label.parse().ok()?, algorithm));
    OWN_KEYS.into_iter().filter_map(planned).map(|(label, algorithm)| PlannedKey { label, algorithm, children: false })
}

/// What kind of token `init` makes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TokenKind {
    /// SoftHSM: files behind PKCS#11.
    SoftHsm,
    /// A YubiHSM 2 from the factory that is reached so, or a simulated one.
    Yubihsm(Address),
}

impl FromStr for TokenKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "softhsm" => Ok(Self::SoftHsm),
            Ok(address) => Ok(Self::Yubihsm(address)),
            Err(NotAnAddress { .. }) => {
                Err("write softhsm, simulator, or the connector of a YubiHSM 2: http://HOST:PORT, usb:SERIAL"
                    .to_owned())
            }
        }
    }
}

/// The key of this name, made unless it is there; one of another algorithm, one without the children wanted, or one that
/// may not serve, is refused.
pub fn ensure_key(token: &mut Device, key: &PlannedKey) -> Result<(Outcome, PublicKey), Error> {
    let PlannedKey { label, algorithm, children } = key;
    let Some(listing) = token.listing(label)? else {
        let protection = Protection::NeverLeaves;
        let made = if *children {
            make_parent(token, label, protection)?
        } else {
            token.generate_key(label, *algorithm, protection)?
        };
        return Ok((Outcome::Made, made));
    };
    let mut findings = listing.findings;
    if *children && !listing.children {
        return Err(Error::MadeWithoutChildren { key: label.clone() });
    }
    if listing.algorithm.is_some_and(|found| found != *algorithm) {
        findings.push(format!("it is there already and its algorithm is not {algorithm}"));
    }
    match listing.public_key {
        Some(public_key) if findings.is_empty() => Ok((Outcome::Kept, public_key)),
        _ => Err(DeviceError::KeyUnfit { key: label.clone(), findings }.into()),
    }
}

/// A new secp256k1 key that may have children. Children are given to a key when it is made, or never: signatures and
/// addresses of a key that is in use must not come to depend on a chain code no backup has.
pub fn make_parent(token: &mut Device, label: &KeyLabel, protection: Protection) -> Result<PublicKey, Error> {
    match token.generate_parent(label, protection) {
        Ok(public_key) => Ok(public_key),
        Err(exists @ DeviceError::KeyExists { .. }) => {
            let listing = token.listing(label)?;
            if listing.is_none_or(|listing| listing.children) {
                return Err(exists.into());
            }
            Err(Error::MadeWithoutChildren { key: label.clone() })
        }
        Err(error) => Err(error.into()),
    }
}
