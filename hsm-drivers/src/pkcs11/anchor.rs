//! The anchor: a data object of the token (PKCS #11 v2.40, 4.5) that, unlike all others, is changed while serving.

use std::sync::{Mutex, PoisonError};

use cryptoki::{
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::Session,
};

use super::failure::call_failed;
use crate::{
    Error,
    device::{ANCHOR, Generations, kept},
};

/// `CKA_APPLICATION` of every anchor.
const APPLICATION: &[u8] = b"chancery anchor";

const ON: &str = "for the anchor";

fn identity() -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::DATA),
        Attribute::Application(APPLICATION.to_vec()),
        Attribute::Label(ANCHOR.into()),
    ]
}

/// Every anchor the session is shown. Without login it is shown none; whether it is logged in is the caller's to know.
pub(super) fn find(session: &Session) -> Result<Generations<ObjectHandle>, Error> {
    let failed = |error| call_failed(error, ON);
    let mut values = Vec::new();
    for handle in session.find_objects(&identity()).map_err(failed)? {
        let found = session.get_attributes(handle, &[AttributeType::Value]).map_err(failed)?;
        let value =
            found.into_iter().find_map(|found| if let Attribute::Value(value) = found { Some(value) } else { None });
        values.push((handle, value.unwrap_or_default()));
    }
    Generations::read(values)
}

/// Makes the next anchor, in a read-write session, and destroys the one before; what an interruption left goes first. None
/// is ever changed: another appliance that writes at the same moment must not undo this writing unseen.
pub(super) fn write(session: &Session, anchor: &[u8]) -> Result<(), Error> {
    // Each session has a thread of its own, and a number must be given once.
    static WRITING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = |error| call_failed(error, ON);
    let found = find(session)?;
    let value = Attribute::Value(kept(found.next(), anchor));
    let (newest, older) = found.places();
    for handle in older {
        session.destroy_object(handle).map_err(failed)?;
    }
    let mut template = identity();
    template.extend([Attribute::Token(true), Attribute::Private(true), Attribute::Modifiable(true), value]);
    session.create_object(&template).map_err(failed)?;
    newest.map_or(Ok(()), |newest| session.destroy_object(newest).map_err(failed))
}
