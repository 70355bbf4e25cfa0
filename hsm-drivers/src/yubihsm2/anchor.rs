//! The anchor: an opaque object. The device changes none, so each writing takes the object id that the one before has not.

use super::{
    failure,
    protocol::{Algorithm, Label, ListFilter, ObjectType},
    session::{CommandError, Session},
};
use crate::{
    Disposition, Error,
    device::{ANCHOR, Generations, kept},
};

/// Object ids of anchors, in turn: above those that keys and their chain codes get.
const IDS: [u16; 2] = [0xff00, 0xff01];

/// Every anchor in the device.
pub(super) fn find(session: &mut Session) -> Result<Generations<u16>, Error> {
    let filters = [
        ListFilter::Type(ObjectType::OPAQUE),
        ListFilter::Algorithm(Algorithm::OPAQUE_DATA),
        ListFilter::Label(label()?),
    ];
    let entries = session.list_objects(&filters).map_err(|error| failed(&error, "List Objects"))?;
    let mut values = Vec::new();
    for entry in entries {
        values.push((entry.id, session.opaque(entry.id).map_err(|error| failed(&error, "Get Opaque"))?));
    }
    Generations::read(values)
}

/// Puts the next anchor, then deletes the one before. What an interruption left goes first.
pub(super) fn write(session: &mut Session, authentication_key: u16, anchor: &[u8]) -> Result<(), Error> {
    let found = find(session)?;
    let (newest, older) = found.places();
    for id in older {
        session.delete_opaque(id).map_err(|error| failed(&error, "Delete Object"))?;
    }
    let key = session.object_info(authentication_key, ObjectType::AUTHENTICATION_KEY);
    let domains = key.map_err(|error| failed(&error, "Get Object Info of its authentication key"))?.domains;
    let [one, other] = IDS;
    let id = if newest == Some(one) { other } else { one };
    let value = kept(found.next(), anchor);
    session.put_opaque(id, label()?, domains, &value).map_err(|error| failed(&error, "Put Opaque"))?;
    match newest {
        Some(before) => session.delete_opaque(before).map_err(|error| failed(&error, "Delete Object")),
        None => Ok(()),
    }
}

fn label() -> Result<Label, Error> {
    Label::new(ANCHOR).ok_or_else(|| Error::Call {
        attempted: format!("naming of object \"{ANCHOR}\""),
        cause: "it is longer than a label".to_owned(),
        disposition: Disposition::NotSent,
    })
}

fn failed(error: &CommandError, command: &str) -> Error {
    failure::command_failed(error, &format!("{command} for the anchor"))
}
