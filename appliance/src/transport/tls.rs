//! TLS 1.3 and nothing older, with a client certificate or not at all: what a listener's files come to.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rustls::{
    Error, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};

use super::TransportError;

mod certificate;
mod crl;
mod files;

pub(super) use certificate::Read;
use crl::RevocationLists;
pub use files::TlsFiles;
pub(super) use files::{Stamps, stamps};

/// When something of a listener's files ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expiry {
    /// `server`, `client_ca` or `client_crl`.
    pub name: &'static str,
    /// Its file.
    pub file: PathBuf,
    /// The earliest end in it; of a revocation list when the next one is due.
    pub at: Timestamp,
}

/// What the files of a listener said when they were read.
pub(super) struct Loaded {
    /// For the connections to come. Its sessions are its own: none of an earlier one is resumed under it.
    pub(super) config: Arc<ServerConfig>,
    /// When each file ends.
    pub(super) expiries: Vec<Expiry>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Loaded {
    /// Whether a client with this chain would be admitted now.
    pub(super) fn admits(&self, chain: &[CertificateDer<'static>]) -> bool {
        let Some((own, intermediates)) = chain.split_first() else { return false };
        self.verifier.verify_client_cert(own, intermediates, UnixTime::now()).is_ok()
    }
}

/// Reads the files.
pub(super) fn load(files: &TlsFiles) -> Result<Loaded, TransportError> {
    let provider = Arc::new(ring::default_provider());
    let chain = files::certificates(&files.certificate)?;
    let read = parsed(&files.certificate, &chain)?;
    if let Some(own) = read.first() {
        let now = Timestamp::now().as_second();
        own.check_in_time(now).map_err(|what| content(&files.certificate, what))?;
    }
    let key = files::private_key(&files.private_key)?;
    let cas = files::certificates(&files.client_ca)?;
    let issuers = parsed(&files.client_ca, &cas)?;
    let mut expiries = vec![
        expiry("server", &files.certificate, read.iter().map(|read| read.not_after)),
        expiry("client_ca", &files.client_ca, issuers.iter().map(|read| read.not_after)),
    ];
    let mut lists = None;
    if let Some(file) = &files.client_crl {
        let read = RevocationLists::read(file, &issuers, &provider)?;
        expiries.push(expiry("client_crl", file, read.next_updates.iter().copied()));
        lists = Some((file, read));
    }
    let verifier = client_verifier(&files.client_ca, cas, lists, &provider)?;
    let config = server_config(files, provider, Arc::clone(&verifier), chain, key)?;
    Ok(Loaded { config: Arc::new(config), expiries, verifier })
}

fn server_config(
    files: &TlsFiles,
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ClientCertVerifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, TransportError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| content(&files.certificate, error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| own_certificate_error(files, &error))?;
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    // Early data can be replayed by anybody on the way.
    config.max_early_data_size = 0;
    Ok(config)
}

/// Name of HTTP/2 in the handshake.
pub(super) const HTTP_2: &[u8] = b"h2";

fn parsed(file: &Path, certificates: &[CertificateDer<'_>]) -> Result<Vec<Read>, TransportError> {
    let read = certificates.iter().map(|der| Read::new(der)).collect::<Result<_, _>>();
    read.map_err(|error| content(file, format!("not a certificate: {error}")))
}

/// The earliest of some ends, Unix seconds.
fn expiry(name: &'static str, file: &Path, ends: impl Iterator<Item = i64>) -> Expiry {
    let earliest = ends.min().unwrap_or(i64::MAX);
    Expiry { name, file: file.to_owned(), at: Timestamp::from_second(earliest).unwrap_or(Timestamp::MAX) }
}

fn client_verifier(
    file: &Path,
    cas: Vec<CertificateDer<'static>>,
    lists: Option<(&PathBuf, RevocationLists)>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TransportError> {
    let mut roots = RootCertStore::empty();
    for ca in cas {
        roots.add(ca).map_err(|error| content(file, format!("not a CA certificate: {error}")))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let list_file = lists.as_ref().map(|(file, _)| (*file).clone());
    if let Some((_, lists)) = lists {
        // Of two CAs one may have no list. Every list there is was found to be signed by one of them.
        builder = builder.with_crls(lists.lists).allow_unknown_revocation_status();
    }
    builder.build().map_err(|error| match (&error, list_file) {
        (VerifierBuilderError::InvalidCrl(_), Some(list)) => content(&list, error.to_string()),
        _ => content(file, error.to_string()),
    })
}

fn own_certificate_error(files: &TlsFiles, error: &Error) -> TransportError {
    if matches!(error, Error::InconsistentKeys(_)) {
        let what = format!("not the key of {}: configure the pair that belongs together", files.certificate.display());
        return content(&files.private_key, what);
    }
    content(&files.certificate, error.to_string())
}

fn content(file: &Path, what: String) -> TransportError {
    TransportError::Content { file: file.to_owned(), what }
}
