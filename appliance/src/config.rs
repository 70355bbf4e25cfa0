//! What the box's file `chancery.toml` says, checked as far as it can be without touching a token.
//!
//! Holds no secret: of a PIN it knows only where it is kept. Knows nothing of what may be signed; that is the policy.

mod files;
mod reader;
mod secret;
#[cfg(test)]
mod tests;
mod token;
mod witness;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use appliance_wire::{WitnessKey, sha256_hex};

pub(crate) use self::files::{open_private, open_readable};
pub use self::{files::BadFile, secret::SecretError};
use crate::toml_document::{Document, Mistakes};

/// The box's configuration. Every path in it is absolute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// The folder of the file: where the relative paths in it start.
    pub directory: PathBuf,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// What the box is for.
    pub profile: Profile,
    /// Where the audit log lives.
    pub state_directory: PathBuf,
    /// Where a second copy of it is written.
    pub mirror_directory: Option<PathBuf>,
    /// Where older entries are, once they left the store.
    pub archive_directory: Option<PathBuf>,
    /// First part of the log's origin line.
    pub origin: String,
    /// Where watchers connect.
    pub watcher_listener: WatcherListener,
    /// The Unix socket of the administrator's commands.
    pub admin_socket: PathBuf,
    /// Where metrics are read, a loopback address.
    pub monitor_address: Option<SocketAddr>,
    /// Whether the console page is there, too: it shows what the log says.
    pub serves_console: bool,
    /// At least one, each with a name of its own.
    pub tokens: Vec<TokenConfig>,
    /// Whose cosignatures of checkpoints are kept.
    pub witnesses: Vec<WitnessConfig>,
}

/// A witness of the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WitnessConfig {
    /// Its name in status and metrics.
    pub name: String,
    /// Its verifier key.
    pub key: WitnessKey,
}

/// What a box is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Profile {
    /// Real keys: no software token.
    Production,
    /// Trying out: software tokens are admitted.
    Development,
}

impl Profile {
    /// As the file says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
        }
    }
}

/// The listener watchers connect to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WatcherListener {
    /// Address and port.
    pub address: SocketAddr,
    /// PEM file of the server's certificate chain.
    pub certificate: PathBuf,
    /// PEM file of its private key.
    pub private_key: PathBuf,
    /// PEM file of the authority that issues watchers' certificates.
    pub client_ca: PathBuf,
    /// PEM file of that authority's revocation list.
    pub client_crl: Option<PathBuf>,
}

/// One token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenConfig {
    /// Its name in status, metrics and audit log.
    pub name: String,
    /// How it is reached.
    pub driver: DriverConfig,
    /// Environment of its worker, as written. The worker runs in [`Config::directory`], where relative paths start.
    pub environment: BTreeMap<String, String>,
    /// Where its PIN or password is kept.
    pub secret: SecretSource,
    /// How many sessions sign at once: 1 to 64.
    pub sessions: usize,
}

/// The kind of a token, and which one it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DriverConfig {
    /// A PKCS#11 token.
    Pkcs11 {
        /// The vendor's module.
        module: PathBuf,
        /// The token's label.
        label: String,
        /// Its serial number, where it is pinned.
        serial: Option<String>,
    },
    /// A YubiHSM 2.
    Yubihsm {
        /// The way there: `http://host:port` of a yubihsm-connector, `usb:SERIAL` or `simulator`.
        connector: String,
        /// Object id of the authentication key.
        authentication_key: u16,
        /// PEM file of the maker's certificates that attestations of its keys must lead to, the root last.
        attestation_ca: Option<PathBuf>,
    },
}

/// Where a PIN or password is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretSource {
    /// A systemd credential of this name.
    Credential(String),
    /// A file only its owner may read.
    File(PathBuf),
    /// Somebody types it.
    Prompt,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read and is wrong.
    #[error("configuration {}:\n{mistakes}", path.display())]
    Mistaken {
        /// The file.
        path: PathBuf,
        /// All that is wrong in it.
        mistakes: Mistakes,
    },
}

impl Config {
    /// The configuration in the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError::Mistaken`] holds every mistake, not the first.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let absolute = std::path::absolute(path).map_err(unreadable)?;
        let text = std::fs::read_to_string(&absolute).map_err(unreadable)?;
        Self::read(&text, &absolute).map_err(|mistakes| ConfigError::Mistaken { path: path.to_owned(), mistakes })
    }

    /// Where the admin socket is according to the file at `path`, and where the file is. Nothing else of it is looked
    /// at: who may open the socket may freeze, and need not be able to read keys and PINs.
    ///
    /// # Errors
    /// The file cannot be read, or does not say.
    pub fn admin_socket_of(path: &Path) -> Result<(PathBuf, PathBuf), ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let absolute = std::path::absolute(path).map_err(unreadable)?;
        let text = std::fs::read_to_string(&absolute).map_err(unreadable)?;
        let directory = absolute.parent().unwrap_or(Path::new("/")).to_owned();
        let document = Document::read(&text);
        let socket = reader::admin_socket(&document.root(), &directory);
        match socket {
            Some(socket) => Ok((socket, directory)),
            None => Err(match document.close::<()>(None) {
                Err(mistakes) => ConfigError::Mistaken { path: path.to_owned(), mistakes },
                Ok(()) => unreadable(io::ErrorKind::InvalidData.into()),
            }),
        }
    }

    /// The configuration `text`, as if it were `chancery.toml` in `directory`.
    ///
    /// # Errors
    /// Every mistake, not the first.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, Mistakes> {
        Self::read(text, &directory.join("chancery.toml"))
    }

    fn read(text: &str, path: &Path) -> Result<Self, Mistakes> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        let document = Document::read(text);
        let config = reader::config(&document.root(), directory).map(|config| Self {
            path: path.to_owned(),
            sha256: sha256_hex(text.as_bytes()),
            ..config
        });
        document.close(config)
    }
}
