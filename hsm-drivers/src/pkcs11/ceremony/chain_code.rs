//! Making the chain code of a key that will have children.

use cryptoki::{object::Attribute, session::Session};
use hsm_types::{ChainCode, KeyLabel};

use crate::{
    Disposition, Error,
    pkcs11::{chain_code, failure::call_failed},
};

const BYTES: u32 = 32;

/// The chain code waiting for a key of this label, made by the token's random generator unless it is there.
///
/// It is there where an earlier ceremony ended before it made the key.
pub(super) fn ensure(session: &Session, label: &KeyLabel) -> Result<ChainCode, Error> {
    let on = format!("for the chain code of key \"{label}\"");
    let failed = |error| call_failed(error, &on);
    if let Some(waiting) = read(session, label)? {
        return Ok(waiting);
    }
    let value = session.generate_random_vec(BYTES).map_err(failed)?;
    write(session, label, &value)
}

/// Puts this one beside the key of this label, where nothing is yet, and returns what the token then gives back.
pub(super) fn write(session: &Session, label: &KeyLabel, value: &[u8]) -> Result<ChainCode, Error> {
    let on = format!("for the chain code of key \"{label}\"");
    let mut template = chain_code::identity(label.as_str().as_bytes());
    template.extend([
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Modifiable(false),
        Attribute::Value(value.to_vec()),
    ]);
    session.create_object(&template).map_err(|error| call_failed(error, &on))?;
    read(session, label)?.filter(|found| found.as_bytes()[..] == *value).ok_or_else(|| Error::Call {
        attempted: format!("C_CreateObject {on}"),
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
