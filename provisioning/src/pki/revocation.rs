//! The revocation list of a CA (RFC 5280, section 5): the file the appliance's `client_crl` names.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use x509_cert::{
    crl::CertificateList,
    der::{DateTime, Decode, Document, asn1::ObjectIdentifier},
    ext::pkix::CrlNumber,
};

use super::{
    Authority, OLD, Use,
    authority::{leaf_pair, wrong_name},
    certificate::CertificateFacts,
};
use crate::{Error, files};

/// The list's name in the directory of its CA.
pub const REVOCATION_LIST: &str = "revoked.crl";

/// What a CA has revoked, as its list says.
#[derive(Clone, Debug, Default)]
pub struct RevocationList {
    issuer: Option<String>,
    number: u64,
    revoked: Vec<(Vec<u8>, SystemTime)>,
}

/// What [`Authority::revoke`] did.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The list.
    pub list: PathBuf,
    /// Certificates that are on it now and were not before.
    pub added: Vec<PathBuf>,
    /// How many are on it.
    pub total: usize,
    /// Public keys of what was revoked by name, as the policy names them; without repetition.
    pub public_keys_sha256: Vec<String>,
    /// When the next list is due.
    pub next_update: DateTime,
}

impl RevocationList {
    /// The directory's; an empty one where there is none.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(REVOCATION_LIST);
        if !files::exists(&path)? {
            return Ok(Self::default());
        }
        let unreadable = |error: x509_cert::der::Error| Error::Config {
            path: path.clone(),
            reason: format!("is no revocation list: {error}"),
        };
        let text = files::read(&path)?;
        let (_, document) = Document::from_pem(&text).map_err(unreadable)?;
        let list = document.decode_msg::<CertificateList>().map_err(unreadable)?.tbs_cert_list;
        let number = list.crl_extensions.iter().flatten().find(|extension| extension.extn_id == CRL_NUMBER);
        let number = number.map(|found| CrlNumber::from_der(found.extn_value.as_bytes())).transpose();
        let number = number.map_err(unreadable)?.map_or(0, |number| {
            number.0.as_bytes().iter().fold(0_u64, |value, byte| value.wrapping_shl(8) | u64::from(*byte))
        });
        let revoked = list.revoked_certificates.unwrap_or_default().into_iter();
        let revoked = revoked.map(|one| (one.serial_number.as_bytes().to_vec(), one.revocation_date.to_system_time()));
        Ok(Self { issuer: Some(list.issuer.to_string()), number, revoked: revoked.collect() })
    }

    /// Whether the certificate with this serial number is revoked.
    #[must_use]
    pub fn contains(&self, serial: &[u8]) -> bool {
        self.revoked.iter().any(|(revoked, _)| revoked == serial)
    }
}

impl Authority {
    /// Adds the certificates of `names`, those they replaced included, and signs the list anew.
    pub fn revoke(&self, directory: &Path, names: &[String], days: u32) -> Result<Revoked, Error> {
        let mut list = RevocationList::open(directory)?;
        let path = directory.join(REVOCATION_LIST);
        if list.issuer.as_ref().is_some_and(|issuer| self.certificate().is_ok_and(|own| own.subject != *issuer)) {
            let reason = "is the list of another CA than ca.crt here: move it away".to_owned();
            return Err(Error::Config { path, reason });
        }
        let now = SystemTime::now();
        let (mut added, mut public_keys_sha256) = (Vec::new(), Vec::new());
        for name in names {
            for certificate in certificates_of(directory, name)? {
                let facts = CertificateFacts::read(&certificate)?;
                if matches!(facts.usage, Some(Use::Server(_))) {
                    let reason = "is a server's, and no watcher reads this list: give the appliance another with \
                                  `pki renew --new-key`; who must not believe the old one needs another CA";
                    return Err(wrong_name(format!("{name} {reason}")));
                }
                if !list.contains(&facts.serial) {
                    list.revoked.push((facts.serial, now));
                    added.push(certificate);
                }
                public_keys_sha256.push(facts.public_key_sha256);
            }
        }
        public_keys_sha256.sort();
        public_keys_sha256.dedup();
        let next_update = now + Duration::from_secs(u64::from(days) * 86_400);
        files::replace(&path, &self.sign_list(&signable(&list, now, next_update))?)?;
        let unreadable = |error: x509_cert::der::Error| Error::Config { path: path.clone(), reason: error.to_string() };
        let next_update = DateTime::from_system_time(next_update).map_err(unreadable)?;
        Ok(Revoked { list: path, added, total: list.revoked.len(), public_keys_sha256, next_update })
    }
}

fn signable(list: &RevocationList, now: SystemTime, next_update: SystemTime) -> CertificateRevocationListParams {
    let revoked = list.revoked.iter().map(|(serial, at)| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: (*at).into(),
        reason_code: None,
        invalidity_date: None,
    });
    CertificateRevocationListParams {
        this_update: now.into(),
        next_update: next_update.into(),
        crl_number: SerialNumber::from(list.number + 1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    }
}

/// `NAME.crt` and those that it replaced.
fn certificates_of(directory: &Path, name: &str) -> Result<Vec<PathBuf>, Error> {
    let current = leaf_pair(directory, name)?.certificate;
    let failed = |source| Error::File { attempted: "list", path: directory.to_owned(), source };
    let old = format!("{name}.crt.{OLD}");
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_old = path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&old));
        if is_old || path == current {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        let reason = "is not here, nor one it replaced: what is revoked is a certificate, by its number".to_owned();
        return Err(Error::Config { path: current, reason });
    }
    Ok(found)
}

/// `id-ce-cRLNumber` (RFC 5280, section 5.2.3).
const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
