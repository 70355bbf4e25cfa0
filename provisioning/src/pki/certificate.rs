//! What is read back from a certificate's file.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};
use x509_cert::{
    Certificate,
    der::{DecodePem, Encode},
};

use super::Pair;
use crate::{Error, files};

/// A certificate that lies beside its key.
#[derive(Clone, Debug)]
pub struct IssuedCertificate {
    /// Its file.
    pub certificate: PathBuf,
    /// Its key's file.
    pub key: PathBuf,
    /// SHA-256 of the SubjectPublicKeyInfo, hexadecimal: what a policy names a watcher by.
    pub public_key_sha256: String,
}

impl IssuedCertificate {
    /// Reads `NAME.crt`; `NAME.key` must be there and be its key.
    pub fn read(directory: &Path, name: &str) -> Result<Self, Error> {
        let pair = Pair::of(directory, name);
        let pem = files::read(&pair.certificate)?;
        if !files::exists(&pair.key)? {
            let reason = format!(
                "the key of {} is gone: bring it back, or move the certificate away too and run again",
                pair.certificate.display()
            );
            return Err(Error::Config { path: pair.key, reason });
        }
        expect_key(&pair, &pem, &pair.read_key()?)?;
        let public_key_sha256 = hex::encode(Sha256::digest(public_key_info(&pair.certificate, &pem)?));
        Ok(Self { certificate: pair.certificate, key: pair.key, public_key_sha256 })
    }

    /// The line a policy's `[[watcher]]` takes.
    #[must_use]
    pub fn policy_line(&self) -> String {
        format!("public_keys_sha256 = [\"{}\"]", self.public_key_sha256)
    }
}

/// Whether the certificate will no longer be valid after `span` from now.
pub fn expires_within(certificate: &Path, span: Duration) -> Result<bool, Error> {
    let parsed = parse(certificate, &files::read(certificate)?)?;
    Ok(parsed.tbs_certificate.validity.not_after.to_system_time() < SystemTime::now() + span)
}

/// Refuses a certificate over another key than the one beside it.
pub(super) fn expect_key(pair: &Pair, pem: &str, key: &KeyPair) -> Result<(), Error> {
    if public_key_info(&pair.certificate, pem)? == key.subject_public_key_info() {
        return Ok(());
    }
    let reason = format!("belongs to another key than {}: move one of the two away and run again", pair.key.display());
    Err(Error::Config { path: pair.certificate.clone(), reason })
}

fn public_key_info(path: &Path, pem: &str) -> Result<Vec<u8>, Error> {
    let parsed = parse(path, pem)?;
    parsed.tbs_certificate.subject_public_key_info.to_der().map_err(|error| unreadable(path, &error))
}

fn parse(path: &Path, pem: &str) -> Result<Certificate, Error> {
    Certificate::from_pem(pem).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &x509_cert::der::Error) -> Error {
    Error::Config { path: path.to_owned(), reason: format!("is no certificate: {error}") }
}
