//! PKCS#11 tokens (OASIS PKCS #11 v2.40 and later), through the safe API of `cryptoki`.
//!
//! Serving needs a read-write session for the anchor alone. What makes tokens and keys is in `ceremony`, behind a
//! feature that the appliance does not turn on.

mod anchor;
#[cfg(feature = "ceremony")]
pub mod ceremony;
mod chain_code;
mod curve;
mod ec_point;
mod failure;
mod key;
mod module;
pub(crate) mod probe;
mod sign;
mod template;
mod token;

use std::collections::HashMap;

use cryptoki::{object::ObjectHandle, session::Session};
use hsm_types::{ChainCode, KeyLabel, PublicKey, RawSignature, ToSign};

pub use self::token::Token;
use self::{
    failure::{call_failed, is_stale_handle},
    key::Key,
};
use crate::{Device, DeviceInfo, Disposition, Error, Protection, device::too_long};

/// The longest message PureEdDSA is asked for: tokens buffer it whole.
const LONGEST_MESSAGE: usize = 4096;

/// One logged-in session of a token, with the handles of the keys it has found.
#[derive(Debug)]
pub struct Pkcs11Device {
    token: Token,
    session: Session,
    /// Handles are this session's, and good only until the token says otherwise.
    keys: HashMap<KeyLabel, Key>,
    /// What each label meant when it was found first.
    pinned: HashMap<KeyLabel, PublicKey>,
}

impl Pkcs11Device {
    fn new(token: Token, session: Session) -> Self {
        Self { token, session, keys: HashMap::new(), pinned: HashMap::new() }
    }

    /// Finds the key anew. One found before must be there still, and must be the same.
    fn find(&mut self, label: &KeyLabel) -> Result<&Key, Error> {
        self.keys.remove(label);
        let found = match key::find(&self.session, label) {
            Err(Error::UnknownKey { key }) => return Err(self.explain_absence(key)),
            found => found?,
        };
        let pinned = self.pinned.entry(label.clone()).or_insert_with(|| found.public_key.clone());
        if *pinned != found.public_key {
            let finding = format!("its public key is {} now and was {pinned} before", found.public_key);
            return Err(Error::KeyUnfit { key: label.clone(), findings: vec![finding] });
        }
        Ok(self.keys.entry(label.clone()).insert_entry(found).into_mut())
    }

    /// Why no object of this label was found: a token that is gone, or a login that is lost, shows none either.
    fn explain_absence(&self, key: KeyLabel) -> Error {
        if let Err(error) = self.token.check(&self.session) {
            return error;
        }
        if !self.pinned.contains_key(&key) {
            return Error::UnknownKey { key };
        }
        Error::Call {
            attempted: format!("C_FindObjects for key \"{key}\""),
            cause: "it was there before and is not found now".to_owned(),
            disposition: Disposition::Broken,
        }
    }

    /// The handle to sign `input` with, found now where it was not before.
    fn handle(&mut self, label: &KeyLabel, input: &ToSign) -> Result<ObjectHandle, Error> {
        match self.keys.get(label) {
            Some(key) => key.handle_for(label, input),
            None => self.find(label)?.handle_for(label, input),
        }
    }
}

impl Device for Pkcs11Device {
    fn info(&mut self) -> Result<DeviceInfo, Error> {
        self.token.info()
    }

    fn public_key(&mut self, key: &KeyLabel) -> Result<PublicKey, Error> {
        self.find(key).map(|found| found.public_key.clone())
    }

    fn protection(&mut self, key: &KeyLabel) -> Result<Protection, Error> {
        self.find(key).map(|found| found.protection)
    }

    fn chain_code(&mut self, key: &KeyLabel) -> Result<Option<ChainCode>, Error> {
        let found = chain_code::read(&self.session, key.as_str().as_bytes())
            .map_err(|error| call_failed(error, &format!("for the chain code of key \"{key}\"")))?
            .map_err(|findings| Error::KeyUnfit { key: key.clone(), findings })?;
        if found.is_none() {
            // A token that is gone, or a login that is lost, shows none either.
            self.token.check(&self.session)?;
        }
        Ok(found)
    }

    fn read_anchor(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let found = anchor::find(&self.session)?.newest();
        if found.is_none() {
            // A token that is gone, or a login that is lost, shows none either.
            self.token.check(&self.session)?;
        }
        Ok(found)
    }

    fn write_anchor(&mut self, anchor: &[u8]) -> Result<(), Error> {
        too_long(anchor)?;
        self.token.check(&self.session)?;
        anchor::write(&self.session, anchor)
    }

    fn sign(&mut self, key: &KeyLabel, input: &ToSign) -> Result<RawSignature, Error> {
        let handle = self.handle(key, input)?;
        let signature = match sign::sign(&self.session, handle, input) {
            Err(error) if is_stale_handle(&error) => {
                let handle = self.find(key)?.handle_for(key, input)?;
                sign::sign(&self.session, handle, input)
            }
            first_try => first_try,
        };
        let signature = signature.map_err(|error| call_failed(error, &format!("with key \"{key}\"")))?;
        sign::fixed_length(&signature, key)
    }
}
