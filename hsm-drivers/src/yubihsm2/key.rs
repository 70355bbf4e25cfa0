//! An asymmetric key object: found by label, read back.

use hsm_types::{Algorithm, KeyLabel, PublicKey, RawSignature, ToSign};

use super::{
    LONGEST_MESSAGE,
    command::PublicKeyData,
    der, failure,
    protocol::{self, Capabilities, Label, ListFilter, ObjectInfo, ObjectType, Origin},
    session::Session,
};
use crate::{Disposition, Error};

/// A key that was found fit to serve.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: u16,
    pub(super) public_key: PublicKey,
}

impl Key {
    /// Whether this key signs such inputs.
    pub(super) fn check_input(&self, label: &KeyLabel, input: &ToSign) -> Result<(), Error> {
        let algorithm = self.public_key.algorithm();
        let reason = match input {
            ToSign::Digest(_) if algorithm.signs_digests() => return Ok(()),
            ToSign::Digest(_) => format!("an {algorithm} key signs a message, not a digest"),
            ToSign::Message(_) if algorithm.signs_digests() => {
                format!("a {algorithm} key signs a digest, not a message")
            }
            ToSign::Message(message) if message.len() <= LONGEST_MESSAGE => return Ok(()),
            ToSign::Message(message) => {
                format!("a message of {} bytes is over the {LONGEST_MESSAGE} of this device", message.len())
            }
        };
        Err(Error::WrongInput { key: label.clone(), reason })
    }

    /// None: no object has this id any more.
    pub(super) fn sign(
        &self,
        session: &mut Session,
        label: &KeyLabel,
        input: &ToSign,
    ) -> Result<Option<RawSignature>, Error> {
        let (command, result) = match input {
            ToSign::Digest(digest) => ("Sign Ecdsa", session.sign_ecdsa(self.id, &digest.0)),
            ToSign::Message(message) => ("Sign Eddsa", session.sign_eddsa(self.id, message)),
        };
        let attempted = format!("{command} with key \"{label}\"");
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(error) if failure::is_stale_id(&error) => return Ok(None),
            Err(error) => return Err(failure::sign_failed(&error, &attempted)),
        };
        let raw = match input {
            ToSign::Digest(_) => der::read_signature(&bytes),
            ToSign::Message(_) => bytes.as_slice().try_into().ok(),
        };
        raw.map(|raw| Some(RawSignature(raw))).ok_or_else(|| Error::Call {
            attempted,
            cause: format!("the device returned {} bytes that are no signature", bytes.len()),
            disposition: Disposition::OutcomeUnknown,
        })
    }
}

/// The one asymmetric key with this label, if it is fit to serve.
pub(super) fn find(session: &mut Session, label: &KeyLabel) -> Result<Key, Error> {
    let failed = |command: &str, error| failure::command_failed(&error, &format!("{command} for key \"{label}\""));
    let unknown = || Error::UnknownKey { key: label.clone() };
    // A key label is at most 40 bytes, as is an object label.
    let named = Label::new(label.as_str()).ok_or_else(unknown)?;
    let filters = [ListFilter::Type(ObjectType::ASYMMETRIC_KEY), ListFilter::Label(named)];
    let entries = session.list_objects(&filters).map_err(|error| failed("List Objects", error))?;
    let id = match &entries[..] {
        [] => return Err(unknown()),
        [entry] => entry.id,
        _ => return Err(Error::AmbiguousKey { key: label.clone() }),
    };
    let info = session.object_info(id, ObjectType::ASYMMETRIC_KEY);
    let info = info.map_err(|error| failed("Get Object Info", error))?;
    let public = session.public_key(id).map_err(|error| failed("Get Public Key", error))?;

    let mut findings = Vec::new();
    let public_key = read_public_key(&public).map_err(|finding| findings.push(finding)).ok();
    findings.extend(deviations(&info, public_key.as_ref().map(PublicKey::algorithm)));
    match public_key {
        Some(public_key) if findings.is_empty() => Ok(Key { id, public_key }),
        _ => Err(Error::KeyUnfit { key: label.clone(), findings }),
    }
}

/// The device gives x || y, without the byte that begins an uncompressed point.
fn read_public_key(public: &PublicKeyData) -> Result<PublicKey, String> {
    let served = [
        (protocol::Algorithm::EC_K256, Algorithm::Secp256k1, &[0x04][..]),
        (protocol::Algorithm::EC_P256, Algorithm::P256, &[0x04]),
        (protocol::Algorithm::ED25519, Algorithm::Ed25519, &[]),
    ];
    let Some((_, algorithm, prefix)) = served.into_iter().find(|(theirs, ..)| *theirs == public.algorithm) else {
        return Err(format!("it is of algorithm {}, which is not served", public.algorithm));
    };
    PublicKey::decode(algorithm, &[prefix, &public.bytes].concat()).map_err(|bad| bad.to_string())
}

/// Every deviation from what a serving key must be, each a clause in words.
fn deviations(info: &ObjectInfo, algorithm: Option<Algorithm>) -> Vec<String> {
    let signing = match algorithm {
        Some(Algorithm::Secp256k1 | Algorithm::P256) => Capabilities::SIGN_ECDSA,
        Some(Algorithm::Ed25519) => Capabilities::SIGN_EDDSA,
        None => Capabilities::NONE,
    };
    let mut findings = Vec::new();
    if !info.capabilities.contains(signing) {
        findings.push(format!("it may not sign (capability {signing} is missing)"));
    }
    for surplus in info.capabilities.without(signing).iter() {
        findings.push(if surplus == Capabilities::EXPORTABLE_UNDER_WRAP {
            "it can be wrapped and taken away (capability exportable-under-wrap)".to_owned()
        } else {
            format!("it may do more than sign (capability {surplus})")
        });
    }
    match info.origin {
        Origin::GENERATED => {}
        Origin::IMPORTED => findings.push("it was not generated in the device (origin imported)".to_owned()),
        origin if origin.0 & Origin::WRAPPED.0 != 0 => {
            findings.push("it came into the device under a wrap key (origin wrapped)".to_owned());
        }
        Origin(other) => findings.push(format!("nobody knows how it came into the device (origin {other:#04x})")),
    }
    findings
}
