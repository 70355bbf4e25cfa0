//! What the session's authentication key may do. Whoever serves must not be able to take keys away wrapped, nor to bring
//! keys in so.

use super::{
    failure,
    protocol::{Capabilities, ObjectType},
    session::Session,
};
use crate::Error;

/// Wrap rights: each moves objects between devices, makes a key that does, or opens what one has wrapped.
const WRAP: Capabilities = Capabilities(
    Capabilities::EXPORT_WRAPPED.0
        | Capabilities::IMPORT_WRAPPED.0
        | Capabilities::PUT_WRAP_KEY.0
        | Capabilities::GENERATE_WRAP_KEY.0
        | Capabilities::PUT_PUBLIC_WRAP_KEY.0
        | Capabilities::WRAP_DATA.0
        | Capabilities::UNWRAP_DATA.0,
);

/// Refuses an authentication key with wrap rights, or one that could make another with them.
pub(super) fn refuse_wrap_rights(session: &mut Session, authentication_key: u16) -> Result<(), Error> {
    let info = session.object_info(authentication_key, ObjectType::AUTHENTICATION_KEY).map_err(|error| {
        failure::command_failed(&error, &format!("Get Object Info for authentication key {authentication_key}"))
    })?;
    let mut rights = Capabilities(info.capabilities.0 & WRAP.0);
    if info.capabilities.contains(Capabilities::PUT_AUTHENTICATION_KEY)
        && info.delegated_capabilities.intersects(WRAP | Capabilities::PUT_AUTHENTICATION_KEY)
    {
        rights = rights | Capabilities::PUT_AUTHENTICATION_KEY;
    }
    if rights == Capabilities::NONE {
        return Ok(());
    }
    Err(Error::WrapRights { token: failure::token(authentication_key), rights: rights.to_string() })
}
