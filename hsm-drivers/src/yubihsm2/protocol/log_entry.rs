//! The device log: 32-byte entries, each with a digest over itself and the digest before it.

use sha2::{Digest, Sha256};

use super::{Command, Reader, TooShort};

/// One entry, with its digest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LogEntry {
    /// Its number; 1 follows on 65,535 by way of 0.
    pub number: u16,
    /// The command; 0x00 is a boot, 0xff the reset that began the log.
    pub command: u8,
    /// Bytes of the command's data.
    pub length: u16,
    /// Authentication key of the session; 0xffff outside one.
    pub session_key: u16,
    /// The object the command was about; 0xffff for none.
    pub target_key: u16,
    /// A second one; 0xffff for none.
    pub second_key: u16,
    /// The command's code with the high bit set; the [`ErrorCode`](super::ErrorCode) where it was refused. (The latter as
    /// the crate `yubihsm` 0.42 reads it; the user guide shows no refusal.)
    pub result: u8,
    /// The device's clock, which begins at 0 with each boot.
    pub tick: u32,
    /// The first 16 bytes of SHA-256 over the rest of the entry and the digest of the entry before.
    pub digest: [u8; 16],
}

impl LogEntry {
    /// Bytes of the encoded form.
    pub const LENGTH: usize = 32;
    /// [`Self::command`] of the entry a boot makes.
    pub const BOOT: u8 = 0x00;
    /// [`Self::command`] of the first entry after a reset to factory state.
    pub const RESET: u8 = 0xff;
    /// Where no object or session is meant.
    pub const NO_KEY: u16 = 0xffff;

    /// The part the digest covers.
    #[must_use]
    pub fn covered(&self) -> [u8; 16] {
        let mut covered = [0; 16];
        let fields = [
            &self.number.to_be_bytes()[..],
            &[self.command],
            &self.length.to_be_bytes(),
            &self.session_key.to_be_bytes(),
            &self.target_key.to_be_bytes(),
            &self.second_key.to_be_bytes(),
            &[self.result],
            &self.tick.to_be_bytes(),
        ];
        covered.copy_from_slice(&fields.concat());
        covered
    }

    /// The digest this entry must have behind one whose digest is `previous`.
    #[must_use]
    pub fn digest_after(&self, previous: &[u8; 16]) -> [u8; 16] {
        let whole = Sha256::new_with_prefix(self.covered()).chain_update(previous).finalize();
        let mut digest = [0; 16];
        digest.copy_from_slice(&whole[..16]);
        digest
    }

    /// Whether this entry is the one that follows on `previous`: the next number, and the right digest.
    #[must_use]
    pub fn follows(&self, previous: &Self) -> bool {
        self.number == previous.number.wrapping_add(1) && self.digest == self.digest_after(&previous.digest)
    }

    /// Whether the command was refused.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        self.result != 0 && self.result < 0x80
    }

    /// Whether a signature with the asymmetric key `id` was made, or may have been: a command that is not known here can
    /// be one.
    #[must_use]
    pub fn signed_with(&self, id: u16) -> bool {
        if self.is_refusal() || [Self::BOOT, Self::RESET].contains(&self.command) {
            return false;
        }
        match Command(self.command) {
            Command::SIGN_PKCS1
            | Command::SIGN_PSS
            | Command::SIGN_ECDSA
            | Command::SIGN_EDDSA
            | Command::SIGN_SSH_CERTIFICATE => self.target_key == id,
            // Its first key is what the certificate is about.
            Command::SIGN_ATTESTATION_CERTIFICATE => self.second_key == id,
            command => command.name().is_none() && [self.target_key, self.second_key].contains(&id),
        }
    }

    /// As the device writes it.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..16].copy_from_slice(&self.covered());
        bytes[16..].copy_from_slice(&self.digest);
        bytes
    }

    /// Reads one entry.
    ///
    /// # Errors
    /// Fewer or more than [`Self::LENGTH`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, TooShort> {
        let mut reader = Reader::new(bytes);
        let entry = Self::read(&mut reader)?;
        reader.end()?;
        Ok(entry)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, TooShort> {
        Ok(Self {
            number: reader.u16()?,
            command: reader.u8()?,
            length: reader.u16()?,
            session_key: reader.u16()?,
            target_key: reader.u16()?,
            second_key: reader.u16()?,
            result: reader.u8()?,
            tick: reader.u32()?,
            digest: reader.array()?,
        })
    }
}

/// What Get Log Entries answers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogEntries {
    /// Boots that found no room in the log.
    pub unlogged_boots: u16,
    /// Sessions opened that found no room in the log.
    pub unlogged_authentications: u16,
    /// Those kept, oldest first.
    pub entries: Vec<LogEntry>,
}

impl LogEntries {
    /// As the device writes it; it holds 62, so that their number is one byte.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(5 + self.entries.len() * LogEntry::LENGTH);
        bytes.extend(self.unlogged_boots.to_be_bytes());
        bytes.extend(self.unlogged_authentications.to_be_bytes());
        bytes.push(u8::try_from(self.entries.len()).unwrap_or(u8::MAX));
        bytes.extend(self.entries.iter().take(u8::MAX.into()).flat_map(LogEntry::encode));
        bytes
    }

    /// Reads the answer. Digests are the caller's to check ([`LogEntry::follows`]): only he knows the entry before.
    ///
    /// # Errors
    /// Fewer or more entries than announced.
    pub fn decode(bytes: &[u8]) -> Result<Self, TooShort> {
        let mut reader = Reader::new(bytes);
        let (unlogged_boots, unlogged_authentications) = (reader.u16()?, reader.u16()?);
        let count = reader.u8()?;
        let entries = (0..count).map(|_| LogEntry::read(&mut reader)).collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { unlogged_boots, unlogged_authentications, entries })
    }
}
