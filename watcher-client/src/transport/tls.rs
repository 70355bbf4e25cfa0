//! The TLS side of the connection: 1.3 only, one CA, our certificate.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};

use crate::{Config, ConfigError};

/// Reads the three PEM files.
pub(super) fn client_config(config: &Config) -> Result<ClientConfig, ConfigError> {
    let roots = roots(&config.ca)?;
    let key = PrivateKeyDer::from_pem_file(&config.private_key).map_err(|error| {
        ConfigError::new(&config.private_key, format!("no private key in PEM ({error}); `private_key` must name one"))
    })?;
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| ConfigError::new(&config.ca, error.to_string()))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&config.certificate)?, key)
        .map_err(|error| {
            let problem = format!(
                "certificate and private key {} do not fit together ({error}); both must be this watcher's",
                config.private_key.display()
            );
            ConfigError::new(&config.certificate, problem)
        })?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

/// Believes these CAs and shows no certificate of ours: for witnesses, which know nobody.
pub(crate) fn anonymous(ca: &Path) -> Result<ClientConfig, ConfigError> {
    believing(roots(ca)?).map_err(|error| ConfigError::new(ca, error.to_string()))
}

/// Believes the CAs of a file, where there is one, else nobody: for nodes, which also stand behind proxies of TLS 1.2.
pub(crate) fn of_node(ca: Option<&Path>) -> Result<ClientConfig, ConfigError> {
    let file = ca.unwrap_or(Path::new("watcher.toml"));
    let roots = ca.map_or_else(|| Ok(RootCertStore::empty()), roots)?;
    // Without a provider of its own it would take the process's, which is not set.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| ConfigError::new(file, error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Believes nobody: for plain HTTP, whose client wants to know all the same.
pub(crate) fn none() -> Result<ClientConfig, rustls::Error> {
    believing(RootCertStore::empty())
}

fn believing(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13])?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn roots(ca: &Path) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        let not_one = |error| ConfigError::new(ca, format!("not a CA certificate ({error}); `ca` names a CA's"));
        roots.add(certificate).map_err(not_one)?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let unreadable = |error| ConfigError::new(file, format!("no certificate in PEM ({error}); name a PEM file"));
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(unreadable)?.collect();
    match found {
        Ok(found) if found.is_empty() => Err(ConfigError::new(file, "holds no certificate in PEM; name a PEM file")),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(error)),
    }
}
