//! The commands a signer needs, typed (Yubico, "YubiHSM 2 User Guide", Command Reference). Knows nothing of what makes a
//! key fit to serve. An answer that does not have its form ends the session.

use super::{
    protocol::{
        Algorithm, Capabilities, Command, DeviceInfoPage, Domains, Label, ListEntry, ListFilter, LogEntries,
        ObjectInfo, ObjectType, OptionTag, Reader, TooShort,
    },
    session::{CommandError, Session},
};

/// What Get Public Key answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKeyData {
    /// Algorithm of the key.
    pub algorithm: Algorithm,
    /// EC: x || y. Ed25519: the key.
    pub bytes: Vec<u8>,
}

/// What every command that makes an object begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewObject {
    pub(super) id: u16,
    pub(super) label: Label,
    pub(super) domains: Domains,
    pub(super) capabilities: Capabilities,
    pub(super) algorithm: Algorithm,
}

impl NewObject {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend(self.label.0);
        bytes.extend(self.domains.0.to_be_bytes());
        bytes.extend(self.capabilities.0.to_be_bytes());
        bytes.push(self.algorithm.0);
        bytes
    }
}

/// Each is the command of its name.
///
/// # Errors
/// All: [`CommandError`].
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
impl Session {
    /// Echo. The answer must be what was sent.
    pub fn echo(&mut self, data: &[u8]) -> Result<(), CommandError> {
        let answer = self.run(Command::ECHO, data.to_vec())?;
        if answer == data { Ok(()) } else { Err(self.give_up(Command::ECHO, "it is not what was sent")) }
    }

    /// Get Device Info, its first page.
    pub fn device_info(&mut self) -> Result<DeviceInfoPage, CommandError> {
        self.ask(Command::DEVICE_INFO, Vec::new(), DeviceInfoPage::decode)
    }

    /// List Objects: those all filters match.
    pub fn list_objects(&mut self, filters: &[ListFilter]) -> Result<Vec<ListEntry>, CommandError> {
        let mut data = Vec::new();
        filters.iter().for_each(|filter| filter.encode(&mut data));
        self.ask(Command::LIST_OBJECTS, data, ListEntry::decode_all)
    }

    /// Get Object Info.
    pub fn object_info(&mut self, id: u16, object_type: ObjectType) -> Result<ObjectInfo, CommandError> {
        let [high, low] = id.to_be_bytes();
        let info = self.ask(Command::GET_OBJECT_INFO, vec![high, low, object_type.0], ObjectInfo::decode)?;
        if (info.id, info.object_type) == (id, object_type) {
            return Ok(info);
        }
        Err(self.give_up(Command::GET_OBJECT_INFO, "it is about another object"))
    }

    /// Get Public Key of an asymmetric key.
    pub fn public_key(&mut self, id: u16) -> Result<PublicKeyData, CommandError> {
        self.ask(Command::GET_PUBLIC_KEY, id.to_be_bytes().to_vec(), |answer| {
            let mut reader = Reader::new(answer);
            Ok(PublicKeyData { algorithm: Algorithm(reader.u8()?), bytes: reader.rest().to_vec() })
        })
    }

    /// Sign ECDSA: the signature in DER.
    pub fn sign_ecdsa(&mut self, id: u16, digest: &[u8; 32]) -> Result<Vec<u8>, CommandError> {
        self.run(Command::SIGN_ECDSA, [&id.to_be_bytes()[..], digest].concat())
    }

    /// Sign EdDSA: the signature, 64 bytes where the device is right.
    pub fn sign_eddsa(&mut self, id: u16, message: &[u8]) -> Result<Vec<u8>, CommandError> {
        self.run(Command::SIGN_EDDSA, [&id.to_be_bytes()[..], message].concat())
    }

    /// Get Opaque.
    pub fn opaque(&mut self, id: u16) -> Result<Vec<u8>, CommandError> {
        self.run(Command::GET_OPAQUE, id.to_be_bytes().to_vec())
    }

    /// Get Pseudo Random: so many bytes.
    pub fn pseudo_random(&mut self, length: u16) -> Result<Vec<u8>, CommandError> {
        let answer = self.run(Command::GET_PSEUDO_RANDOM, length.to_be_bytes().to_vec())?;
        if answer.len() == usize::from(length) {
            return Ok(answer);
        }
        Err(self.give_up(Command::GET_PSEUDO_RANDOM, format_args!("{} bytes, not {length}", answer.len())))
    }

    /// Get Option: its bytes, by the option.
    pub fn option(&mut self, tag: OptionTag) -> Result<Vec<u8>, CommandError> {
        self.run(Command::GET_OPTION, vec![tag.0])
    }

    /// Get Log Entries: all the device still holds. Commands it has no name for are entries like others.
    pub fn log_entries(&mut self) -> Result<LogEntries, CommandError> {
        self.ask(Command::GET_LOG_ENTRIES, Vec::new(), LogEntries::decode)
    }

    /// Set Log Index: the device forgets the entries up to this one.
    pub fn set_log_index(&mut self, number: u16) -> Result<(), CommandError> {
        self.ask(Command::SET_LOG_INDEX, number.to_be_bytes().to_vec(), |answer| Reader::new(answer).end())
    }

    /// Sign Attestation Certificate: an X.509 certificate about the asymmetric key `id`, in DER. The key 0 is the one
    /// that is in the device from the factory.
    pub fn sign_attestation_certificate(&mut self, id: u16, by: u16) -> Result<Vec<u8>, CommandError> {
        self.run(Command::SIGN_ATTESTATION_CERTIFICATE, [id.to_be_bytes(), by.to_be_bytes()].concat())
    }

    /// Put Opaque: bytes that may do nothing, and have nothing done to them.
    pub(super) fn put_opaque(
        &mut self,
        id: u16,
        label: Label,
        domains: Domains,
        value: &[u8],
    ) -> Result<(), CommandError> {
        let (capabilities, algorithm) = (Capabilities::NONE, Algorithm::OPAQUE_DATA);
        let object = NewObject { id, label, domains, capabilities, algorithm };
        self.make(Command::PUT_OPAQUE, id, [&object.encode(), value].concat())
    }

    /// Delete Object, of an opaque one.
    pub(super) fn delete_opaque(&mut self, id: u16) -> Result<(), CommandError> {
        let [high, low] = id.to_be_bytes();
        self.run(Command::DELETE_OBJECT, vec![high, low, ObjectType::OPAQUE.0]).map(drop)
    }

    /// The device must have made it under the id it was asked for.
    pub(super) fn make(&mut self, command: Command, id: u16, data: Vec<u8>) -> Result<(), CommandError> {
        let answer = self.run(command, data)?;
        if answer == id.to_be_bytes() { Ok(()) } else { Err(self.give_up(command, "it is about another object")) }
    }

    fn ask<T>(
        &mut self,
        command: Command,
        data: Vec<u8>,
        read: impl FnOnce(&[u8]) -> Result<T, TooShort>,
    ) -> Result<T, CommandError> {
        let answer = self.run(command, data)?;
        read(&answer).map_err(|error| self.give_up(command, error))
    }
}
