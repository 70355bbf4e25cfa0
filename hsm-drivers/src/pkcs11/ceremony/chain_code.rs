//! Making the chain code of a key that will have children.

use cryptoki::{
    object::{Attribute, ObjectHandle},
    session::Session,
};
use hsm_types::{ChainCode, KeyLabel};

use crate::{
    Disposition, Error,
    pkcs11::{chain_code, failure::call_failed},
};

impl super::Ceremony {
    /// The chain code beside the key of this label; none for a key without children.
    ///
    /// # Errors
    /// [`Error::KeyUnfit`] where there is more than one, or one that may not be used.
    pub fn chain_code(&mut self, label: &KeyLabel) -> Result<Option<ChainCode>, Error> {
        read(&self.session, label)
    }
}

/// The chain code waiting for a key of this label, made by the token's random generator unless it is there.
///
/// It is there where an earlier ceremony ended before it made the key.
pub(super) fn ensure(session: &Session, label: &KeyLabel) -> Result<ChainCode, Error> {
    if let Some(waiting) = read(session, label)? {
        return Ok(waiting);
    }
    let mut value = [0; 32];
    let random = session.generate_random_slice(&mut value);
    random.map_err(|error| call_failed(error, &format!("for the chain code of key \"{label}\"")))?;
    let chain_code = ChainCode::new(value);
    create(session, label, &value)?;
    check(session, label, &chain_code)?;
    Ok(chain_code)
}

/// Puts this one beside the key of this label, where nothing is yet.
pub(super) fn create(session: &Session, label: &KeyLabel, value: &[u8]) -> Result<ObjectHandle, Error> {
    let mut template = chain_code::identity(label.as_str().as_bytes());
    template.extend([
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Modifiable(false),
        Attribute::Value(value.to_vec()),
    ]);
    let created = session.create_object(&template);
    created.map_err(|error| call_failed(error, &format!("for the chain code of key \"{label}\"")))
}

/// The token must give back the one that was put there.
pub(super) fn check(session: &Session, label: &KeyLabel, chain_code: &ChainCode) -> Result<(), Error> {
    if read(session, label)?.as_ref() == Some(chain_code) {
        return Ok(());
    }
    Err(Error::Call {
        attempted: format!("C_CreateObject for the chain code of key \"{label}\""),
        cause: "the token does not give back what was written".to_owned(),
        disposition: Disposition::Broken,
    })
}

/// The chain code beside the key of this label, or waiting for it.
pub(super) fn read(session: &Session, label: &KeyLabel) -> Result<Option<ChainCode>, Error> {
    chain_code::read(session, label.as_str().as_bytes())
        .map_err(|error| call_failed(error, &format!("for the chain code of key \"{label}\"")))?
        .map_err(|findings| Error::KeyUnfit { key: label.clone(), findings })
}
