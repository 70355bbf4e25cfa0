//! An asymmetric key object: found by label, read back.

use hsm_types::{Algorithm, KeyLabel, PublicKey, RawSignature, ToSign};

use super::{
    LONGEST_MESSAGE,
    command::PublicKeyData,
    der, failure,
    protocol::{self, Capabilities, Label, ListFilter, ObjectInfo, ObjectType, Origin},
    session::{CommandError, Session},
};
use crate::{Disposition, Error, Protection};

/// A key that was found fit to serve.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: u16,
    pub(super) public_key: PublicKey,
    pub(super) protection: Protection,
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
    let id = find_id(session, label)?.ok_or_else(|| Error::UnknownKey { key: label.clone() })?;
    match read(session, id).map_err(|(error, command)| failed_for(label, &error, command))? {
        Reading { public_key: Some(public_key), protection, findings, .. } if findings.is_empty() => {
            Ok(Key { id, public_key, protection })
        }
        Reading { findings, .. } => Err(Error::KeyUnfit { key: label.clone(), findings }),
    }
}

/// Object id of the one asymmetric key with this label, whatever it is.
pub(super) fn find_id(session: &mut Session, label: &KeyLabel) -> Result<Option<u16>, Error> {
    // A key label is at most 40 bytes, as is an object label.
    let Some(named) = Label::new(label.as_str()) else { return Ok(None) };
    let filters = [ListFilter::Type(ObjectType::ASYMMETRIC_KEY), ListFilter::Label(named)];
    let entries = session.list_objects(&filters).map_err(|error| failed_for(label, &error, "List Objects"))?;
    match entries[..] {
        [] => Ok(None),
        [entry] => Ok(Some(entry.id)),
        _ => Err(Error::AmbiguousKey { key: label.clone() }),
    }
}

fn failed_for(label: &KeyLabel, error: &CommandError, command: &str) -> Error {
    failure::command_failed(error, &format!("{command} for key \"{label}\""))
}

/// What an asymmetric key turned out to be. A public key that could not be read is a finding.
pub(super) struct Reading {
    #[cfg_attr(not(feature = "ceremony"), expect(dead_code, reason = "only the ceremony asks for more"))]
    pub(super) info: ObjectInfo,
    pub(super) public_key: Option<PublicKey>,
    pub(super) protection: Protection,
    pub(super) findings: Vec<String>,
}

/// Reads the object back and compares it with what a serving key must be. An error comes with the command's name.
pub(super) fn read(session: &mut Session, id: u16) -> Result<Reading, (CommandError, &'static str)> {
    let info = session.object_info(id, ObjectType::ASYMMETRIC_KEY).map_err(|error| (error, "Get Object Info"))?;
    let public = session.public_key(id).map_err(|error| (error, "Get Public Key"))?;
    let mut findings = Vec::new();
    let public_key = read_public_key(&public).map_err(|finding| findings.push(finding)).ok();
    let exportable = info.capabilities.contains(Capabilities::EXPORTABLE_UNDER_WRAP);
    let protection = if exportable { Protection::LeavesWrapped } else { Protection::NeverLeaves };
    findings.extend(deviations(&info, public_key.as_ref().map(PublicKey::algorithm), protection));
    Ok(Reading { info, public_key, protection, findings })
}

/// What a key of this algorithm signs with, and nothing else.
pub(super) const fn signing(algorithm: Algorithm) -> Capabilities {
    match algorithm {
        Algorithm::Secp256k1 | Algorithm::P256 => Capabilities::SIGN_ECDSA,
        Algorithm::Ed25519 => Capabilities::SIGN_EDDSA,
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
fn deviations(info: &ObjectInfo, algorithm: Option<Algorithm>, protection: Protection) -> Vec<String> {
    let signing = algorithm.map_or(Capabilities::NONE, signing);
    let mut findings = Vec::new();
    if !info.capabilities.contains(signing) {
        findings.push(format!("it may not sign (capability {signing} is missing)"));
    }
    for surplus in info.capabilities.without(signing | Capabilities::EXPORTABLE_UNDER_WRAP).iter() {
        findings.push(format!("it may do more than sign (capability {surplus})"));
    }
    match (info.origin, protection) {
        (Origin::GENERATED, _) => {}
        (origin, Protection::LeavesWrapped) if origin == Origin::GENERATED.wrapped() => {}
        (origin, Protection::NeverLeaves) if origin == Origin::GENERATED.wrapped() => {
            findings.push("it came into the device under a wrap key and may not leave so (origin wrapped)".to_owned());
        }
        (origin, _) if [Origin::IMPORTED, Origin::IMPORTED.wrapped()].contains(&origin) => {
            findings.push("it was not generated in a device (origin imported)".to_owned());
        }
        (Origin(origin), _) => {
            findings.push(format!("nobody knows how it came into the device (origin {origin:#04x})"));
        }
    }
    findings
}
