//! TLS 1.3 and nothing older, with a client certificate or not at all.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    Error, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};

use super::TransportError;

mod peer;

pub(super) use peer::peer;

/// The files of a TLS listener, all PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The listener's certificate, then its intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
    /// The CA that issues the clients' certificates.
    pub client_ca: PathBuf,
}

/// The configuration these files make.
pub(super) fn server_config(files: &TlsFiles) -> Result<ServerConfig, TransportError> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&files.certificate)?;
    if let Some(own) = chain.first() {
        let now = jiff::Timestamp::now().as_second();
        peer::check_in_time(own, now).map_err(|what| content(&files.certificate, what))?;
    }
    let key = PrivateKeyDer::from_pem_file(&files.private_key).map_err(|error| pem_error(&files.private_key, error))?;
    let verifier = client_verifier(files, &provider)?;
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

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).map_err(|error| pem_error(file, error))?.collect();
    let chain = chain.map_err(|error| pem_error(file, error))?;
    if chain.is_empty() { Err(pem_error(file, pem::Error::NoItemsFound)) } else { Ok(chain) }
}

fn client_verifier(
    files: &TlsFiles,
    provider: &Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TransportError> {
    let file = &files.client_ca;
    let mut roots = RootCertStore::empty();
    for root in certificates(file)? {
        roots.add(root).map_err(|error| content(file, format!("not a CA certificate: {error}")))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error: VerifierBuilderError| content(file, error.to_string()))
}

fn own_certificate_error(files: &TlsFiles, error: &Error) -> TransportError {
    if matches!(error, Error::InconsistentKeys(_)) {
        let what = format!("not the key of {}: configure the pair that belongs together", files.certificate.display());
        return content(&files.private_key, what);
    }
    content(&files.certificate, error.to_string())
}

fn pem_error(file: &Path, error: pem::Error) -> TransportError {
    if let pem::Error::Io(source) = error {
        return TransportError::File { file: file.to_owned(), source };
    }
    if matches!(error, pem::Error::NoItemsFound) {
        return content(
            file,
            "no PEM block of the right kind in it: expected one that begins with -----BEGIN".to_owned(),
        );
    }
    content(file, format!("not readable as PEM: {error}"))
}

fn content(file: &Path, what: String) -> TransportError {
    TransportError::Content { file: file.to_owned(), what }
}
