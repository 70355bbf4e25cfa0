//! The plan of a ceremony: who is there, which tokens, which keys. Read from TOML, with every mistake told at once.
//!
//! A plan holds no secret; it says where each comes from. Opens no token and makes no file.

mod check;
mod document;
mod mistakes;
mod rehearsal;
mod role;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use appliance_wire::{
    ceremony::{Custody, Participant},
    sha256_hex,
};
use hsm_drivers::yubihsm2::{ceremony::RoleName, connector::Address};

pub use self::role::capabilities;
use crate::{Error, files, secret::PinSource, token::PlannedKey};

/// A plan that can be carried out, as far as can be told from it alone.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it was read from.
    pub path: PathBuf,
    /// SHA-256 of its text.
    pub sha256: String,
    /// Name of the ceremony.
    pub name: String,
    /// Origin of the audit log.
    pub origin: String,
    /// `production` or `development`.
    pub profile: String,
    /// Who is present.
    pub participants: Vec<Participant>,
    /// Who holds shares.
    pub backup: Option<Custody>,
    /// Every token, the spare ones too.
    pub tokens: Vec<PlannedToken>,
    /// Every key, the appliance's own first.
    pub keys: Vec<KeyInToken>,
    /// The first policy, as it stands in its file: a watcher's key hash may be left open as `@NAME@`.
    pub policy: String,
    /// Certificates to be made.
    pub pki: Option<PlannedPki>,
    /// Where watchers connect.
    pub watcher_address: SocketAddr,
    /// Where the monitor listens.
    pub monitor_address: SocketAddr,
    /// Whether it is practice.
    pub rehearsal: bool,
}

/// A token of the plan.
#[derive(Clone, Debug)]
pub struct PlannedToken {
    /// Its name.
    pub name: String,
    /// Whether it is there only for what is restored.
    pub spare: bool,
    /// Variables its module must find; relative paths start at the ceremony's directory.
    pub environment: BTreeMap<String, String>,
    /// How it is reached, and who opens it.
    pub kind: PlannedKind,
}

/// What a token is.
#[derive(Clone, Debug)]
pub enum PlannedKind {
    /// Behind a PKCS#11 module.
    Pkcs11 {
        /// The module.
        module: PathBuf,
        /// The token's label to be.
        label: String,
        /// The security officer's PIN to be.
        so_pin: PinSource,
        /// The user's PIN to be.
        pin: PinSource,
    },
    /// A YubiHSM 2 as it left the factory.
    Yubihsm {
        /// The way to it.
        connector: Address,
        /// Its authentication keys to be.
        roles: Vec<PlannedRole>,
        /// PEM file of its maker's certificates, the root last.
        attestation_ca: Option<PathBuf>,
    },
}

/// An authentication key of a YubiHSM 2.
#[derive(Clone, Debug)]
pub struct PlannedRole {
    /// Whose.
    pub role: RoleName,
    /// Its object id.
    pub id: u16,
    /// Its password to be.
    pub password: PinSource,
}

/// A key and the token it is made in.
#[derive(Clone, Debug)]
pub struct KeyInToken {
    /// The key.
    pub key: PlannedKey,
    /// Name of its token.
    pub token: String,
    /// Whether it may leave wrapped, and is backed up.
    pub backup: bool,
}

/// Certificates to be made.
#[derive(Clone, Debug)]
pub struct PlannedPki {
    /// Names and addresses of the appliance.
    pub server_names: Vec<String>,
    /// Names of watchers; the policy may name them as `@NAME@`.
    pub watchers: Vec<String>,
}

impl Plan {
    /// Reads the plan and the policy it names.
    ///
    /// # Errors
    /// A file cannot be read; or [`Error::Plan`], with every mistake.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let path = files::absolute(path)?;
        let text = files::read(&path)?;
        Self::parse(&text, &path).map_err(|mistakes| Error::Plan { path: path.clone(), mistakes })
    }

    /// Reads a plan's text; the policy it names lies beside `path`.
    ///
    /// # Errors
    /// Every mistake, one a line.
    pub fn parse(text: &str, path: &Path) -> Result<Self, String> {
        let (document, mut mistakes) = document::Document::read(text);
        let directory = path.parent().unwrap_or(Path::new("/"));
        let policy = check::policy(&document, directory, &mut mistakes);
        let plan = check::plan(document, path, sha256_hex(text.as_bytes()), policy, &mut mistakes);
        match plan {
            Some(plan) if mistakes.is_empty() => Ok(plan),
            _ => Err(mistakes.text()),
        }
    }

    /// The token of this name.
    #[must_use]
    pub fn token(&self, name: &str) -> Option<&PlannedToken> {
        self.tokens.iter().find(|token| token.name == name)
    }

    /// Keys that are backed up.
    pub fn backed_up(&self) -> impl Iterator<Item = &KeyInToken> {
        self.keys.iter().filter(|key| key.backup)
    }

    /// The spare token on which the backup of a key of `token` is proven.
    #[must_use]
    pub fn spare_for(&self, token: &str) -> Option<&PlannedToken> {
        let kind = std::mem::discriminant(&self.token(token)?.kind);
        self.tokens.iter().find(|spare| spare.spare && std::mem::discriminant(&spare.kind) == kind)
    }
}

impl PlannedToken {
    /// Whether it is SoftHSM's, by the name of its module.
    #[must_use]
    pub fn is_softhsm(&self) -> bool {
        matches!(&self.kind, PlannedKind::Pkcs11 { module, .. } if is_softhsm(module))
    }

    /// `pkcs11` or `yubihsm`.
    #[must_use]
    pub fn driver(&self) -> &'static str {
        match self.kind {
            PlannedKind::Pkcs11 { .. } => "pkcs11",
            PlannedKind::Yubihsm { .. } => "yubihsm",
        }
    }
}

/// Whether a module is SoftHSM, by its name.
fn is_softhsm(module: &Path) -> bool {
    module.to_string_lossy().to_lowercase().contains("softhsm")
}

#[cfg(test)]
mod tests;
