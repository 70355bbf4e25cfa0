//! A CA with the certificates of one signer and one watcher.

use std::{fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};

/// PEM texts, also written to a folder by [`TestPki::write`].
pub(crate) struct TestPki {
    ca: String,
    server: (String, String),
    watcher: (String, String),
}

impl TestPki {
    /// A CA of its own each time.
    pub(crate) fn new() -> Self {
        let mut params = params("test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issue = |name: &str, hosts: &[&str]| {
            let mut params = self::params(name);
            params.subject_alt_names =
                hosts.iter().map(|host| rcgen::SanType::IpAddress(host.parse().unwrap())).collect();
            let key = KeyPair::generate().unwrap();
            (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
        };
        Self { ca: issuer.pem(), server: issue("signer", &["127.0.0.1"]), watcher: issue("watcher", &[]) }
    }

    /// Writes `ca.crt`, `watcher.crt` and `watcher.key`.
    pub(crate) fn write(&self, folder: &Path) {
        fs::write(folder.join("ca.crt"), &self.ca).unwrap();
        fs::write(folder.join("watcher.crt"), &self.watcher.0).unwrap();
        fs::write(folder.join("watcher.key"), &self.watcher.1).unwrap();
    }

    /// The signer's side, which admits certificates of `clients` only.
    pub(crate) fn server(&self, clients: &Self, alpn: &[&str]) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&clients.ca)).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let mut config = self.with_clients(&TLS13, verifier);
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    /// A server that asks nobody for a certificate, as nodes do.
    pub(crate) fn open_server(&self, version: &'static SupportedProtocolVersion) -> ServerConfig {
        self.with_clients(version, Arc::new(NoClientAuth))
    }

    fn with_clients(
        &self,
        version: &'static SupportedProtocolVersion,
        clients: Arc<dyn ClientCertVerifier>,
    ) -> ServerConfig {
        let key = PrivateKeyDer::from_pem_slice(self.server.1.as_bytes()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate(&self.server.0)], key)
            .unwrap()
    }
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
