//! Generate Asymmetric Key, and the proofs that come after it.

use hsm_types::{Algorithm, KeyLabel, PublicKey, ToSign, VerifiedSignature};
use rand::{Rng, rngs::OsRng};

use super::failed;
use crate::{
    Error, Protection,
    ceremony::{pairwise_test, verified},
    yubihsm2::{
        command::NewObject,
        key::{self, Key},
        protocol::{self, Capabilities, Domains, Label, ListFilter},
        session::Session,
    },
};

/// Object ids are chosen among these: low ones are people's, the highest is no object's.
const IDS: std::ops::Range<u16> = 0x1000..0xff00;

/// Nothing is made beside an asymmetric key of this label.
pub(super) fn refuse_existing(session: &mut Session, label: &KeyLabel) -> Result<(), Error> {
    match key::find_id(session, label) {
        Ok(None) => Ok(()),
        Ok(Some(_)) | Err(Error::AmbiguousKey { .. }) => Err(Error::KeyExists { key: label.clone() }),
        Err(error) => Err(error),
    }
}

/// An object id that no object of any type has: key and chain code will share it.
pub(super) fn free_id(session: &mut Session, label: &KeyLabel) -> Result<u16, Error> {
    loop {
        let id = OsRng.gen_range(IDS);
        let holders = session.list_objects(&[ListFilter::Id(id)]);
        let holders = holders.map_err(|error| failed(&error, "List Objects", &format!("key \"{label}\"")))?;
        if holders.is_empty() {
            return Ok(id);
        }
    }
}

pub(super) fn generate_key(
    session: &mut Session,
    id: u16,
    label: &KeyLabel,
    algorithm: Algorithm,
    protection: Protection,
    domains: Domains,
) -> Result<PublicKey, Error> {
    let theirs = match algorithm {
        Algorithm::Secp256k1 => protocol::Algorithm::EC_K256,
        Algorithm::P256 => protocol::Algorithm::EC_P256,
        Algorithm::Ed25519 => protocol::Algorithm::ED25519,
    };
    let capabilities = capabilities(algorithm, protection);
    let key = NewObject { id, label: name(label)?, domains, capabilities, algorithm: theirs };
    session
        .generate_asymmetric_key(key)
        .map_err(|error| failed(&error, "Generate Asymmetric Key", &format!("key \"{label}\"")))?;

    // From here on as if the key were a stranger's: found by its label, read back, tried.
    let found = key::find(session, label)?;
    if found.protection != protection || found.id != id {
        let finding = format!("it is another than was asked for: {:?}, object id {:#06x}", found.protection, found.id);
        return Err(Error::KeyUnfit { key: label.clone(), findings: vec![finding] });
    }
    prove(session, label, &found)?;
    Ok(found.public_key)
}

/// What a key may do, and may have done to it.
pub(super) fn capabilities(algorithm: Algorithm, protection: Protection) -> Capabilities {
    let leaving = match protection {
        Protection::NeverLeaves => Capabilities::NONE,
        Protection::LeavesWrapped => Capabilities::EXPORTABLE_UNDER_WRAP,
    };
    key::signing(algorithm) | leaving
}

/// The label of an object: a key label is no longer.
pub(super) fn name(label: &KeyLabel) -> Result<Label, Error> {
    Label::new(label.as_str()).ok_or_else(|| Error::UnknownKey { key: label.clone() })
}

/// One signature that verifies under the public key read back: the two halves belong together.
pub(super) fn prove(session: &mut Session, label: &KeyLabel, key: &Key) -> Result<(), Error> {
    sign(session, label, key, &pairwise_test(&key.public_key), "pairwise test").map(drop)
}

/// A signature, verified; `what` it is completes the sentence "... of key".
pub(super) fn sign(
    session: &mut Session,
    label: &KeyLabel,
    key: &Key,
    input: &ToSign,
    what: &str,
) -> Result<VerifiedSignature, Error> {
    key.check_input(label, input)?;
    let signature = key.sign(session, label, input)?.ok_or_else(|| Error::UnknownKey { key: label.clone() })?;
    verified(what, label, &key.public_key, input, &signature)
}
