//! A private key of the token: found by label, read back, paired with its public key by `CKA_ID`.

use cryptoki::{
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use hsm_types::{Algorithm, KeyLabel, PublicKey, ToSign};

use super::{LONGEST_MESSAGE, curve, ec_point, failure::call_failed, template};
use crate::{Error, Protection};

/// A key that was found fit to serve. The handle is good in its session only.
#[derive(Clone, Debug)]
pub(super) struct Key {
    handle: ObjectHandle,
    pub(super) public_key: PublicKey,
    pub(super) protection: Protection,
}

impl Key {
    /// The handle to sign `input` with, where this key signs such inputs.
    pub(super) fn handle_for(&self, label: &KeyLabel, input: &ToSign) -> Result<ObjectHandle, Error> {
        let algorithm = self.public_key.algorithm();
        let wrong = |reason| Err(Error::WrongInput { key: label.clone(), reason });
        match input {
            ToSign::Digest(_) if algorithm.signs_digests() => Ok(self.handle),
            ToSign::Message(message) if !algorithm.signs_digests() && message.len() <= LONGEST_MESSAGE => {
                Ok(self.handle)
            }
            ToSign::Digest(_) => wrong(format!("an {algorithm} key signs a message, not a digest")),
            ToSign::Message(_) if algorithm.signs_digests() => {
                wrong(format!("a {algorithm} key signs a digest, not a message"))
            }
            ToSign::Message(message) => {
                wrong(format!("a message of {} bytes is over the {LONGEST_MESSAGE} of this token", message.len()))
            }
        }
    }
}

/// The one private key with this label, if it is fit to serve.
pub(super) fn find(session: &Session, label: &KeyLabel) -> Result<Key, Error> {
    let handle = find_handle(session, label)?;
    match read(session, handle).map_err(|error| call_failed(error, &format!("for key \"{label}\"")))? {
        Reading { public_key: Some(public_key), protection, findings, .. } if findings.is_empty() => {
            Ok(Key { handle, public_key, protection })
        }
        Reading { findings, .. } => Err(Error::KeyUnfit { key: label.clone(), findings }),
    }
}

/// The one private key with this label, whatever it is.
pub(super) fn find_handle(session: &Session, label: &KeyLabel) -> Result<ObjectHandle, Error> {
    let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(label.as_str().into())];
    let found = session.find_objects(&wanted).map_err(|error| call_failed(error, &format!("for key \"{label}\"")))?;
    match found[..] {
        [] => Err(Error::UnknownKey { key: label.clone() }),
        [handle] => Ok(handle),
        _ => Err(Error::AmbiguousKey { key: label.clone() }),
    }
}

/// What a private key object turned out to be. A public key that could not be read is a finding.
pub(super) struct Reading {
    pub(super) algorithm: Option<Algorithm>,
    pub(super) public_key: Option<PublicKey>,
    pub(super) protection: Protection,
    pub(super) findings: Vec<String>,
}

/// Reads the object back and compares it with what a serving key must be.
pub(super) fn read(session: &Session, handle: ObjectHandle) -> Result<Reading, cryptoki::error::Error> {
    let mut wanted = template::attributes();
    wanted.extend([AttributeType::KeyType, AttributeType::EcParams, AttributeType::Id]);
    let found = session.get_attributes(handle, &wanted)?;

    let mut findings = template::deviations(&found);
    let algorithm = algorithm_of(&found);
    let id = found.iter().find_map(|attribute| if let Attribute::Id(id) = attribute { Some(&id[..]) } else { None });
    let public_key = match (&algorithm, id.unwrap_or_default()) {
        (Err(finding), _) => Err(finding.clone()),
        (Ok(_), []) => Err("it has no CKA_ID to find its public key by".to_owned()),
        (Ok(algorithm), id) => find_public_key(session, *algorithm, id)?,
    };
    let public_key = public_key.map_err(|finding| findings.push(finding)).ok();
    let protection = template::protection(&found);
    if protection == Protection::LeavesWrapped && shows_trusted_key(session)? {
        findings.push(TRUSTED_KEY.to_owned());
    }
    Ok(Reading { algorithm: algorithm.ok(), public_key, protection, findings })
}

/// While one is there, whoever can log in can take the key away wrapped, and perhaps unwrap it elsewhere.
const TRUSTED_KEY: &str = "it can be wrapped and taken away now, for the token shows a key that the security officer \
                           trusts (CKA_TRUSTED is true): destroy that key";

/// PKCS #11 v2.40, 4.8 and 4.10: public and secret keys can wrap, and be trusted to.
fn shows_trusted_key(session: &Session) -> Result<bool, cryptoki::error::Error> {
    for class in [ObjectClass::SECRET_KEY, ObjectClass::PUBLIC_KEY] {
        if !session.find_objects(&[Attribute::Class(class), Attribute::Trusted(true)])?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// From `CKA_KEY_TYPE` and `CKA_EC_PARAMS`.
fn algorithm_of(found: &[Attribute]) -> Result<Algorithm, String> {
    let mut key_type = None;
    let mut algorithm = None;
    for attribute in found {
        if let Attribute::KeyType(value) = attribute {
            key_type = Some(*value);
        } else if let Attribute::EcParams(value) = attribute {
            algorithm = curve::read(value);
        }
    }
    let unserved = || "it is on no curve that is served (CKA_KEY_TYPE, CKA_EC_PARAMS)".to_owned();
    let algorithm = algorithm.ok_or_else(unserved)?;
    let fitting = if algorithm.signs_digests() { KeyType::EC } else { KeyType::EC_EDWARDS };
    if key_type == Some(fitting) { Ok(algorithm) } else { Err(unserved()) }
}

/// The public key object with this `CKA_ID`; a finding where there is none, or not one.
pub(super) fn find_public_key(
    session: &Session,
    algorithm: Algorithm,
    id: &[u8],
) -> Result<Result<PublicKey, String>, cryptoki::error::Error> {
    let handles = session.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(id.to_vec())])?;
    let &[handle] = &handles[..] else {
        return Ok(Err(format!("{} public keys have its CKA_ID {}, not one", handles.len(), hex::encode(id))));
    };
    let key = read_public_key(session, handle, algorithm)?;
    Ok(key.ok_or_else(|| format!("its public key object holds no {algorithm} point (CKA_EC_PARAMS, CKA_EC_POINT)")))
}

/// The key that a public key object holds; none where it is no point of this curve.
pub(super) fn read_public_key(
    session: &Session,
    handle: ObjectHandle,
    algorithm: Algorithm,
) -> Result<Option<PublicKey>, cryptoki::error::Error> {
    let public = session.get_attributes(handle, &[AttributeType::EcParams, AttributeType::EcPoint])?;
    let mut point = None;
    let mut same_curve = false;
    for attribute in &public {
        if let Attribute::EcPoint(value) = attribute {
            point = Some(value);
        } else if let Attribute::EcParams(value) = attribute {
            same_curve = curve::read(value) == Some(algorithm);
        }
    }
    Ok(point.filter(|_| same_curve).and_then(|point| ec_point::read(algorithm, point)))
}
