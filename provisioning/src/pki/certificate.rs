//! What is read back from a certificate's file.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};
use x509_cert::{
    Certificate, TbsCertificate,
    der::{DateTime, DecodePem, Encode, Error as DerError, asn1::ObjectIdentifier},
    ext::pkix::{BasicConstraints, ExtendedKeyUsage, SubjectAltName, name::GeneralName},
    name::Name,
};

use super::{Pair, Use};
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

/// What a certificate says.
#[derive(Clone, Debug)]
pub(super) struct CertificateFacts {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) common_name: String,
    pub(super) serial: Vec<u8>,
    pub(super) not_after: DateTime,
    pub(super) public_key_sha256: String,
    /// Whether it is a CA's.
    pub(super) is_ca: bool,
    /// `None` where it is for neither end.
    pub(super) usage: Option<Use>,
}

impl CertificateFacts {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let certificate = parse(path, &files::read(path)?)?.tbs_certificate;
        let unreadable = |error: DerError| unreadable(path, &error);
        let public_key = certificate.subject_public_key_info.to_der().map_err(unreadable)?;
        Ok(Self {
            issuer: certificate.issuer.to_string(),
            subject: certificate.subject.to_string(),
            common_name: common_name(&certificate.subject).unwrap_or_default(),
            serial: certificate.serial_number.as_bytes().to_vec(),
            not_after: certificate.validity.not_after.to_date_time(),
            public_key_sha256: hex::encode(Sha256::digest(public_key)),
            is_ca: certificate.get::<BasicConstraints>().map_err(unreadable)?.is_some_and(|(_, basic)| basic.ca),
            usage: usage(&certificate).map_err(unreadable)?,
        })
    }
}

fn common_name(subject: &Name) -> Option<String> {
    let attribute = subject.0.iter().flat_map(|rdn| rdn.0.iter()).find(|attribute| attribute.oid == COMMON_NAME)?;
    std::str::from_utf8(attribute.value.value()).ok().map(str::to_owned)
}

fn usage(certificate: &TbsCertificate) -> Result<Option<Use>, DerError> {
    let usages = certificate.get::<ExtendedKeyUsage>()?.map(|(_, usages)| usages.0).unwrap_or_default();
    if usages.contains(&CLIENT_AUTH) {
        return Ok(Some(Use::Watcher));
    }
    if !usages.contains(&SERVER_AUTH) {
        return Ok(None);
    }
    let names = certificate.get::<SubjectAltName>()?.map(|(_, names)| names.0).unwrap_or_default();
    Ok(Some(Use::Server(names.iter().filter_map(server_name).collect())))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other names are none a watcher connects to")]
fn server_name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// `id-at-commonName`, `id-kp-serverAuth`, `id-kp-clientAuth` (RFC 5280).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

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

/// Whether the certificate in this file is over this key.
pub(super) fn is_over(certificate: &Path, key: &KeyPair) -> Result<bool, Error> {
    Ok(public_key_info(certificate, &files::read(certificate)?)? == key.subject_public_key_info())
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
