//! Making tokens and keys. Only the ceremony and the tests build this; the appliance cannot create a key.

mod backup;
mod chain_code;
mod destroy;
mod facts;
mod generate;
mod initialize;
mod original;
mod replicate;
mod wrap_key;

use std::path::{Path, PathBuf};

use cryptoki::{
    object::{Attribute, AttributeType, ObjectClass},
    session::Session,
};
use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey, ToSign, VerifiedSignature};
use zeroize::Zeroizing;

pub use self::initialize::initialize_token;
use super::{Token, failure::call_failed, key};
pub use crate::ceremony::{BackupKey, KeyListing, Replica, WrappedKey, Wrapping};
use crate::{DeviceInfo, Error, Pin, Protection};

/// A logged-in read-write session of one token.
#[derive(Debug)]
pub struct Ceremony {
    token: Token,
    session: Session,
}

impl Ceremony {
    /// Opens the token with this label, and this serial number where one is given, and logs the user in.
    ///
    /// # Errors
    /// As [`Token::find`] and [`Token::log_in`].
    pub fn open(module: &Path, label: &str, serial: Option<&str>, pin: &Pin) -> Result<Self, Error> {
        let token = Token::find(module, label, serial)?;
        let session = token.open_rw_session()?;
        token.log_in_session(&session, pin)?;
        Ok(Self { token, session })
    }

    /// Generates a key that can only sign, and never leave or leave wrapped only, and returns its public key once the token has proved, by
    /// attributes read back and by one signature, that this is what it made.
    ///
    /// # Errors
    /// [`Error::KeyExists`] where a private key has this label. After any later error the key stays in the token, under
    /// its label, so that nobody takes it for one that was never made.
    pub fn generate_key(
        &mut self,
        label: &KeyLabel,
        algorithm: Algorithm,
        protection: Protection,
    ) -> Result<PublicKey, Error> {
        generate::refuse_existing(&self.session, label)?;
        generate::generate_key(&self.session, label, algorithm, protection)
    }

    /// As [`Self::generate_key`], a secp256k1 key that may have children: first its chain code, from the token's random
    /// generator, then the key, so that an interruption leaves no key without one. A chain code that waits for its key
    /// is taken up.
    ///
    /// # Errors
    /// As [`Self::generate_key`], also where a private key of this label was made without children: nothing is added to
    /// it. [`Error::KeyUnfit`] where two chain codes wait, or one that may not be used.
    pub fn generate_parent(
        &mut self,
        label: &KeyLabel,
        protection: Protection,
    ) -> Result<(PublicKey, ChainCode), Error> {
        generate::refuse_existing(&self.session, label)?;
        let chain_code = chain_code::ensure(&self.session, label)?;
        let public_key = generate::generate_key(&self.session, label, Algorithm::Secp256k1, protection)?;
        Ok((public_key, chain_code))
    }

    /// Copies the key of this label, made to leave wrapped, with its public key and its chain code, into another token,
    /// and returns once the replica has proved, by attributes read back and by a signature under the original's public
    /// key, that it is one. A replica that is there already is proved again. After an interruption at any point the same
    /// call goes on.
    ///
    /// The wrap key is random, an object of the two sessions and of no token, and trusted in this token alone: it ends
    /// with the wrapping, or with this program. The security officer is logged in meanwhile, and `user_pin` then brings
    /// the user back; in this program nobody else may have a session of this token.
    ///
    /// # Errors
    /// Any deviation, on either side; [`Error::KeyExists`] where the other token has another key of this label. A key
    /// that did not prove a replica is destroyed again; nothing that was there before is.
    pub fn replicate(
        &mut self,
        label: &KeyLabel,
        so_pin: &Pin,
        user_pin: &Pin,
        to: &mut Self,
    ) -> Result<Replica, Error> {
        replicate::replicate(self, label, so_pin, user_pin, to)
    }

    /// Wraps the key of this label, made to leave wrapped, out of the token under the ceremony's backup key. Public key and
    /// chain code go with it, sealed.
    ///
    /// The wrap key is in the token as in [`Self::replicate`].
    ///
    /// # Errors
    /// [`Error::UnknownKey`], or any deviation of the key; it was made without a backup; the security officer is refused.
    pub fn back_up(
        &mut self,
        label: &KeyLabel,
        backup_key: &BackupKey,
        so_pin: &Pin,
        user_pin: &Pin,
    ) -> Result<WrappedKey, Error> {
        backup::back_up(self, label, backup_key, so_pin, user_pin)
    }

