//! A certificate authority for one appliance and its watchers: ECDSA on P-256, files of PEM.
//!
//! Every certificate has a subject name of its own; where CA and leaf share one, verifiers take the leaf for
//! self-signed.

mod authority;
mod certificate;
mod leaf;
mod listing;
mod renewal;
mod revocation;

pub use authority::Authority;
pub use certificate::{IssuedCertificate, expires_within};
pub use leaf::{Leaf, Use};
pub use listing::{Listed, list};
pub use renewal::Renewed;
pub use revocation::{REVOCATION_LIST, RevocationList, Revoked};

use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, SerialNumber};
use zeroize::Zeroizing;

use crate::{Error, files};

/// Days a certificate of server or watcher is valid.
pub const LEAF_DAYS: u32 = 365;

const CA_DAYS: u32 = 3650;

/// Clocks of watcher and appliance may differ by this much on the first day.
const BACKDATED_SECONDS: u64 = 3600;

/// `NAME.crt` and `NAME.key` of a directory.
#[derive(Clone, Debug)]
struct Pair {
    name: String,
    certificate: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn of(directory: &Path, name: &str) -> Self {
        let file = |ending: &str| directory.join(format!("{name}.{ending}"));
        Self { name: name.to_owned(), certificate: file("crt"), key: file("key") }
    }

    /// Where the pair that replaces this one is made.
    fn next(&self) -> Self {
        let file = |path: &Path| files::with_suffix(path, "next");
        Self { name: self.name.clone(), certificate: file(&self.certificate), key: file(&self.key) }
    }

    /// Where this pair stays once it was replaced, told from others by the number of its certificate.
    fn superseded(&self, serial: &[u8]) -> Self {
        let suffix = format!("{OLD}{}", hex::encode(serial.get(..4).unwrap_or(serial)));
        let file = |path: &Path| files::with_suffix(path, &suffix);
        Self { name: self.name.clone(), certificate: file(&self.certificate), key: file(&self.key) }
    }

    /// The key: the one that is there, or a new one. It is written before any certificate names it.
    fn ensure_key(&self) -> Result<KeyPair, Error> {
        if !files::exists(&self.key)? {
            let made = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|source| self.failed(source))?;
            let pem = Zeroizing::new(made.serialize_pem());
            files::create(&self.key, pem.as_bytes(), files::SECRET)?;
        }
        self.read_key()
    }

    fn read_key(&self) -> Result<KeyPair, Error> {
        let pem = Zeroizing::new(files::read(&self.key)?);
        KeyPair::from_pem(&pem)
            .map_err(|error| Error::Config { path: self.key.clone(), reason: format!("is no private key: {error}") })
    }

    fn failed(&self, source: rcgen::Error) -> Error {
        Error::Certificate { name: self.name.clone(), source }
    }
}

/// What follows `NAME.crt.` where a newer one took its place.
const OLD: &str = "old-";

/// 16 random bytes, positive as DER counts.
fn random_serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// Whether a certificate's files may be called so: as a key's label, and not the authority's own name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.parse::<hsm_types::KeyLabel>().is_ok() && name != "ca"
}
