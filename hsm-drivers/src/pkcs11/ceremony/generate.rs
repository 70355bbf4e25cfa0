//! `C_GenerateKeyPair`, and the proofs that come after it.

use cryptoki::{
    error::Error as CryptokiError,
    mechanism::Mechanism,
    object::{Attribute, ObjectClass},
    session::Session,
};
use hsm_types::{Algorithm, KeyLabel, PublicKey, ToSign, VerifiedSignature};

use crate::{
    Error, Protection,
    ceremony::{pairwise_test, verified},
    pkcs11::{curve, failure::call_failed, key, sign, template},
};

/// `CKA_ID`: long enough that two keys never share one by chance.
const ID_BYTES: u32 = 16;

/// Nothing is made beside a private key of this label.
pub(super) fn refuse_existing(session: &Session, label: &KeyLabel) -> Result<(), Error> {
    let named = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(label.as_str().into())];
    let found = session.find_objects(&named).map_err(|error| call_failed(error, &format!("for key \"{label}\"")))?;
    if found.is_empty() { Ok(()) } else { Err(Error::KeyExists { key: label.clone() }) }
}

pub(super) fn generate_key(
    session: &Session,
    label: &KeyLabel,
    algorithm: Algorithm,
    protection: Protection,
) -> Result<PublicKey, Error> {
    let failed = |error| call_failed(error, &format!("for key \"{label}\""));
    let id = session.generate_random_vec(ID_BYTES).map_err(failed)?;
    generate_pair(session, label, &id, algorithm, protection).map_err(failed)?;

    // From here on as if the key were a stranger's: found by its label, read back, tried.
    let key = key::find(session, label)?;
    if key.protection != protection {
        let finding = format!("it is of another kind than was asked for: {:?}", key.protection);
        return Err(Error::KeyUnfit { key: label.clone(), findings: vec![finding] });
    }
    prove(session, label, &key)?;
    Ok(key.public_key)
}

fn generate_pair(
    session: &Session,
    label: &KeyLabel,
    id: &[u8],
    algorithm: Algorithm,
    protection: Protection,
) -> Result<(), CryptokiError> {
    let mechanism = if algorithm.signs_digests() { Mechanism::EccKeyPairGen } else { Mechanism::EccEdwardsKeyPairGen };
    let names = [Attribute::Label(label.as_str().into()), Attribute::Id(id.to_vec())];
    let private = [&names[..], &template::for_generation(protection)].concat();
    let mut outcome = Err(CryptokiError::NotSupported);
    for params in curve::encodings(algorithm) {
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::Encrypt(false),
            Attribute::Wrap(false),
            Attribute::EcParams(params.to_vec()),
        ];
        outcome = session.generate_key_pair(&mechanism, &[&names[..], &public].concat(), &private).map(|_| ());
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// One signature that verifies under the public key read back: the two halves belong together.
pub(super) fn prove(session: &Session, label: &KeyLabel, key: &key::Key) -> Result<(), Error> {
    sign(session, label, key, &pairwise_test(&key.public_key), "pairwise test").map(drop)
}

/// A signature, verified; `what` it is completes the sentence "... of key".
pub(super) fn sign(
    session: &Session,
    label: &KeyLabel,
    key: &key::Key,
    input: &ToSign,
    what: &str,
) -> Result<VerifiedSignature, Error> {
    let handle = key.handle_for(label, input)?;
    let signature =
        sign::sign(session, handle, input).map_err(|error| call_failed(error, &format!("with key \"{label}\"")))?;
    verified(what, label, &key.public_key, input, &sign::fixed_length(&signature, label)?)
}
