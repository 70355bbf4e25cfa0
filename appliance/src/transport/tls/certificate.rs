//! What a certificate says that matters here: its public key and when it is valid. Names in it mean nothing.

use sha2::{Digest, Sha256};
use x509_cert::{
    Certificate,
    der::{Decode, Encode, Error},
    name::Name,
    spki::SubjectPublicKeyInfoOwned,
    time::Time,
};

/// What is read from a certificate.
pub(in crate::transport) struct Read {
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub(in crate::transport) spki_sha256: [u8; 32],
    /// Start of its validity, Unix seconds.
    pub(in crate::transport) not_before: i64,
    /// End of its validity, Unix seconds.
    pub(in crate::transport) not_after: i64,
    /// Which key.
    pub(super) key: SubjectPublicKeyInfoOwned,
    /// Where it is a CA: what its revocation lists call their issuer.
    pub(super) subject: Name,
}

impl Read {
    /// Reads a certificate; verifies nothing.
    pub(in crate::transport) fn new(certificate: &[u8]) -> Result<Self, Error> {
        let certificate = Certificate::from_der(certificate)?.tbs_certificate;
        Ok(Self {
            spki_sha256: Sha256::digest(certificate.subject_public_key_info.to_der()?).into(),
            not_before: unix_seconds(certificate.validity.not_before),
            not_after: unix_seconds(certificate.validity.not_after),
            key: certificate.subject_public_key_info,
            subject: certificate.subject,
        })
    }

    /// Refuses a certificate of our own that every client would refuse.
    pub(super) fn check_in_time(&self, now: i64) -> Result<(), String> {
        if self.not_after < now {
            return Err("the certificate has expired: issue a new one with `chancery-provision pki renew`".to_owned());
        }
        if now < self.not_before {
            return Err("the certificate is not valid yet: check this machine's clock, or wait".to_owned());
        }
        Ok(())
    }
}

pub(super) fn unix_seconds(time: Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}
