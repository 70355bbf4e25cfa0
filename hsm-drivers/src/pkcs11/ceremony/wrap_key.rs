//! The wrap key of a replication, a backup or a restore: an AES-256 key that sessions hold, no token, and that is there
//! for one call.
//!
//! Session objects of `CKA_TOKEN` false end with the session (PKCS #11 v2.40, 4.4): whatever interrupts, none is left.

use cryptoki::{
    error::Error as CryptokiError,
    mechanism::Mechanism,
    object::{Attribute, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use hsm_types::KeyLabel;
use zeroize::{Zeroize, Zeroizing};

use super::BackupKey;
use crate::{
    Error, Pin,
    pkcs11::{Token, failure::call_failed, key},
};

/// RFC 5649. Private keys travel as PKCS #8, whose length is no multiple of 8.
const MECHANISM: Mechanism<'static> = Mechanism::AesKeyWrapPad;

const BYTES: u32 = 32;

/// The value, as long as the ceremony holds it: wiped when dropped.
pub(super) struct WrapKey(Zeroizing<Vec<u8>>);

impl WrapKey {
    /// A new one, from the token's random generator.
    pub(super) fn random(session: &Session) -> Result<Self, Error> {
        let value = session.generate_random_vec(BYTES).map_err(|error| call_failed(error, "for the wrap key"))?;
        Ok(Self(Zeroizing::new(value)))
    }

    /// That of a backup.
    pub(super) fn of(backup_key: &BackupKey) -> Self {
        Self(Zeroizing::new(backup_key.expose().to_vec()))
    }

    /// Wraps the private key of this label out of the token, in whose session the wrap key is only meanwhile.
    pub(super) fn wrap_out(
        &self,
        token: &Token,
        session: &Session,
        label: &KeyLabel,
        so_pin: &Pin,
        user_pin: &Pin,
    ) -> Result<Vec<u8>, Error> {
        let trusted = self.make_trusted(token, session, so_pin, user_pin)?;
        let failed = |error| call_failed(error, &format!("for the replica of key \"{label}\""));
        // Found only now: the handles of private objects ended with the login before.
        let wrapped = key::find_handle(session, label)
            .and_then(|handle| session.wrap_key(&MECHANISM, trusted, handle).map_err(failed));
        session.destroy_object(trusted).map_err(failed).and(wrapped)
    }

    /// Makes it a key of this session that may wrap what asks for a trusted key. Only the security officer can
    /// (PKCS #11 v2.40, 4.10, footnote 10), and the officer sees no private object; so it is a public one, whose value is
    /// sensitive all the same. The user is logged in before and after, also where the officer is refused.
    fn make_trusted(
        &self,
        token: &Token,
        session: &Session,
        so_pin: &Pin,
        user_pin: &Pin,
    ) -> Result<ObjectHandle, Error> {
        let failed = |error| call_failed(error, "for the wrap key");
        session.logout().map_err(failed)?;
        let made = token.log_in_officer(session, so_pin).and_then(|()| {
            let made = self.create(
                session,
                &[Attribute::Private(false), Attribute::Wrap(true), Attribute::Unwrap(false), Attribute::Trusted(true)],
            );
            session.logout().and(made).map_err(failed)
        });
        token.log_in_session(session, user_pin).and(made)
    }

    /// Makes a private key of this template of what was wrapped. The wrap key is in the session only meanwhile, and
    /// trusted in nothing.
    pub(super) fn unwrap(
        &self,
        session: &Session,
        wrapped: &[u8],
        template: &[Attribute],
    ) -> Result<ObjectHandle, CryptokiError> {
        let usage = [Attribute::Private(true), Attribute::Wrap(false), Attribute::Unwrap(true)];
        let unwrapping = self.create(session, &usage)?;
        let key = session.unwrap_key(&MECHANISM, unwrapping, wrapped, template);
        session.destroy_object(unwrapping).and(key)
    }

    fn create(&self, session: &Session, usage: &[Attribute]) -> Result<ObjectHandle, CryptokiError> {
        let mut template = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(false),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(false),
            Attribute::Decrypt(false),
            Attribute::Value(self.0.to_vec()),
        ];
        template.extend_from_slice(usage);
        let created = session.create_object(&template);
        for attribute in &mut template {
            if let Attribute::Value(value) = attribute {
                value.zeroize();
            }
        }
        created
    }
}
