//! Checkpoints: C2SP tlog-checkpoint notes, signed by the log key.
//!
//! The note's text is origin, size and base64 root, a line each; a signature line names the origin and carries the key
//! hash and an Ed25519 signature (C2SP signed-note).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::Signature;
use sha2::{Digest, Sha256};

use crate::{note_key::NoteKey, tree::Hash};

const ED25519: u8 = 0x01;

/// Why a text is no checkpoint of this log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadCheckpoint {
    /// Not a signed note with origin, size and root.
    #[error("not a C2SP checkpoint: {0}")]
    Form(&'static str),
    /// Of another log.
    #[error("the checkpoint is of \"{found}\", not of \"{expected}\"")]
    Origin {
        /// What it says.
        found: String,
        /// What the log key is for.
        expected: String,
    },
    /// No valid signature by the log key.
    #[error("the checkpoint carries no valid signature of the log key")]
    Signature,
    /// The text is no verifier key.
    #[error("not a C2SP Ed25519 verifier key (origin+hash+base64): {0}")]
    LogKey(&'static str),
}

/// The public half of the log key: a C2SP verifier key `origin+hash+base64`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogKey(NoteKey);

impl LogKey {
    /// The log key `public` of an appliance whose config names `base`: the origin ends in the first 16 hexadecimal
    /// digits of SHA-256 of the key, so that two logs never share one.
    ///
    /// # Errors
    /// `public` is no Ed25519 key, or `base` is empty or has white space or a plus sign.
    pub fn new(base: &str, public: &[u8]) -> Result<Self, BadCheckpoint> {
        let digest = hex::encode(Sha256::digest(public));
        let (tail, _) = digest.split_at(16);
        NoteKey::new(format!("{base}/{tail}"), ED25519, public).map(Self).map_err(BadCheckpoint::LogKey)
    }

    /// Reads the form of [`Display`](fmt::Display).
    ///
    /// # Errors
    /// Not of that form, or the key hash is another key's.
    pub fn parse(text: &str) -> Result<Self, BadCheckpoint> {
        NoteKey::parse(text, ED25519).map(Self).map_err(BadCheckpoint::LogKey)
    }

    /// The log's origin line.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.0.name()
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        self.0.public().as_bytes()
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the log key is asked to sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnsignedCheckpoint {
    /// The log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

impl UnsignedCheckpoint {
    /// The note's text: the message of the Ed25519 signature.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note.
    ///
    /// # Errors
    /// The signature is not one of the log key over this text.
    pub fn sign(self, key: &LogKey, signature: &[u8; 64]) -> Result<Checkpoint, BadCheckpoint> {
        let note = format!("{}\n{}\n", self.text(), key.0.line(signature));
        Checkpoint::open(&note, key)
    }
}

/// A checkpoint whose signature was verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    note: String,
    bare: String,
}

impl Checkpoint {
    /// Reads a signed note and verifies it under the log key. Signatures by other keys (witnesses) are passed over.
    ///
    /// # Errors
    /// See [`BadCheckpoint`].
    pub fn open(note: &str, key: &LogKey) -> Result<Self, BadCheckpoint> {
        let (text, signatures) = note.split_once("\n\n").ok_or(BadCheckpoint::Form("no blank line"))?;
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(BadCheckpoint::Form("origin, size and root are three lines"));
        };
        if origin != key.origin() {
            return Err(BadCheckpoint::Origin { found: origin.to_owned(), expected: key.origin().to_owned() });
        }
        let number = size.parse().ok().filter(|number: &u64| number.to_string() == size);
        let size = number.ok_or(BadCheckpoint::Form("the size is no number"))?;
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let root = root.ok_or(BadCheckpoint::Form("the root is not 32 bytes of base64"))?;

        let message = format!("{text}\n");
        let signed = key.0.claimed(signatures).find(|(_, signature)| {
            let Ok(signature) = Signature::from_slice(signature) else { return false };
            key.0.public().verify_strict(message.as_bytes(), &signature).is_ok()
        });
        let (line, _) = signed.ok_or(BadCheckpoint::Signature)?;
        let bare = format!("{message}\n{line}\n");
        Ok(Self { origin: origin.to_owned(), size, root, note: note.to_owned(), bare })
    }

    /// As [`open`](Self::open), under whichever of the keys signed it.
    ///
    /// # Errors
    /// None did: what is wrong under the last of them.
    pub fn open_any(note: &str, keys: &[LogKey]) -> Result<Self, BadCheckpoint> {
        let mut last = BadCheckpoint::Form("there is no log key");
        for key in keys {
            match Self::open(note, key) {
                Ok(checkpoint) => return Ok(checkpoint),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The log's origin line.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root over them.
    #[must_use]
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// The signed note.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The signed note without the signatures of others.
    #[must_use]
    pub fn bare_note(&self) -> &str {
        &self.bare
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    fn log() -> (SigningKey, LogKey) {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let key = LogKey::new("exchange.example/signer-1", signing.verifying_key().as_bytes()).unwrap();
        (signing, key)
    }

    fn checkpoint(signing: &SigningKey, key: &LogKey) -> Checkpoint {
        let unsigned = UnsignedCheckpoint { origin: key.origin().to_owned(), size: 9, root: [3; 32] };
        let signature = signing.sign(unsigned.text().as_bytes()).to_bytes();
        unsigned.sign(key, &signature).unwrap()
    }

    #[test]
    fn a_verifier_key_reads_back() {
        let (_, key) = log();
        assert_eq!(LogKey::parse(&key.to_string()).unwrap(), key);
        assert!(LogKey::parse(&key.to_string().replace("signer-1", "signer-2")).is_err());
    }

    #[test]
    fn any_changed_byte_ends_the_signature() {
        let (signing, key) = log();
        let note = checkpoint(&signing, &key).note().to_owned();
        for position in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[position] ^= 1;
            if let Ok(bent) = String::from_utf8(bytes) {
                assert!(Checkpoint::open(&bent, &key).is_err(), "byte {position}");
            }
        }
    }

    #[test]
    fn a_foreign_signature_line_is_passed_over() {
        let (signing, key) = log();
        let note = checkpoint(&signing, &key).note().to_owned();
        let witnessed = format!("{note}\u{2014} witness.example AAAAAAAA\n");
        let opened = Checkpoint::open(&witnessed, &key).unwrap();
        assert_eq!((opened.size(), opened.note(), opened.bare_note()), (9, &*witnessed, &*note));
    }
}
