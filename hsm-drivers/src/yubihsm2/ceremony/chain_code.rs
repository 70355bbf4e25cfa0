//! Making the chain code of a key that will have children.

use hsm_types::{ChainCode, KeyLabel};

use super::{failed, generate};
use crate::{
    Disposition, Error,
    yubihsm2::{
        chain_code, key,
        protocol::{Algorithm, Domains, ListFilter, ObjectType},
        session::Session,
    },
};

const BYTES: u16 = 32;

impl super::Ceremony {
    /// The chain code beside the key of this label; none for a key without children.
    ///
    /// # Errors
    /// [`Error::KeyUnfit`] where there is more than one, or one that may not be used; [`Error::UnknownKey`].
    pub fn chain_code(&mut self, label: &KeyLabel) -> Result<Option<ChainCode>, Error> {
        let session = self.session()?;
        let id = key::find_id(session, label)?.ok_or_else(|| Error::UnknownKey { key: label.clone() })?;
        chain_code::read(session, label, id)
    }
}

/// The chain code waiting for a key of this label, made by the device's random generator unless it is there, and the
/// object id that the key must get.
///
/// It is there where an earlier ceremony ended before it made the key.
pub(super) fn ensure(session: &mut Session, label: &KeyLabel, domains: Domains) -> Result<(u16, ChainCode), Error> {
    let what = format!("the chain code of key \"{label}\"");
    if let Some(id) = waiting(session, label)?
        && let Some(chain_code) = chain_code::read(session, label, id)?
    {
        refuse_taken(session, label, id)?;
        return Ok((id, chain_code));
    }
    let id = generate::free_id(session, label)?;
    let value = session.pseudo_random(BYTES).map_err(|error| failed(&error, "Get Pseudo Random", &what))?;
    Ok((id, write(session, id, label, &value, domains)?))
}

/// Puts this one beside the key of this label, where nothing is yet, and returns what the device then gives back.
pub(super) fn write(
    session: &mut Session,
    id: u16,
    label: &KeyLabel,
    value: &[u8],
    domains: Domains,
) -> Result<ChainCode, Error> {
    let what = format!("the chain code of key \"{label}\"");
    session
        .put_opaque(id, generate::name(label)?, domains, value)
        .map_err(|error| failed(&error, "Put Opaque", &what))?;
    let found = chain_code::read(session, label, id)?;
    found.filter(|found| found.as_bytes()[..] == *value).ok_or_else(|| Error::Call {
        attempted: format!("Put Opaque for {what}"),
        cause: "the device does not give back what was written".to_owned(),
        disposition: Disposition::Broken,
    })
}

/// The object id of the chain code with this label; of several, of any: to read them is refused.
fn waiting(session: &mut Session, label: &KeyLabel) -> Result<Option<u16>, Error> {
    let filters = [
        ListFilter::Type(ObjectType::OPAQUE),
        ListFilter::Algorithm(Algorithm::OPAQUE_DATA),
        ListFilter::Label(generate::name(label)?),
    ];
    let found = session.list_objects(&filters);
    let found = found.map_err(|error| failed(&error, "List Objects", &format!("the chain code of key \"{label}\"")))?;
    Ok(found.first().map(|entry| entry.id))
}

/// The key must get the id of its chain code.
pub(super) fn refuse_taken(session: &mut Session, label: &KeyLabel, id: u16) -> Result<(), Error> {
    let filters = [ListFilter::Type(ObjectType::ASYMMETRIC_KEY), ListFilter::Id(id)];
    let found = session.list_objects(&filters);
    let found = found.map_err(|error| failed(&error, "List Objects", &format!("key \"{label}\"")))?;
    if found.is_empty() {
        return Ok(());
    }
    let finding = format!("another key of the device has the object id {id:#06x}, which it must get");
    Err(Error::KeyUnfit { key: label.clone(), findings: vec![finding] })
}
