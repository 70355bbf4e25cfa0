//! The CA: its own pair, and what it signs.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use hsm_types::KeyLabel;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData,
};
use sha2::{Digest, Sha256};

use super::{
    BACKDATED_SECONDS, CA_DAYS, IssuedCertificate, Leaf, Pair,
    certificate::{self, CertificateFacts},
    random_serial,
};
use crate::{Error, files, report::Outcome};

/// The CA of one directory, able to sign.
#[derive(Debug)]
pub struct Authority {
    pair: Pair,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes `ca.crt` and `ca.key`, each unless it is there.
    pub fn make(directory: &Path) -> Result<Outcome, Error> {
        let pair = Pair::of(directory, CA);
        if files::exists(&pair.certificate)? {
            return Ok(Outcome::Kept);
        }
        let key = pair.ensure_key()?;
        let digest = hex::encode(Sha256::digest(key.subject_public_key_info()));
        let mut params = params(&format!("Chancery CA {}", digest.split_at(8).0), CA_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(|source| pair.failed(source))?;
        files::create(&pair.certificate, certificate.pem().as_bytes(), files::PUBLIC)
    }

    /// The CA of this directory; its key must be there.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let pair = Pair::of(directory, CA);
        if !files::exists(&pair.key)? {
            let reason = "the CA's key is not here, and only it issues certificates: bring it back for the moment, or \
                          run this where it is kept (`init` makes a CA in a new directory)";
            return Err(Error::Config { path: pair.key, reason: reason.to_owned() });
        }
        let key = pair.read_key()?;
        let pem = files::read(&pair.certificate)?;
        certificate::expect_key(&pair, &pem, &key)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key)
            .map_err(|error| Error::Config { path: pair.certificate.clone(), reason: error.to_string() })?;
        Ok(Self { pair, issuer })
    }

    /// Issues `NAME.crt` over `NAME.key`; the key is made unless it is there, a certificate that is there stays.
    pub fn issue(&self, directory: &Path, leaf: &Leaf) -> Result<IssuedCertificate, Error> {
        let pair = leaf_pair(directory, &leaf.file)?;
        self.certify(&pair, leaf, &pair.ensure_key()?)?;
        IssuedCertificate::read(directory, &leaf.file)
    }

    /// Makes the pair's certificate over `key`, unless it is there.
    pub(super) fn certify(&self, pair: &Pair, leaf: &Leaf, key: &KeyPair) -> Result<(), Error> {
        let mut params = params(&leaf.subject, leaf.days);
        params.use_authority_key_identifier_extension = true;
        leaf.apply(&mut params).map_err(|source| pair.failed(source))?;
        let certificate = params.signed_by(key, &self.issuer).map_err(|source| self.pair.failed(source))?;
        files::create(&pair.certificate, certificate.pem().as_bytes(), files::PUBLIC).map(drop)
    }

    /// Signs a revocation list, as PEM.
    pub(super) fn sign_list(&self, list: &CertificateRevocationListParams) -> Result<String, Error> {
        let signed = list.signed_by(&self.issuer).and_then(|list| list.pem());
        signed.map_err(|source| Error::Certificate { name: "revoked".to_owned(), source })
    }

    /// Its certificate.
    pub(super) fn certificate(&self) -> Result<CertificateFacts, Error> {
        CertificateFacts::read(&self.pair.certificate)
    }
}

/// The pair of a server or a watcher.
pub(super) fn leaf_pair(directory: &Path, name: &str) -> Result<Pair, Error> {
    name.parse::<KeyLabel>().map_err(|error| wrong_name(error.to_string()))?;
    if name == CA {
        return Err(wrong_name("\"ca\" is the authority's own name".to_owned()));
    }
    Ok(Pair::of(directory, name))
}

pub(super) fn wrong_name(reason: String) -> Error {
    Error::Argument { argument: "NAME", reason }
}

fn params(subject: &str, days: u32) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(BACKDATED_SECONDS)).into();
    params.not_after = (now + Duration::from_secs(u64::from(days) * 86_400)).into();
    params.serial_number = Some(random_serial());
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params
}

const CA: &str = "ca";
