//! What of a key is no secret: read where the key is, and made beside it where it is brought in wrapped. What was brought
//! in has to prove that it is that key, or it is destroyed again.
//!
//! The private key comes last, so that a label that has one has all that belongs to it.

use cryptoki::{
    error::Error as CryptokiError,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey};

use super::{Replica, chain_code, generate, wrap_key::WrapKey};
use crate::{
    Error, Protection,
    ceremony::{Act, not_begun},
    pkcs11::{curve, ec_point, failure::call_failed, key, template},
};

/// What must be the same wherever the key is.
pub(super) struct Original {
    pub(super) label: KeyLabel,
    /// `CKA_ID`.
    pub(super) id: Vec<u8>,
    pub(super) public_key: PublicKey,
    pub(super) chain_code: Option<ChainCode>,
}

impl Original {
    /// Of a key that was made to leave wrapped.
    pub(super) fn read(session: &Session, label: &KeyLabel, act: Act) -> Result<Self, Error> {
        let found = key::find(session, label)?;
        if found.protection != Protection::LeavesWrapped {
            return Err(not_begun(act, label, "it was made without a backup and never leaves its token"));
        }
        let handle = key::find_handle(session, label)?;
        let id = session.get_attributes(handle, &[AttributeType::Id]);
        let id = match id.map_err(|error| call_failed(error, &format!("for key \"{label}\"")))?.pop() {
            Some(Attribute::Id(id)) => id,
            _ => Vec::new(),
        };
        let chain_code = chain_code_of(session, label, &found.public_key)?;
        Ok(Self { label: label.clone(), id, public_key: found.public_key, chain_code })
    }

    /// Whether the token has a private key of this label, whatever it is.
    pub(super) fn is_there(&self, session: &Session) -> Result<bool, Error> {
        match key::find_handle(session, &self.label) {
            Ok(_) => Ok(true),
            Err(Error::UnknownKey { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the key of what was wrapped. Where that fails, or the key does not prove to be the original's, everything
    /// that was made for it is destroyed again.
    pub(super) fn bring_in(&self, session: &Session, wrap_key: &WrapKey, wrapped: &[u8]) -> Result<Replica, Error> {
        let mut made = Vec::new();
        let outcome = self.put_beside(session, &mut made).and_then(|()| {
            let mut template = self.names(ObjectClass::PRIVATE_KEY);
            template.extend(template::for_generation(Protection::LeavesWrapped));
            made.push(wrap_key.unwrap(session, wrapped, &template).map_err(|error| self.failed(error))?);
            self.prove(session)
        });
        if outcome.is_err() {
            for object in made.into_iter().rev() {
                // Where this fails, too, the label has a key that is found unfit, or not this one, on every side.
                let _ = session.destroy_object(object);
            }
        }
        outcome.map(|()| Replica { public_key: self.public_key.clone(), made: true })
    }

    /// Of a key that was there before.
    pub(super) fn prove_again(&self, session: &Session) -> Result<Replica, Error> {
        self.prove(session).map(|()| Replica { public_key: self.public_key.clone(), made: false })
    }

    /// What belongs to the key, each unless it is there; what is there must be the original's.
    fn put_beside(&self, session: &Session, made: &mut Vec<ObjectHandle>) -> Result<(), Error> {
        match (&self.chain_code, chain_code_of(session, &self.label, &self.public_key)?) {
            (Some(chain_code), None) => {
                made.push(chain_code::create(session, &self.label, chain_code.as_bytes())?);
                chain_code::check(session, &self.label, chain_code)?;
            }
            (wanted, found) if *wanted == found => {}
            _ => return Err(self.unfit("the chain code that waits for it in the other token is not its own")),
        }
        let failed = |error| self.failed(error);
        let named = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(self.id.clone())];
        if session.find_objects(&named).map_err(failed)?.is_empty() {
            made.push(self.create_public_key(session).map_err(failed)?);
        }
        match key::find_public_key(session, self.public_key.algorithm(), &self.id).map_err(failed)? {
            Ok(found) if found == self.public_key => Ok(()),
            Ok(_) => Err(self.unfit("another public key of the other token has its CKA_ID")),
            Err(finding) => Err(self.unfit(&finding)),
        }
    }

    fn create_public_key(&self, session: &Session) -> Result<ObjectHandle, CryptokiError> {
        let mut template = self.names(ObjectClass::PUBLIC_KEY);
        template.extend([
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::Encrypt(false),
            Attribute::Wrap(false),
            Attribute::EcPoint(ec_point::write(&self.public_key)),
        ]);
        let mut outcome = Err(CryptokiError::NotSupported);
        for params in curve::encodings(self.public_key.algorithm()) {
            outcome = session.create_object(&[&template[..], &[Attribute::EcParams(params.to_vec())]].concat());
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// From the other token alone, as if the replica were a stranger's: found by its label, read back, tried.
    fn prove(&self, session: &Session) -> Result<(), Error> {
        let replica = key::find(session, &self.label)?;
        if replica.public_key != self.public_key {
            return Err(Error::KeyExists { key: self.label.clone() });
        }
        if replica.protection != Protection::LeavesWrapped {
            return Err(self.unfit("the other token does not keep it as a key that leaves wrapped only"));
        }
        if chain_code_of(session, &self.label, &self.public_key)? != self.chain_code {
            return Err(self.unfit("the chain code beside it in the other token is not its own"));
        }
        generate::prove(session, &self.label, &replica)
    }

    fn names(&self, class: ObjectClass) -> Vec<Attribute> {
        let signs_digests = self.public_key.algorithm().signs_digests();
        vec![
            Attribute::Class(class),
            Attribute::KeyType(if signs_digests { KeyType::EC } else { KeyType::EC_EDWARDS }),
            Attribute::Label(self.label.as_str().into()),
            Attribute::Id(self.id.clone()),
        ]
    }

    fn failed(&self, error: CryptokiError) -> Error {
        call_failed(error, &format!("for the replica of key \"{}\"", self.label))
    }

    fn unfit(&self, finding: &str) -> Error {
        Error::KeyUnfit { key: self.label.clone(), findings: vec![finding.to_owned()] }
    }
}

/// Only these keys have children.
fn chain_code_of(session: &Session, label: &KeyLabel, public_key: &PublicKey) -> Result<Option<ChainCode>, Error> {
    match public_key.algorithm() {
        Algorithm::Secp256k1 => chain_code::read(session, label),
        Algorithm::P256 | Algorithm::Ed25519 => Ok(None),
    }
}
