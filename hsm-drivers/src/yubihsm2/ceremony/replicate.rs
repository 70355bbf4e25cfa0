//! One key in two devices: wrapped out of the one, unwrapped into the other, never in plain outside of them.
//!
//! The private key comes last, so that a label that has one has all that belongs to it.

use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey};

use super::{
    Ceremony, Replica, chain_code, failed, generate,
    wrap_key::{self, WrapKey},
};
use crate::{
    Error, Protection,
    ceremony::not_replicated,
    yubihsm2::{
        chain_code::read as read_chain_code,
        key,
        protocol::{ListFilter, ObjectInfo, ObjectType},
        session::Session,
    },
};

/// What of a key is no secret, and must be the same in both devices.
struct Original<'a> {
    label: &'a KeyLabel,
    info: ObjectInfo,
    public_key: PublicKey,
    chain_code: Option<ChainCode>,
}

pub(super) fn replicate(from: &mut Ceremony, label: &KeyLabel, to: &mut Ceremony) -> Result<Replica, Error> {
    if from.serial == to.serial {
        return Err(not_replicated(label, "both are the same device"));
    }
    let (from, to) = (from.session()?, to.session()?);
    wrap_key::delete_all(from)?;
    wrap_key::delete_all(to)?;
    let original = Original::read(from, label)?;
    let made = key::find_id(to, label)?.is_none();
    if made {
        let wrap_key = WrapKey::random([from, to], label, &original.info)?;
        original.put_beside(to)?;
        let wrapped = wrap_key.export(from)?;
        wrap_key.import(to, &wrapped)?;
    }
    let proved = original.prove(to);
    if made && proved.is_err() {
        // Where this fails, too, the label has a key that is found unfit, or not this one, on every side.
        let _ = to.delete_object(original.info.id, ObjectType::ASYMMETRIC_KEY);
    }
    proved.map(|()| Replica { public_key: original.public_key, made })
}

impl<'a> Original<'a> {
    fn read(session: &mut Session, label: &'a KeyLabel) -> Result<Self, Error> {
        let found = key::find(session, label)?;
        if found.protection != Protection::LeavesWrapped {
            return Err(not_replicated(label, "it was made without a backup and never leaves its device"));
        }
        let info = session.object_info(found.id, ObjectType::ASYMMETRIC_KEY);
        let info = info.map_err(|error| failed(&error, "Get Object Info", &format!("key \"{label}\"")))?;
        let chain_code = chain_code_of(session, label, found.id, &found.public_key)?;
        Ok(Self { label, info, public_key: found.public_key, chain_code })
    }

    /// What belongs to the key, unless it is there; what is there must be the original's. The key keeps its object id.
    fn put_beside(&self, session: &mut Session) -> Result<(), Error> {
        let id = self.info.id;
        chain_code::refuse_taken(session, self.label, id)?;
        match (&self.chain_code, chain_code_of(session, self.label, id, &self.public_key)?) {
            (Some(chain_code), None) => {
                self.refuse_opaque(session)?;
                chain_code::write(session, id, self.label, chain_code.as_bytes(), self.info.domains).map(drop)
            }
            (wanted, found) if *wanted == found => Ok(()),
            _ => Err(self.unfit("the chain code that waits for it in the other device is not its own")),
        }
    }

    fn refuse_opaque(&self, session: &mut Session) -> Result<(), Error> {
        let filters = [ListFilter::Type(ObjectType::OPAQUE), ListFilter::Id(self.info.id)];
        let found = session.list_objects(&filters);
        let found = found.map_err(|error| failed(&error, "List Objects", &format!("key \"{}\"", self.label)))?;
        if found.is_empty() {
            return Ok(());
        }
        Err(self.unfit("an opaque object of the other device has the object id that its chain code must get"))
    }

    /// From the other device alone, as if the replica were a stranger's: found by its label, read back, tried.
    fn prove(&self, session: &mut Session) -> Result<(), Error> {
        let replica = key::find(session, self.label)?;
        if replica.public_key != self.public_key {
            return Err(Error::KeyExists { key: self.label.clone() });
        }
        if replica.protection != Protection::LeavesWrapped {
            return Err(self.unfit("the other device does not keep it as a key that leaves wrapped only"));
        }
        if chain_code_of(session, self.label, replica.id, &self.public_key)? != self.chain_code {
            return Err(self.unfit("the chain code beside it in the other device is not its own"));
        }
        generate::prove(session, self.label, &replica)
    }

    fn unfit(&self, finding: &str) -> Error {
        Error::KeyUnfit { key: self.label.clone(), findings: vec![finding.to_owned()] }
    }
}

/// Only these keys have children.
fn chain_code_of(
    session: &mut Session,
    label: &KeyLabel,
    id: u16,
    public_key: &PublicKey,
) -> Result<Option<ChainCode>, Error> {
    match public_key.algorithm() {
        Algorithm::Secp256k1 => read_chain_code(session, label, id),
        Algorithm::P256 | Algorithm::Ed25519 => Ok(None),
    }
}
