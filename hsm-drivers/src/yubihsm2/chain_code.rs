//! The chain code beside a key: an opaque object with the key's label and object id.

use hsm_types::{ChainCode, KeyLabel};

use super::{
    failure,
    protocol::{Algorithm, Label, ListFilter, ObjectType},
    session::Session,
};
use crate::Error;

/// The chain code of the key with this label and object id, where it has one. Of two none is chosen: children of either
/// would be lost with the other.
pub(super) fn read(session: &mut Session, label: &KeyLabel, key: u16) -> Result<Option<ChainCode>, Error> {
    let failed = |command: &str, error| {
        failure::command_failed(&error, &format!("{command} for the chain code of key \"{label}\""))
    };
    let unfit = |finding: String| Error::KeyUnfit { key: label.clone(), findings: vec![finding] };
    // A key label is at most 40 bytes, as is an object label.
    let named = Label::new(label.as_str()).ok_or_else(|| Error::UnknownKey { key: label.clone() })?;
    // Certificates of keys are opaque objects too, of another algorithm.
    let data = ListFilter::Algorithm(Algorithm::OPAQUE_DATA);
    let filters = [ListFilter::Type(ObjectType::OPAQUE), data, ListFilter::Label(named)];
    let entries = session.list_objects(&filters).map_err(|error| failed("List Objects", error))?;
    match &entries[..] {
        [] => return Ok(None),
        [entry] if entry.id == key => {}
        [entry] => {
            let found = entry.id;
            return Err(unfit(format!("its chain code has the object id {found:#06x}, not {key:#06x} as the key")));
        }
        several => return Err(unfit(format!("it has {} chain codes, not one", several.len()))),
    }
    let value = session.opaque(key).map_err(|error| failed("Get Opaque", error))?;
    let length = value.len();
    let bytes = value.try_into().map_err(|_| unfit(format!("its chain code has {length} bytes, not 32")))?;
    Ok(Some(ChainCode::new(bytes)))
}