    /// Brings a key from its backup into this token, with its public key and its chain code, and returns once it has
    /// proved, by attributes read back and by a signature under the backup's public key, that it is that key. A key that
    /// is there already is proved again. After an interruption at any point the same call goes on.
    ///
    /// # Errors
    /// As [`WrappedKey::check`], and of a backup that another kind of device made: the token is not asked then.
    /// [`Error::KeyExists`] where the token has another key of this label. Whatever fails later, what this call made is
    /// destroyed again; nothing that was there before is.
    pub fn restore(&mut self, backup: &WrappedKey, backup_key: &BackupKey) -> Result<Replica, Error> {
        backup::restore(self, backup, backup_key)
    }

    /// Destroys the key of this label and public key, and its chain code: for ever, where there is no backup. After an
    /// interruption the same call goes on.
    ///
    /// # Errors
    /// The key of this label is another, and stays. [`Error::UnknownKey`] where nothing of it is there.
    pub fn destroy_key(&mut self, label: &KeyLabel, public_key: &PublicKey) -> Result<(), Error> {
        destroy::destroy_key(&self.session, label, public_key)
    }

    /// One signature, verified under the public key read back.
    ///
    /// # Errors
    /// Any deviation of the key, or of the signature; an input that the key does not sign.
    pub fn sign(&mut self, label: &KeyLabel, input: &ToSign) -> Result<VerifiedSignature, Error> {
        let key = key::find(&self.session, label)?;
        generate::sign(&self.session, label, &key, input, "signature")
    }

    /// What the token says about itself.
    ///
    /// # Errors
    /// The token is gone.
    pub fn info(&mut self) -> Result<DeviceInfo, Error> {
        self.token.info()
    }

    /// The attributes of the private key with this label, read back, each with its value in words: `CKA_EXTRACTABLE`,
    /// `false`. They are told of a key that may not serve, too.
    ///
    /// # Errors
    /// There is no such key, or more than one.
    pub fn key_facts(&mut self, label: &KeyLabel) -> Result<Vec<(String, String)>, Error> {
        facts::read(&self.session, label)
    }

    /// So many bytes of the token's random generator.
    ///
    /// # Errors
    /// The token has none.
    pub fn random(&mut self, length: u16) -> Result<Zeroizing<Vec<u8>>, Error> {
        let random = self.session.generate_random_vec(length.into());
        random.map(Zeroizing::new).map_err(|error| call_failed(error, "for the ceremony"))
    }

    /// Every private key of the token, in no order.
    ///
    /// # Errors
    /// Any call that fails.
    pub fn list_keys(&mut self) -> Result<Vec<KeyListing>, Error> {
        let failed = |error| call_failed(error, "for the list of keys");
        let handles = self.session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).map_err(failed)?;
        let listing = |handle| {
            let label = match self.session.get_attributes(handle, &[AttributeType::Label]).map_err(failed)?.pop() {
                Some(Attribute::Label(label)) => label,
                _ => Vec::new(),
            };
            let key::Reading { algorithm, public_key, protection, mut findings } =
                key::read(&self.session, handle).map_err(failed)?;
            let chain_code = match algorithm {
                Some(Algorithm::Secp256k1) => super::chain_code::read(&self.session, &label).map_err(failed)?,
                Some(Algorithm::P256 | Algorithm::Ed25519) | None => Ok(None),
            };
            let chain_code = chain_code.map_err(|further| findings.extend(further)).ok().flatten();
            let label = String::from_utf8_lossy(&label).into_owned();
            let (children, backup) = (chain_code.is_some(), protection == Protection::LeavesWrapped);
            Ok(KeyListing { label, algorithm, public_key, children, backup, findings })
        };
        handles.into_iter().map(listing).collect()
    }
}

/// The SoftHSM 2 module: `$SOFTHSM2_MODULE`, or where Debian, Ubuntu, Fedora and source builds put it.
#[must_use]
pub fn find_softhsm() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("SOFTHSM2_MODULE") {
        return Some(PathBuf::from(named));
    }
    [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/lib64/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ]
    .into_iter()
    .map(PathBuf::from)
    .find(|path| path.exists())
}
