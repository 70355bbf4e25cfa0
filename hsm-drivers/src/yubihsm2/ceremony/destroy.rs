//! The end of a key in a device: Delete Object of all that belongs to it.
//!
//! The key goes last: while it is there, an interrupted call can be told which key it was about.

use hsm_types::{KeyLabel, PublicKey};

use super::failed;
use crate::{
    Error,
    ceremony::refuse_another,
    yubihsm2::{
        key,
        protocol::{Algorithm, Label, ListFilter, ObjectType},
        session::Session,
    },
};

pub(super) fn destroy_key(session: &mut Session, label: &KeyLabel, public_key: &PublicKey) -> Result<(), Error> {
    let what = format!("the destruction of key \"{label}\"");
    let unknown = || Error::UnknownKey { key: label.clone() };
    let named = Label::new(label.as_str()).ok_or_else(unknown)?;
    let id = key::find_id(session, label)?.ok_or_else(unknown)?;
    let found = key::read(session, id).map_err(|(error, command)| failed(&error, command, &what))?;
    refuse_another(label, public_key, found.public_key.as_ref())?;

    let data = ListFilter::Algorithm(Algorithm::OPAQUE_DATA);
    let chain_code = [ListFilter::Type(ObjectType::OPAQUE), data, ListFilter::Label(named), ListFilter::Id(id)];
    let found = session.list_objects(&chain_code).map_err(|error| failed(&error, "List Objects", &what))?;
    let deleted = |error| failed(&error, "Delete Object", &what);
    for entry in found {
        session.delete_opaque(entry.id).map_err(deleted)?;
    }
    session.delete_object(id, ObjectType::ASYMMETRIC_KEY).map_err(deleted)?;
    match key::find_id(session, label)? {
        None => Ok(()),
        Some(_) => Err(Error::KeyExists { key: label.clone() }),
    }
}
