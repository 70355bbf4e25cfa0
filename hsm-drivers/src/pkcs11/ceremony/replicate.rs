//! One key in two tokens: wrapped out of the one, unwrapped into the other, never in plain outside of them.
//!
//! The private key comes last, so that a label that has one has all that belongs to it.

use cryptoki::{
    error::Error as CryptokiError,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey};

use super::{Ceremony, Replica, chain_code, generate, wrap_key::WrapKey};
use crate::{
    Error, Pin, Protection,
    ceremony::not_replicated,
    pkcs11::{failure::call_failed, key, template},
};

/// What of a key is no secret, and must be the same in both tokens.
struct Original<'a> {
    label: &'a KeyLabel,
    id: Vec<u8>,
    public_key: PublicKey,
    /// `CKA_EC_PARAMS` and `CKA_EC_POINT`, in the form the token gives them.
    point: Vec<Attribute>,
    chain_code: Option<ChainCode>,
}

pub(super) fn replicate(
    from: &Ceremony,
    label: &KeyLabel,
    so_pin: &Pin,
    user_pin: &Pin,
    to: &Ceremony,
) -> Result<Replica, Error> {
    if from.token.is(&to.token)? {
        return Err(not_replicated(label, "both are the same token"));
    }
    let original = Original::read(&from.session, label)?;
    let made = match key::find_handle(&to.session, label) {
        Ok(_) => false,
        Err(Error::UnknownKey { .. }) => {
            let wrap_key = WrapKey::random(&from.session)?;
            let trusted = wrap_key.make_trusted(&from.token, &from.session, so_pin, user_pin)?;
            let wrapped = WrapKey::wrap(trusted, &from.session, label)?;
            original.put_beside(&to.session)?;
            original.unwrap(&to.session, &wrap_key, &wrapped)?;
            true
        }
        Err(error) => return Err(error),
    };
    // The original as well: while a trusted key is there it is not fit to serve.
    key::find(&from.session, label)?;
    if !made {
        original.prove(&to.session)?;
    }
    Ok(Replica { public_key: original.public_key, made })
}

impl<'a> Original<'a> {
    fn read(session: &Session, label: &'a KeyLabel) -> Result<Self, Error> {
        let failed = |error| call_failed(error, &format!("for key \"{label}\""));
        let found = key::find(session, label)?;
        if found.protection != Protection::LeavesWrapped {
            return Err(not_replicated(label, "it was made without a backup and never leaves its token"));
        }
        let handle = key::find_handle(session, label)?;
        let id = match session.get_attributes(handle, &[AttributeType::Id]).map_err(failed)?.pop() {
            Some(Attribute::Id(id)) => id,
            _ => Vec::new(),
        };
        let public = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(id.clone())];
        let public = session.find_objects(&public).map_err(failed)?;
        let point = [AttributeType::EcParams, AttributeType::EcPoint];
        let point = match public[..] {
            [public] => session.get_attributes(public, &point).map_err(failed)?,
            _ => Vec::new(),
        };
        let chain_code = chain_code_of(session, label, &found.public_key)?;
        Ok(Self { label, id, public_key: found.public_key, point, chain_code })
    }

    /// What belongs to the key, each unless it is there; what is there must be the original's.
    fn put_beside(&self, session: &Session) -> Result<(), Error> {
        match (&self.chain_code, chain_code_of(session, self.label, &self.public_key)?) {
            (Some(chain_code), None) => {
                chain_code::write(session, self.label, chain_code.as_bytes())?;
            }
            (wanted, found) if *wanted == found => {}
            _ => return Err(self.unfit("the chain code that waits for it in the other token is not its own")),
        }
        let failed = |error| self.failed(error);
        let named = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(self.id.clone())];
        if session.find_objects(&named).map_err(failed)?.is_empty() {
            let mut template = self.names(ObjectClass::PUBLIC_KEY);
            template.extend([
                Attribute::Token(true),
                Attribute::Private(false),
                Attribute::Verify(true),
                Attribute::Encrypt(false),
                Attribute::Wrap(false),
            ]);
            template.extend_from_slice(&self.point);
            session.create_object(&template).map_err(failed)?;
        }
        match key::find_public_key(session, self.public_key.algorithm(), &self.id).map_err(failed)? {
            Ok(found) if found == self.public_key => Ok(()),
            Ok(_) => Err(self.unfit("another public key of the other token has its CKA_ID")),
            Err(finding) => Err(self.unfit(&finding)),
        }
    }

    /// Makes the private key, and destroys it again unless it proves to be the original's.
    fn unwrap(&self, session: &Session, wrap_key: &WrapKey, wrapped: &[u8]) -> Result<(), Error> {
        let mut template = self.names(ObjectClass::PRIVATE_KEY);
        template.extend(template::for_generation(Protection::LeavesWrapped));
        let made: ObjectHandle = wrap_key.unwrap(session, wrapped, &template).map_err(|error| self.failed(error))?;
        self.prove(session).inspect_err(|_| {
            // Where this fails, too, the label has a key that is found unfit, or not this one, on every side.
            let _ = session.destroy_object(made);
        })
    }

    /// From the other token alone, as if the replica were a stranger's: found by its label, read back, tried.
    fn prove(&self, session: &Session) -> Result<(), Error> {
        let replica = key::find(session, self.label)?;
        if replica.public_key != self.public_key {
            return Err(Error::KeyExists { key: self.label.clone() });
        }
        if replica.protection != Protection::LeavesWrapped {
            return Err(self.unfit("the other token does not keep it as a key that leaves wrapped only"));
        }
        if chain_code_of(session, self.label, &self.public_key)? != self.chain_code {
            return Err(self.unfit("the chain code beside it in the other token is not its own"));
        }
        generate::prove(session, self.label, &replica)
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
