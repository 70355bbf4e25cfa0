//! The witness's private key: a PEM file of PKCS#8 (RFC 5958, RFC 8410) that only its owner can read.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use appliance_wire::{BadWitnessKey, WitnessKey, cosigned_text};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{SECRET_KEY_LENGTH, Signer as _, SigningKey};
use rand::{RngCore, rngs::OsRng};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

use crate::{ConfigError, Error, private_file};

/// What PKCS#8 writes before the 32 bytes of an Ed25519 key (RFC 8410 section 7).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Cosigns under one name.
pub(super) struct Signer {
    private: SigningKey,
    public: WitnessKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.public)
    }
}

impl Signer {
    /// Reads the key of witness `name`.
    pub(super) fn read(name: &str, file: &Path) -> Result<Self, ConfigError> {
        let bad = |problem: String| ConfigError::new(file, problem);
        let pem = private_file::read(file).map_err(|problem| bad(problem.to_string()))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes());
        let key = key.map_err(|error| bad(format!("no private key in PEM ({error}); {ADVICE}")))?;
        let seed = key.secret_pkcs8_der().strip_prefix(&PKCS8_PREFIX);
        let seed: Option<&[u8; SECRET_KEY_LENGTH]> = seed.and_then(|seed| seed.try_into().ok());
        let seed = seed.ok_or_else(|| bad(format!("not a PKCS#8 Ed25519 key; {ADVICE}")))?;
        Self::new(name, SigningKey::from_bytes(seed)).map_err(|error| bad(error.to_string()))
    }

    fn new(name: &str, private: SigningKey) -> Result<Self, BadWitnessKey> {
        let public = WitnessKey::new(name, private.verifying_key().as_bytes())?;
        Ok(Self { private, public })
    }

    pub(super) fn key(&self) -> &WitnessKey {
        &self.public
    }

    /// The signature line over `note`; `None` where it is no signed note.
    pub(super) fn cosign(&self, note: &str, timestamp: u64) -> Option<String> {
        let text = cosigned_text(note, timestamp)?;
        Some(self.public.line(timestamp, &self.private.sign(text.as_bytes()).to_bytes()))
    }
}

/// Makes a key for witness `name` in a new file.
///
/// # Errors
/// The name cannot be one, or the file is there already or cannot be written.
pub(crate) fn generate(name: &str, out: &Path) -> Result<WitnessKey, Error> {
    let mut seed = [0; SECRET_KEY_LENGTH];
    OsRng.fill_bytes(&mut seed);
    let signer = Signer::new(name, SigningKey::from_bytes(&seed));
    let signer = signer.map_err(|error| ConfigError::new(out, format!("--name \"{name}\": {error}")))?;
    let pkcs8 = [&PKCS8_PREFIX[..], &seed].concat();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| Error::State { doing: "making", file: out.to_owned(), source })?;
    Ok(signer.public)
}

const ADVICE: &str = "make one with `chancery-watcher witness key`";
