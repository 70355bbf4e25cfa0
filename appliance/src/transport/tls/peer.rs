//! What a certificate says that matters here: its public key and when it is valid. Names in it mean nothing.

use sha2::{Digest, Sha256};
use x509_cert::{
    Certificate,
    der::{Decode, Encode, Error},
    time::Time,
};

use crate::principal::Peer;

/// The peer that a verified certificate belongs to.
pub(in crate::transport) fn peer(certificate: &[u8]) -> Result<Peer, Error> {
    let certificate = Certificate::from_der(certificate)?.tbs_certificate;
    Ok(Peer {
        spki_sha256: Sha256::digest(certificate.subject_public_key_info.to_der()?).into(),
        not_before: unix_seconds(certificate.validity.not_before),
        not_after: unix_seconds(certificate.validity.not_after),
    })
}

/// Refuses a certificate of our own that every client would refuse.
pub(super) fn check_in_time(certificate: &[u8], now: i64) -> Result<(), String> {
    let own = peer(certificate).map_err(|error| format!("not a certificate: {error}"))?;
    if own.not_after < now {
        return Err("the certificate has expired: issue a new one with `chancery-provision pki`".to_owned());
    }
    if now < own.not_before {
        return Err("the certificate is not valid yet: check this machine's clock, or wait".to_owned());
    }
    Ok(())
}

fn unix_seconds(time: Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}
