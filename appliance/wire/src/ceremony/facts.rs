//! What a verified transcript says.

use hsm_types::{Algorithm, KeyLabel};

/// A ceremony that was verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ceremony {
    /// Name of the ceremony.
    pub name: String,
    /// The `origin` of the appliance's configuration.
    pub origin: String,
    /// `production` or `development`.
    pub profile: String,
    /// SHA-256 of the plan's file.
    pub plan_sha256: String,
    /// Whether it was practice.
    pub rehearsal: bool,
    /// The C2SP verifier key of the log that begins with it.
    pub log_key: String,
    /// Its tokens.
    pub tokens: Vec<CeremonyToken>,
    /// Its keys, the appliance's own among them.
    pub keys: Vec<CeremonyKey>,
    /// The backup secret, where one was made.
    pub backup: Option<CeremonyBackup>,
    /// SHA-256 of the first policy, where it was fixed.
    pub policy_sha256: Option<String>,
    /// SHA-256 of the transcript's file.
    pub sha256: String,
}

/// A token of a ceremony.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CeremonyToken {
    /// Its name in plan and configuration.
    pub name: String,
    /// `pkcs11` or `yubihsm`.
    pub driver: String,
    /// Its serial number.
    pub serial: String,
    /// Whether it is there only for what is restored.
    pub spare: bool,
}

/// A key of a ceremony.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CeremonyKey {
    /// Its label.
    pub label: KeyLabel,
    /// Name of the token it was made in.
    pub token: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its public key, hexadecimal.
    pub public_key: String,
    /// Its chain code, hexadecimal, where it has children.
    pub chain_code: Option<String>,
    /// SHA-256 of its backup file, where it has one.
    pub backup_sha256: Option<String>,
    /// Whether it may leave wrapped.
    pub backup: bool,
}

/// The backup secret of a ceremony: all of it that is public.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CeremonyBackup {
    /// What every share carries, hexadecimal.
    pub id: String,
    /// So many shares give the secret.
    pub threshold: u8,
    /// Names; the first holds share 1.
    pub custodians: Vec<String>,
    /// The points every share agrees with, hexadecimal.
    pub commitments: Vec<String>,
    /// Fingerprint of the backup key, hexadecimal.
    pub backup_key: String,
    /// Public key of the renewal key, an OpenSSH line.
    pub renewal_key: String,
}

impl Ceremony {
    /// The renewal key's OpenSSH line, where there is one.
    #[must_use]
    pub fn renewal_key(&self) -> Option<&str> {
        self.backup.as_ref().map(|backup| backup.renewal_key.as_str())
    }

    /// The key of this label.
    #[must_use]
    pub fn key(&self, label: &str) -> Option<&CeremonyKey> {
        self.keys.iter().find(|key| key.label.as_str() == label)
    }
}
