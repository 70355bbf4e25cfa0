//! What a token says of a key, attribute by attribute, for whoever writes it down.

use cryptoki::{
    object::{Attribute, AttributeType},
    session::Session,
};
use hsm_types::KeyLabel;

use crate::{
    Error,
    pkcs11::{failure::call_failed, key, template},
};

/// Those of the private key that are no yes or no.
const NAMES: [AttributeType; 4] =
    [AttributeType::Label, AttributeType::Id, AttributeType::KeyType, AttributeType::EcParams];

/// The attributes of the private key with this label, as they are; fit to serve or not.
pub(super) fn read(session: &Session, label: &KeyLabel) -> Result<Vec<(String, String)>, Error> {
    let handle = key::find_handle(session, label)?;
    let wanted = [&NAMES[..], &template::attributes()].concat();
    let found = session.get_attributes(handle, &wanted);
    let found = found.map_err(|error| call_failed(error, &format!("for key \"{label}\"")))?;
    let value = |attribute| value_of(attribute, &found).unwrap_or_else(|| "not told".to_owned());
    Ok(wanted.into_iter().map(|attribute| (attribute.to_string(), value(attribute))).collect())
}

fn value_of(wanted: AttributeType, found: &[Attribute]) -> Option<String> {
    if let Some(value) = template::value_of(wanted, found) {
        return Some(value.to_string());
    }
    let found = found.iter().find(|attribute| attribute.attribute_type() == wanted)?;
    if let Attribute::Label(label) = found {
        Some(String::from_utf8_lossy(label).into_owned())
    } else if let Attribute::KeyType(key_type) = found {
        Some(key_type.to_string())
    } else if let Attribute::Id(bytes) | Attribute::EcParams(bytes) = found {
        Some(hex::encode(bytes))
    } else {
        None
    }
}
