//! The transcript of a key ceremony: a chain of steps, signed by the log key that was made in it.
//!
//! Whoever has the file can check it, without a token and without believing who ran the ceremony on what the steps say
//! of each other. Knows no plan, no secret and no device; public facts alone are in a transcript.

mod facts;
mod step;
mod verify;

use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

pub use self::{
    facts::{Ceremony, CeremonyBackup, CeremonyKey, CeremonyToken},
    step::{
        Attested, BackedUp, Begun, Custody, Ended, Fact, FileHash, Files, KeyMade, Participant, Policy, Restored,
        Resumed, ShareConfirmed, SharesVoid, Split, Step, TokenReady, TokenRole, What,
    },
    verify::NotValid,
};
use crate::{Format, LogKey, NewerFormat, NotCanonical, sha256_hex};

/// Label of the key that signs a transcript, and every checkpoint after it.
pub const LOG_KEY_LABEL: &str = "chancery-log";

/// Label of the key that tries a token out. Each token has its own; all other labels are of one key.
pub const SELF_TEST_LABEL: &str = "chancery-self-test";

/// What a signed transcript begins with when it is signed.
const SIGNED: &str = "chancery ceremony v1";

/// The newest format of a transcript that is read here. One of a newer format says so in a member `format`.
const FORMAT: u64 = 1;

/// A transcript as read, not yet verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transcript {
    file: File,
    sha256: String,
}

/// The file's form.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    steps: Vec<Step>,
    /// C2SP verifier key.
    log_key: String,
    /// Ed25519, hexadecimal.
    signature: String,
}

/// A text that is no transcript at all.
#[derive(Debug, thiserror::Error)]
pub enum NotATranscript {
    /// A newer version wrote it.
    #[error(transparent)]
    Newer(#[from] NewerFormat),
    /// Not JSON, or not of the shape.
    #[error("not a transcript of a ceremony: {0}")]
    Form(#[from] serde_json::Error),
    /// It says something that a reader of the known members would not see.
    #[error("not a transcript of a ceremony: it has members that are not its own, or one of them twice")]
    Members,
}

impl Transcript {
    /// Reads `transcript.json`.
    ///
    /// # Errors
    /// Not the form of one. What it says is checked by [`verify`](Self::verify) alone.
    pub fn parse(text: &str) -> Result<Self, NotATranscript> {
        if let Some(format) = Format::of_json(text) {
            let own = Format { number: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned() };
            format.check("chancery-provision", &own)?;
        }
        let file: File = serde_json::from_str(text)?;
        let seen: serde_json::Value = serde_json::from_str(text)?;
        if serde_json::to_value(&file)? != seen {
            return Err(NotATranscript::Members);
        }
        Ok(Self { file, sha256: sha256_hex(text.as_bytes()) })
    }

    /// The text of the file, of steps that are done and the signature over [`signed_text`].
    ///
    /// # Errors
    /// A value JSON cannot express; no step has one.
    pub fn write(steps: &[Step], log_key: &LogKey, signature: &[u8; 64]) -> Result<String, NotCanonical> {
        let file = File { steps: steps.to_vec(), log_key: log_key.to_string(), signature: hex::encode(signature) };
        Ok(serde_json::to_string_pretty(&file)? + "\n")
    }

    /// Its steps, as it says them.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.file.steps
    }

    /// SHA-256 of the file, hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Checks every step against those before it, the chain of hashes and the signature, and says what was done.
    ///
    /// # Errors
    /// The first step that is wrong, or the signature.
    pub fn verify(&self) -> Result<Ceremony, NotValid> {
        verify::verify(self)
    }
}

/// What the log key signs after the last step.
///
/// # Errors
/// See [`Step::hash`].
pub fn signed_text(log_key: &LogKey, last: &Step) -> Result<String, NotCanonical> {
    Ok(format!("{SIGNED}\n{}\n{}\n", log_key.origin(), last.hash()?))
}

/// Whether this hexadecimal signature is the log key's over `text`.
fn is_signed(log_key: &LogKey, text: &str, signature: &str) -> bool {
    let bytes = hex::decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    let key = VerifyingKey::from_bytes(log_key.public());
    matches!((key, bytes), (Ok(key), Some(signature)) if key.verify_strict(text.as_bytes(), &signature).is_ok())
}

#[cfg(test)]
mod tests;
