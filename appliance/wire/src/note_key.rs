//! Public keys of C2SP signed notes: verifier keys `name+hash+base64`, and the signature lines that name them.
//!
//! Knows nothing of what a signature is over; that is the business of the key's kind.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};

/// An Ed25519 key with its name and kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NoteKey {
    name: String,
    /// The signature type of C2SP signed-note.
    kind: u8,
    public: VerifyingKey,
}

impl NoteKey {
    pub(crate) fn new(name: String, kind: u8, public: &[u8]) -> Result<Self, &'static str> {
        if name.is_empty() || name.starts_with('/') || name.chars().any(|c| c.is_whitespace() || c == '+') {
            return Err("the name is empty, begins with a slash, or has white space or a plus sign");
        }
        let bytes = public.try_into().map_err(|_| "the key has not 32 bytes")?;
        let public = VerifyingKey::from_bytes(bytes).map_err(|_| "not on the curve")?;
        Ok(Self { name, kind, public })
    }

    /// Reads the form of [`Display`](fmt::Display).
    pub(crate) fn parse(text: &str, kind: u8) -> Result<Self, &'static str> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("three parts joined by plus signs are missing");
        };
        let data = STANDARD.decode(data).map_err(|_| "the key is not base64")?;
        let public = match data.split_first() {
            Some((found, public)) if *found == kind => public,
            _ => return Err("a key of another type"),
        };
        let key = Self::new(name.to_owned(), kind, public)?;
        if hex::encode(key.id()) == hash { Ok(key) } else { Err("the hash does not match") }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// The signature line, without its newline, that carries `signature`.
    pub(crate) fn line(&self, signature: &[u8]) -> String {
        format!("\u{2014} {} {}", self.name, STANDARD.encode([&self.id()[..], signature].concat()))
    }

    /// The lines among `lines` that claim to be this key's, with what they carry.
    pub(crate) fn claimed<'a>(&self, lines: &'a str) -> impl Iterator<Item = (&'a str, Vec<u8>)> {
        let (prefix, id) = (format!("\u{2014} {} ", self.name), self.id());
        lines.lines().filter_map(move |line| {
            let data = STANDARD.decode(line.strip_prefix(&prefix)?).ok()?;
            Some((line, data.strip_prefix(&id)?.to_vec()))
        })
    }

    /// The four bytes that name the key in a signature line.
    fn id(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.kind])
            .chain_update(self.public.as_bytes())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = [&[self.kind][..], self.public.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(data))
    }
}
