//! Checkpoints: C2SP tlog-checkpoint notes, signed by the log key.
//!
//! The note's text is origin, size and base64 root, a line each; a signature line names the origin and carries the key
//! hash and an Ed25519 signature (C2SP signed-note).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::tree::Hash;

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
pub struct LogKey {
    origin: String,
    public: VerifyingKey,
}

impl LogKey {
    /// The log key `public` of an appliance whose config names `base`: the origin ends in the first 16 hexadecimal
    /// digits of SHA-256 of the key, so that two logs never share one.
    ///
    /// # Errors
    /// `public` is no Ed25519 key, or `base` is empty or has white space or a plus sign.
    pub fn new(base: &str, public: &[u8]) -> Result<Self, BadCheckpoint> {
        let digest = hex::encode(Sha256::digest(public));
        let (tail, _) = digest.split_at(16);
        Self::with_origin(format!("{base}/{tail}"), public)
    }

    fn with_origin(origin: String, public: &[u8]) -> Result<Self, BadCheckpoint> {
        if origin.is_empty() || origin.starts_with('/') || origin.chars().any(|c| c.is_whitespace() || c == '+') {
            return Err(BadCheckpoint::LogKey("the origin is empty or has white space or a plus sign"));
        }
        let bytes = public.try_into().map_err(|_| BadCheckpoint::LogKey("the key has not 32 bytes"))?;
        let public = VerifyingKey::from_bytes(bytes).map_err(|_| BadCheckpoint::LogKey("not on the curve"))?;
        Ok(Self { origin, public })
    }

    /// Reads the form of [`Display`](fmt::Display).
    ///
    /// # Errors
    /// Not of that form, or the key hash is another key's.
    pub fn parse(text: &str) -> Result<Self, BadCheckpoint> {
        let mut parts = text.splitn(3, '+');
        let (Some(origin), Some(hash), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadCheckpoint::LogKey("three parts joined by plus signs are missing"));
        };
        let data = STANDARD.decode(data).map_err(|_| BadCheckpoint::LogKey("the key is not base64"))?;
        let Some((&ED25519, public)) = data.split_first() else {
            return Err(BadCheckpoint::LogKey("not an Ed25519 key"));
        };
        let key = Self::with_origin(origin.to_owned(), public)?;
        if hex::encode(key.hash()) == hash { Ok(key) } else { Err(BadCheckpoint::LogKey("the hash does not match")) }
    }

    /// The log's origin line.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    /// The four bytes that name the key in a signature line.
    fn hash(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(&self.origin)
            .chain_update([b'\n', ED25519])
            .chain_update(self.public.as_bytes())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = [&[ED25519][..], self.public.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.origin, hex::encode(self.hash()), STANDARD.encode(data))
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
        let data = STANDARD.encode([&key.hash()[..], signature].concat());
        let note = format!("{}\n\u{2014} {} {data}\n", self.text(), key.origin);
        Checkpoint::open(&note, key)
    }
}

/// A checkpoint whose signature was verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    size: u64,
    root: Hash,
    note: String,
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
        if origin != key.origin {
            return Err(BadCheckpoint::Origin { found: origin.to_owned(), expected: key.origin.clone() });
        }
        let number = size.parse().ok().filter(|number: &u64| number.to_string() == size);
        let size = number.ok_or(BadCheckpoint::Form("the size is no number"))?;
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let root = root.ok_or(BadCheckpoint::Form("the root is not 32 bytes of base64"))?;

        let message = format!("{text}\n");
        let prefix = format!("\u{2014} {} ", key.origin);
        let signed = signatures.lines().filter_map(|line| line.strip_prefix(&prefix)).any(|data| {
            let Ok(data) = STANDARD.decode(data) else { return false };
            let Some((hash, signature)) = data.split_first_chunk::<4>() else { return false };
            let Ok(signature) = Signature::from_slice(signature) else { return false };
            *hash == key.hash() && key.public.verify_strict(message.as_bytes(), &signature).is_ok()
        });
        if signed { Ok(Self { size, root, note: note.to_owned() }) } else { Err(BadCheckpoint::Signature) }
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
        let unsigned = UnsignedCheckpoint { origin: key.origin.clone(), size: 9, root: [3; 32] };
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
        assert_eq!(Checkpoint::open(&witnessed, &key).unwrap().size(), 9);
    }
}
