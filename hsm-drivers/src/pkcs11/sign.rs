//! `C_SignInit` and `C_Sign`.

use cryptoki::{
    error::Error as CryptokiError,
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::ObjectHandle,
    session::Session,
};
use hsm_types::{KeyLabel, RawSignature, ToSign};

use crate::{Disposition, Error};

/// What the token returns. The kind of `input` must be the key's; a digest is 32 bytes by its type, for tokens sign any
/// length without complaint.
pub(super) fn sign(session: &Session, handle: ObjectHandle, input: &ToSign) -> Result<Vec<u8>, CryptokiError> {
    match input {
        ToSign::Digest(digest) => session.sign(&Mechanism::Ecdsa, handle, &digest.0),
        ToSign::Message(message) => {
            let pure = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
            session.sign(&pure, handle, message)
        }
    }
}

/// r || s or R || S.
pub(super) fn fixed_length(signature: &[u8], key: &KeyLabel) -> Result<RawSignature, Error> {
    signature.try_into().map(RawSignature).map_err(|_| Error::Call {
        attempted: format!("C_Sign with key \"{key}\""),
        cause: format!("the token returned {} bytes, not 64", signature.len()),
        disposition: Disposition::OutcomeUnknown,
    })
}
