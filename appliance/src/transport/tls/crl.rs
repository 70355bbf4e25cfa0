//! Revocation lists (RFC 5280, section 5). A list counts only where a CA of the listener signed it.

use std::{path::Path, sync::Arc};

use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateRevocationListDer, SignatureVerificationAlgorithm},
};
use x509_cert::{
    crl::CertificateList,
    der::{Decode, Encode, Error, asn1::AnyRef},
    spki::AlgorithmIdentifierOwned,
};

use super::{
    certificate::{Read, unix_seconds},
    content, files,
};
use crate::transport::TransportError;

/// The lists of one file.
pub(super) struct RevocationLists {
    pub(super) lists: Vec<CertificateRevocationListDer<'static>>,
    /// When the next of each is due, Unix seconds.
    pub(super) next_updates: Vec<i64>,
}

impl RevocationLists {
    /// Reads them; each must be signed by one of `issuers`.
    pub(super) fn read(file: &Path, issuers: &[Read], provider: &Arc<CryptoProvider>) -> Result<Self, TransportError> {
        let lists = files::revocation_lists(file)?;
        let mut next_updates = Vec::new();
        for list in &lists {
            let unreadable = |error: Error| content(file, format!("not a revocation list: {error}"));
            let list = CertificateList::from_der(list).map_err(unreadable)?;
            let mut signed = false;
            for issuer in issuers {
                signed |= is_signed_by(&list, issuer, provider).map_err(unreadable)?;
            }
            if !signed {
                let what = "not signed by a CA of client_ca: sign it anew with `chancery-provision pki revoke`";
                return Err(content(file, what.to_owned()));
            }
            next_updates.extend(list.tbs_cert_list.next_update.map(unix_seconds));
        }
        Ok(Self { lists, next_updates })
    }
}

fn is_signed_by(list: &CertificateList, issuer: &Read, provider: &CryptoProvider) -> Result<bool, Error> {
    if list.tbs_cert_list.issuer != issuer.subject {
        return Ok(false);
    }
    let message = list.tbs_cert_list.to_der()?;
    let (key_algorithm, algorithm) = (identifier(&issuer.key.algorithm)?, identifier(&list.signature_algorithm)?);
    let fits = |known: &&&dyn SignatureVerificationAlgorithm| {
        known.public_key_alg_id().as_ref() == key_algorithm && known.signature_alg_id().as_ref() == algorithm
    };
    let key = issuer.key.subject_public_key.raw_bytes();
    let mut fitting = provider.signature_verification_algorithms.all.iter().filter(fits);
    Ok(fitting.any(|known| known.verify_signature(key, &message, list.signature.raw_bytes()).is_ok()))
}

/// As the library compares them: without the outer tag and length.
fn identifier(algorithm: &AlgorithmIdentifierOwned) -> Result<Vec<u8>, Error> {
    Ok(AnyRef::from_der(&algorithm.to_der()?)?.value().to_vec())
}
