//! The end of a key in a token: `C_DestroyObject` of all that belongs to it.
//!
//! The public key goes last: while it is there, an interrupted call can be told which key it was about.

use cryptoki::{
    object::{Attribute, ObjectClass, ObjectHandle},
    session::Session,
};
use hsm_types::{KeyLabel, PublicKey};

use crate::{
    Disposition, Error,
    ceremony::refuse_another,
    pkcs11::{chain_code, failure::call_failed, key},
};

pub(super) fn destroy_key(session: &Session, label: &KeyLabel, public_key: &PublicKey) -> Result<(), Error> {
    let failed = |error| call_failed(error, &format!("for the destruction of key \"{label}\""));
    let private = match key::find_handle(session, label) {
        Ok(handle) => {
            let reading = key::read(session, handle).map_err(failed)?;
            refuse_another(label, public_key, reading.public_key.as_ref())?;
            Some(handle)
        }
        Err(Error::UnknownKey { .. }) => None,
        Err(error) => return Err(error),
    };
    let public = public_keys(session, label, public_key)?;
    if private.is_none() && public.is_empty() {
        return Err(Error::UnknownKey { key: label.clone() });
    }
    let chain_codes = session.find_objects(&chain_code::identity(label.as_str().as_bytes())).map_err(failed)?;
    for object in private.into_iter().chain(chain_codes).chain(public) {
        session.destroy_object(object).map_err(failed)?;
    }
    let private = matches!(key::find_handle(session, label), Err(Error::UnknownKey { .. }));
    if private && public_keys(session, label, public_key)?.is_empty() {
        return Ok(());
    }
    Err(Error::Call {
        attempted: format!("C_DestroyObject for key \"{label}\""),
        cause: "the token shows it still".to_owned(),
        disposition: Disposition::Broken,
    })
}

/// The public key objects of this label that hold this key.
fn public_keys(session: &Session, label: &KeyLabel, public_key: &PublicKey) -> Result<Vec<ObjectHandle>, Error> {
    let failed = |error| call_failed(error, &format!("for the public key of key \"{label}\""));
    let named = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Label(label.as_str().into())];
    let mut found = Vec::new();
    for handle in session.find_objects(&named).map_err(failed)? {
        let held = key::read_public_key(session, handle, public_key.algorithm()).map_err(failed)?;
        if held.as_ref() == Some(public_key) {
            found.push(handle);
        }
    }
    Ok(found)
}
