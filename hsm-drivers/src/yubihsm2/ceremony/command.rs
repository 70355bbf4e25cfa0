//! The commands of a ceremony, typed (Yubico, "YubiHSM 2 User Guide", Command Reference). The appliance has none of them.

use zeroize::Zeroizing;

use crate::yubihsm2::{
    command::NewObject,
    protocol::{Capabilities, Command, ObjectType, OptionTag, Reader, TooShort, channel::StaticKeys},
    session::{CommandError, Session},
};

/// Each is the command of its name.
impl Session {
    pub(super) fn generate_asymmetric_key(&mut self, key: NewObject) -> Result<(), CommandError> {
        self.make(Command::GENERATE_ASYMMETRIC_KEY, key.id, key.encode())
    }

    pub(super) fn put_authentication_key(
        &mut self,
        key: NewObject,
        delegated: Capabilities,
        value: &StaticKeys,
    ) -> Result<(), CommandError> {
        let data = [&key.encode()[..], &delegated.0.to_be_bytes(), &value.to_bytes()[..]].concat();
        self.make(Command::PUT_AUTHENTICATION_KEY, key.id, data)
    }

    pub(super) fn put_wrap_key(
        &mut self,
        key: NewObject,
        delegated: Capabilities,
        value: &Zeroizing<Vec<u8>>,
    ) -> Result<(), CommandError> {
        let data = [&key.encode()[..], &delegated.0.to_be_bytes(), value].concat();
        self.make(Command::PUT_WRAP_KEY, key.id, data)
    }

    pub(super) fn export_wrapped(
        &mut self,
        by: u16,
        object_type: ObjectType,
        id: u16,
    ) -> Result<Vec<u8>, CommandError> {
        let data = [&by.to_be_bytes()[..], &[object_type.0], &id.to_be_bytes()].concat();
        self.run(Command::EXPORT_WRAPPED, data)
    }

    /// Type and id of what came in.
    pub(super) fn import_wrapped(&mut self, by: u16, wrapped: &[u8]) -> Result<(ObjectType, u16), CommandError> {
        let answer = self.run(Command::IMPORT_WRAPPED, [&by.to_be_bytes(), wrapped].concat())?;
        let read = |answer: &[u8]| -> Result<_, TooShort> {
            let mut reader = Reader::new(answer);
            let made = (ObjectType(reader.u8()?), reader.u16()?);
            reader.end().map(|()| made)
        };
        read(&answer).map_err(|error| self.give_up(Command::IMPORT_WRAPPED, error))
    }

    pub(super) fn delete_object(&mut self, id: u16, object_type: ObjectType) -> Result<(), CommandError> {
        let [high, low] = id.to_be_bytes();
        self.run(Command::DELETE_OBJECT, vec![high, low, object_type.0]).map(drop)
    }

    pub(super) fn set_option(&mut self, option: OptionTag, value: &[u8]) -> Result<(), CommandError> {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes();
        self.run(Command::SET_OPTION, [&[option.0][..], &length, value].concat()).map(drop)
    }
}
