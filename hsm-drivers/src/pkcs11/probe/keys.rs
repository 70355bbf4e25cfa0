//! The private keys of a token: what each is, how its public key is written, and why it may not serve.

use std::collections::BTreeMap;

use cryptoki::{
    error::Error as CryptokiError,
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::Session,
};
use hsm_types::{Algorithm, KeyLabel};

use crate::{
    Error,
    pkcs11::{curve, ec_point, failure::call_failed, key},
    probe::{Examiner, KeyFacts, Support},
};

/// More are counted and not looked at.
const MOST_KEYS: usize = 256;

pub(super) fn examine(examiner: &mut Examiner<'_>, session: &Session, self_test: &KeyLabel) -> Result<(), Error> {
    let failed = |error| call_failed(error, "for the keys of the token");
    let handles = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).map_err(failed)?;
    for handle in handles.iter().take(MOST_KEYS) {
        examiner.step_on(|| "C_GetAttributeValue".to_owned());
        match read(session, *handle).map_err(failed)? {
            Some(key) => examiner.report.keys.push(key),
            None => examiner.report.other_keys += 1,
        }
    }
    if handles.len() > MOST_KEYS {
        examiner.odd(
            format!("the token has {} private keys, of which {MOST_KEYS} were looked at", handles.len()),
            "let the appliance have a token, or a partition, of its own",
        );
    }
    examiner.report.keys.sort_by(|one, other| one.label.cmp(&other.label));
    note_curves(examiner);
    judge_forms(examiner);
    judge_keys(examiner, self_test);
    Ok(())
}

/// None where it is on no curve that is served.
fn read(session: &Session, handle: ObjectHandle) -> Result<Option<KeyFacts>, CryptokiError> {
    let key::Reading { algorithm, public_key, protection, findings } = key::read(session, handle)?;
    let Some(algorithm) = algorithm else { return Ok(None) };
    let mut facts = KeyFacts {
        algorithm: Some(algorithm.name().to_owned()),
        public_key: public_key.map(|public_key| hex::encode(public_key.to_bytes())),
        protection: findings.is_empty().then_some(protection),
        unfit: findings,
        ..KeyFacts::default()
    };
    let mut id = None;
    for attribute in
        session.get_attributes(handle, &[AttributeType::Label, AttributeType::Id, AttributeType::EcParams])?
    {
        if let Attribute::Label(label) = attribute {
            facts.label = String::from_utf8_lossy(&label).into_owned();
        } else if let Attribute::EcParams(params) = attribute {
            facts.params_form = curve::form(&params).map(str::to_owned);
        } else if let Attribute::Id(value) = attribute {
            id = Some(value);
        }
    }
    if let Some(id) = id.filter(|id| !id.is_empty()) {
        facts.point_form = point_form(session, algorithm, id)?.map(str::to_owned);
    }
    Ok(Some(facts))
}

fn point_form(session: &Session, algorithm: Algorithm, id: Vec<u8>) -> Result<Option<&'static str>, CryptokiError> {
    let handles = session.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(id)])?;
    let Some(handle) = handles.first() else { return Ok(None) };
    let found = session.get_attributes(*handle, &[AttributeType::EcPoint])?;
    let point = found.iter().find_map(|found| if let Attribute::EcPoint(point) = found { Some(point) } else { None });
    Ok(point.and_then(|point| ec_point::form(algorithm, point)))
}

/// A key that was read back shows its curve.
fn note_curves(examiner: &mut Examiner<'_>) {
    let report = &mut examiner.report;
    for curve in &mut report.curves {
        let on_it = |key: &KeyFacts| key.algorithm.as_ref() == Some(&curve.name) && key.public_key.is_some();
        if report.keys.iter().any(on_it) {
            curve.support = Support::Used;
        }
    }
}

fn judge_forms(examiner: &mut Examiner<'_>) {
    let count = |forms: fn(&KeyFacts) -> Option<&String>, form: &str| {
        examiner.report.keys.iter().filter(|key| forms(key).is_some_and(|found| found == form)).count()
    };
    let point = |form| count(|key| key.point_form.as_ref(), form);
    let (wrapped, bare, bits) = (point("octet_string"), point("bare"), point("bit_string"));
    let old = count(|key| key.params_form.as_ref(), "old_oid");
    if wrapped > 0 {
        examiner.works("CKA_EC_POINT is a DER OCTET STRING, as the standard says");
    }
    for (number, form) in [(bare, "bare, without the DER around it"), (bits, "a DER BIT STRING, not an OCTET STRING")] {
        if number > 0 {
            examiner.odd(
                format!("CKA_EC_POINT is {form} (keys: {number})"),
                "it is read all the same, nothing needs to be configured; other programs may not read it",
            );
        }
    }
    if old > 0 {
        examiner.odd(
            format!("CKA_EC_PARAMS of Ed25519 is an object identifier from before RFC 8410 (keys: {old})"),
            "it is read all the same, nothing needs to be configured; other programs may not read it",
        );
    }
}

fn judge_keys(examiner: &mut Examiner<'_>, self_test: &KeyLabel) {
    let mut labelled: BTreeMap<String, usize> = BTreeMap::new();
    let mut unfit = Vec::new();
    for key in &examiner.report.keys {
        *labelled.entry(key.label.clone()).or_default() += 1;
        if !key.unfit.is_empty() {
            unfit.push((key.label.clone(), key.unfit.join("; ")));
        }
    }
    let fit = examiner.report.keys.len() - unfit.len();
    if fit > 0 {
        let all = examiner.report.keys.len();
        examiner.works(format!("{fit} of {all} keys may serve, by what the token says of them"));
    }
    // The self-test key is looked at once more, to be signed with: what is wrong with it is said there.
    for (label, findings) in unfit.into_iter().filter(|(label, _)| label != self_test.as_str()) {
        examiner.odd(
            format!("key \"{label}\" may not serve: {findings}"),
            "where the policy names it, make another key: what a key may do is fixed when it is made",
        );
    }
    for (label, count) in labelled.into_iter().filter(|(label, count)| *count > 1 && label != self_test.as_str()) {
        examiner.odd(
            format!("{count} keys are labelled \"{label}\""),
            "give all but one another label: neither is ever chosen",
        );
    }
}
