//! The chain code beside a key: a data object of the token (PKCS #11 v2.40, 4.5), found by application and label.

use cryptoki::{
    error::Error as CryptokiError,
    object::{Attribute, AttributeType, ObjectClass},
    session::Session,
};
use hsm_types::ChainCode;

/// `CKA_APPLICATION` of every chain code.
const APPLICATION: &[u8] = b"chancery chain code";

/// What makes an object the chain code of the key with this label.
pub(super) fn identity(label: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::DATA),
        Attribute::Application(APPLICATION.to_vec()),
        Attribute::Label(label.to_vec()),
    ]
}

/// The chain code of the key with this label, where it has one; the findings where it cannot be told or may not be
/// used. Of two none is chosen: children of either would be lost with the other.
///
/// Without login the object is not shown; whether the session is logged in is the caller's to know.
pub(super) fn read(session: &Session, label: &[u8]) -> Result<Result<Option<ChainCode>, Vec<String>>, CryptokiError> {
    let handle = match session.find_objects(&identity(label))?[..] {
        [] => return Ok(Ok(None)),
        [handle] => handle,
        ref several => return Ok(Err(vec![format!("it has {} chain codes, not one", several.len())])),
    };
    let wanted = [AttributeType::Private, AttributeType::Modifiable, AttributeType::Value];
    let found = session.get_attributes(handle, &wanted)?;
    let mut findings = Vec::new();
    if !found.contains(&Attribute::Private(true)) {
        findings.push("its chain code can be read without login (CKA_PRIVATE is not true)".to_owned());
    }
    if !found.contains(&Attribute::Modifiable(false)) {
        findings.push("its chain code can be changed (CKA_MODIFIABLE is not false)".to_owned());
    }
    let value = found.iter().find_map(|found| if let Attribute::Value(value) = found { Some(value) } else { None });
    let value = value.map_or(&[][..], Vec::as_slice);
    match value.try_into() {
        Ok(bytes) if findings.is_empty() => return Ok(Ok(Some(ChainCode::new(bytes)))),
        Ok(_) => {}
        Err(_) => findings.push(format!("its chain code has {} bytes, not 32", value.len())),
    }
    Ok(Err(findings))
}
