//! Cosignatures of witnesses: C2SP tlog-cosignature, `cosignature/v1`, Ed25519 with a time.
//!
//! Each is a further signature line of a checkpoint's note. Verifies them; who cosigns what is not decided here.

use std::fmt;

use ed25519_dalek::Signature;

use crate::note_key::NoteKey;

/// Signature type of a timestamped Ed25519 cosignature (C2SP signed-note).
const COSIGNATURE_V1: u8 = 0x04;

/// Most signature lines that are looked at in one note.
const MOST_LINES: usize = 100;

/// A text that is no witness's verifier key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a witness's verifier key (name+hash+base64, signature type 4): {0}")]
pub struct BadWitnessKey(&'static str);

/// The public half of a witness's key: a C2SP verifier key `name+hash+base64`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WitnessKey(NoteKey);

/// A cosignature that was verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cosignature {
    /// When it was made, in seconds since 1970, by the witness's clock.
    pub timestamp: u64,
    /// Its signature line, without the newline.
    pub line: String,
}

impl WitnessKey {
    /// The key `public` of the witness `name`, a URL without its scheme.
    ///
    /// # Errors
    /// `public` is no Ed25519 key, or `name` is empty or has white space or a plus sign.
    pub fn new(name: &str, public: &[u8]) -> Result<Self, BadWitnessKey> {
        NoteKey::new(name.to_owned(), COSIGNATURE_V1, public).map(Self).map_err(BadWitnessKey)
    }

    /// Reads the form of [`Display`](fmt::Display).
    ///
    /// # Errors
    /// Not of that form, or the hash is another key's.
    pub fn parse(text: &str) -> Result<Self, BadWitnessKey> {
        NoteKey::parse(text, COSIGNATURE_V1).map(Self).map_err(BadWitnessKey)
    }

    /// The witness's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The signature line, without its newline, of a signature over [`cosigned_text`] of the same time.
    #[must_use]
    pub fn line(&self, timestamp: u64, signature: &[u8; 64]) -> String {
        self.0.line(&[&timestamp.to_be_bytes()[..], signature].concat())
    }

    /// The newest valid cosignature by this witness that `note` carries.
    #[must_use]
    pub fn newest(&self, note: &str) -> Option<Cosignature> {
        let (_, lines) = note.split_once("\n\n")?;
        let valid = self.0.claimed(lines).take(MOST_LINES).filter_map(|(line, data)| {
            let (timestamp, signature) = data.split_first_chunk::<8>()?;
            let timestamp = u64::from_be_bytes(*timestamp);
            let text = cosigned_text(note, timestamp)?;
            let signature = Signature::from_slice(signature).ok()?;
            self.0.public().verify_strict(text.as_bytes(), &signature).ok()?;
            Some(Cosignature { timestamp, line: line.to_owned() })
        });
        valid.max_by_key(|cosignature| cosignature.timestamp)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a witness signs at `timestamp` (seconds since 1970): header, time, and the note's text without signatures.
/// `None` where `note` is no signed note, or the time is beyond 2^63 - 1.
#[must_use]
pub fn cosigned_text(note: &str, timestamp: u64) -> Option<String> {
    i64::try_from(timestamp).ok()?;
    let (text, _) = note.split_once("\n\n")?;
    Some(format!("cosignature/v1\ntime {timestamp}\n{text}\n"))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    const NOTE: &str =
        "example.com/log\n9\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} example.com/log AAAA\n";

    fn witness() -> (SigningKey, WitnessKey) {
        let signing = SigningKey::from_bytes(&[9; 32]);
        let key = WitnessKey::new("witness.example/w1", signing.verifying_key().as_bytes()).unwrap();
        (signing, key)
    }

    fn cosigned(note: &str, timestamp: u64) -> String {
        let (signing, key) = witness();
        let signature = signing.sign(cosigned_text(note, timestamp).unwrap().as_bytes()).to_bytes();
        format!("{note}{}\n", key.line(timestamp, &signature))
    }

    #[test]
    fn the_text_that_is_signed_is_that_of_the_specification() {
        let expected =
            "cosignature/v1\ntime 1679315147\nexample.com/log\n9\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(cosigned_text(NOTE, 1_679_315_147).unwrap(), expected);
        assert_eq!(cosigned_text(NOTE, 1 << 63), None);
        assert_eq!(cosigned_text("no note", 1), None);
    }

    #[test]
    fn a_verifier_key_reads_back_and_is_of_its_own_type() {
        let (_, key) = witness();
        assert_eq!(WitnessKey::parse(&key.to_string()).unwrap(), key);
        assert!(WitnessKey::parse(&key.to_string().replace("w1", "w2")).is_err());
        assert!(crate::LogKey::parse(&key.to_string()).is_err());
    }

    #[test]
    fn the_newest_of_several_counts_and_others_are_passed_over() {
        let (_, key) = witness();
        assert_eq!(key.newest(NOTE), None);
        let note = cosigned(&cosigned(&cosigned(NOTE, 5), 7), 6);
        assert_eq!(key.newest(&note).unwrap().timestamp, 7);
        assert!(note.contains(&key.newest(&note).unwrap().line));
    }

    #[test]
    fn any_changed_byte_ends_the_cosignature() {
        let (_, key) = witness();
        let note = cosigned(NOTE, 7);
        let others = note.find("\n\n").unwrap() + 1..NOTE.len();
        for position in (0..note.len()).filter(|position| !others.contains(position)) {
            let mut bytes = note.clone().into_bytes();
            bytes[position] ^= 1;
            let Ok(bent) = String::from_utf8(bytes) else { continue };
            assert_eq!(key.newest(&bent), None, "byte {position}");
        }
    }
}
