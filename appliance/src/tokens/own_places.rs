//! What of the file system is the appliance's own, and no business of a vendor's module.

use std::path::PathBuf;

use crate::config::{Config, DriverConfig, SecretSource, WatcherListener};

/// The log, the configuration, keys and certificates, the admin socket, and every PIN: the worker is told its own, and
/// has no need of the file.
pub(super) fn own_places(config: &Config) -> Vec<PathBuf> {
    let WatcherListener { certificate, private_key, client_ca, client_crl, .. } = &config.watcher_listener;
    let own = [&config.path, &config.state_directory, &config.admin_socket, certificate, private_key, client_ca];
    let mut places: Vec<PathBuf> = own.into_iter().cloned().collect();
    places.extend(client_crl.clone());
    places.extend(config.mirror_directory.clone());
    places.extend(config.archive_directory.clone());
    places.extend(config.tokens.iter().filter_map(|token| match &token.secret {
        SecretSource::File(path) => Some(path.clone()),
        SecretSource::Credential(_) | SecretSource::Prompt => None,
    }));
    places.extend(config.tokens.iter().filter_map(|token| match &token.driver {
        DriverConfig::Yubihsm { attestation_ca, .. } => attestation_ca.clone(),
        DriverConfig::Pkcs11 { .. } => None,
    }));
    // Whole: systemd puts every credential of the unit there.
    places.extend(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).filter(|path| path.is_absolute()));
    places
}
