//! What of a key is no secret: read where the key is, and made beside it where it is brought in wrapped. What was brought
//! in has to prove that it is that key, or it is deleted again.
//!
//! The private key comes last, so that a label that has one has all that belongs to it.

use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey};

use super::{Replica, chain_code, failed, generate, wrap_key::WrapKey};
use crate::{
    Error, Protection,
    ceremony::{Act, not_begun},
    yubihsm2::{
        chain_code::read as read_chain_code,
        key,
        protocol::{Capabilities, Domains, ListFilter, ObjectType},
        session::Session,
    },
};

/// What must be the same wherever the key is.
pub(super) struct Original {
    pub(super) label: KeyLabel,
    pub(super) id: u16,
    pub(super) domains: Domains,
    pub(super) capabilities: Capabilities,
    pub(super) public_key: PublicKey,
    pub(super) chain_code: Option<ChainCode>,
}

/// What a call made of it.
#[derive(Default)]
struct Made {
    chain_code: bool,
    key: bool,
}

impl Original {
    /// Of a key that was made to leave wrapped.
    pub(super) fn read(session: &mut Session, label: &KeyLabel, act: Act) -> Result<Self, Error> {
        let found = key::find(session, label)?;
        if found.protection != Protection::LeavesWrapped {
            return Err(not_begun(act, label, "it was made without a backup and never leaves its device"));
        }
        let info = session.object_info(found.id, ObjectType::ASYMMETRIC_KEY);
        let info = info.map_err(|error| failed(&error, "Get Object Info", &format!("key \"{label}\"")))?;
        let chain_code = chain_code_of(session, label, found.id, &found.public_key)?;
        let (domains, capabilities) = (info.domains, info.capabilities);
        let (label, public_key) = (label.clone(), found.public_key);
        Ok(Self { label, id: found.id, domains, capabilities, public_key, chain_code })
    }

    /// Whether the device has an asymmetric key of this label, whatever it is.
    pub(super) fn is_there(&self, session: &mut Session) -> Result<bool, Error> {
        key::find_id(session, &self.label).map(|id| id.is_some())
    }

    /// Makes the key of what was wrapped. Where that fails, or the key does not prove to be the original's, everything
    /// that was made for it is deleted again.
    pub(super) fn bring_in(&self, session: &mut Session, wrap_key: &WrapKey, wrapped: &[u8]) -> Result<Replica, Error> {
        let mut made = Made::default();
        let outcome = self.make(session, wrap_key, wrapped, &mut made).and_then(|()| self.prove(session));
        if outcome.is_err() {
            // Where this fails, too, the label has a key that is found unfit, or not this one, on every side.
            if made.key {
                let _ = session.delete_object(self.id, ObjectType::ASYMMETRIC_KEY);
            }
            if made.chain_code {
                let _ = session.delete_opaque(self.id);
            }
        }
        outcome.map(|()| Replica { public_key: self.public_key.clone(), made: true })
    }

    /// Of a key that was there before.
    pub(super) fn prove_again(&self, session: &mut Session) -> Result<Replica, Error> {
        self.prove(session).map(|()| Replica { public_key: self.public_key.clone(), made: false })
    }

    fn make(&self, session: &mut Session, wrap_key: &WrapKey, wrapped: &[u8], made: &mut Made) -> Result<(), Error> {
        self.put_beside(session, made)?;
        made.key = true;
        wrap_key.import(session, self, wrapped)
    }

    /// What belongs to the key, unless it is there; what is there must be the original's. The key keeps its object id.
    fn put_beside(&self, session: &mut Session, made: &mut Made) -> Result<(), Error> {
        chain_code::refuse_taken(session, &self.label, self.id)?;
        match (&self.chain_code, chain_code_of(session, &self.label, self.id, &self.public_key)?) {
            (Some(chain_code), None) => {
                self.refuse_opaque(session)?;
                made.chain_code = true;
                chain_code::write(session, self.id, &self.label, chain_code.as_bytes(), self.domains).map(drop)
            }
            (wanted, found) if *wanted == found => Ok(()),
            _ => Err(self.unfit("the chain code that waits for it in the other device is not its own")),
        }
    }

    fn refuse_opaque(&self, session: &mut Session) -> Result<(), Error> {
        let filters = [ListFilter::Type(ObjectType::OPAQUE), ListFilter::Id(self.id)];
        let found = session.list_objects(&filters);
        let found = found.map_err(|error| failed(&error, "List Objects", &format!("key \"{}\"", self.label)))?;
        if found.is_empty() {
            return Ok(());
        }
        Err(self.unfit("an opaque object of the other device has the object id that its chain code must get"))
    }

    /// From the other device alone, as if the replica were a stranger's: found by its label, read back, tried.
    fn prove(&self, session: &mut Session) -> Result<(), Error> {
        let replica = key::find(session, &self.label)?;
        if replica.public_key != self.public_key {
            return Err(Error::KeyExists { key: self.label.clone() });
        }
        if replica.protection != Protection::LeavesWrapped {
            return Err(self.unfit("the other device does not keep it as a key that leaves wrapped only"));
        }
        if chain_code_of(session, &self.label, replica.id, &self.public_key)? != self.chain_code {
            return Err(self.unfit("the chain code beside it in the other device is not its own"));
        }
        generate::prove(session, &self.label, &replica)
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
