//! A look at a YubiHSM 2: what it is, its log and its options, the rights of the authentication key in use, its keys, and
//! what a signature costs. Makes and changes nothing. Knows no configuration.

mod log;
mod rights;

use hsm_types::{Algorithm, KeyLabel};

use super::{
    FACTORY, Yubihsm2Device, failure,
    protocol::{self, ListFilter, ObjectType},
};
use crate::{
    Device, Error, Pin,
    probe::{Curve, Examiner, KeyFacts, Level, Question, Sessions, Signed, Support, YubihsmFacts, measure},
};

/// One after the other, unless the question says otherwise. The device makes tens a second.
const SIGNATURES: u64 = 50;

/// How many further sessions are tried: whoever uses the device beside this may want one meanwhile.
const FURTHER_SESSIONS: u64 = 3;

/// Fewer free entries of the log are not spent on a measurement.
const LEAST_FREE_ENTRIES: u64 = 10;

/// Which device, and how to log in.
pub(crate) struct Subject<'a> {
    pub(crate) connector: &'a str,
    pub(crate) authentication_key: u16,
    pub(crate) password: &'a Pin,
}

/// Looks at everything, in one session; others are opened only to see that they can be.
///
/// # Errors
/// What stopped it. All that was found before is in the examiner's report.
pub(crate) fn probe(examiner: &mut Examiner<'_>, subject: &Subject<'_>, question: &Question) -> Result<(), Error> {
    let key = subject.authentication_key;
    examiner.step(&format!("Create Session with authentication key {key} at {}", subject.connector));
    let mut device = Yubihsm2Device::open_at(subject.connector, key, subject.password)?;
    examiner.works(format!("authentication key {key} opens a session"));

    examiner.step("Get Device Info");
    examiner.report.device = Some(device.info()?);
    examine_device(examiner, &mut device, key)?;
    rights::examine(examiner, &mut device)?;
    let audit = log::examine(examiner, &mut device)?;
    examine_sessions(examiner, subject, &audit)?;
    if audit.logs_reading {
        examiner.odd(
            "the device logs even that keys are looked at, so only the self-test key was",
            "switch off the audit of list-objects, get-object-info and get-public-key, which make no difference to money \
             and fill the log",
        );
    } else {
        examine_keys(examiner, &mut device, &question.key)?;
    }
    examine_signing(examiner, &mut device, question, &audit)
}

fn examine_device(examiner: &mut Examiner<'_>, device: &mut Yubihsm2Device, key: u16) -> Result<(), Error> {
    let info = device
        .run(|session| session.device_info().map_err(|error| failure::command_failed(&error, "Get Device Info")))?;
    let has = |theirs: protocol::Algorithm| info.algorithms.contains(&theirs);
    let curve = |algorithm: Algorithm| {
        let theirs = match algorithm {
            Algorithm::Secp256k1 => protocol::Algorithm::EC_K256,
            Algorithm::P256 => protocol::Algorithm::EC_P256,
            Algorithm::Ed25519 => protocol::Algorithm::ED25519,
        };
        let support = if has(theirs) { Support::Named } else { Support::Absent };
        Curve { name: algorithm.name().to_owned(), support }
    };
    examiner.report.curves = Algorithm::ALL.map(curve).into();
    examiner.report.yubihsm = Some(YubihsmFacts {
        algorithms: info.algorithms.iter().map(ToString::to_string).collect(),
        log_used: info.log_used.into(),
        log_capacity: info.log_capacity.into(),
        authentication_key: key,
        ..YubihsmFacts::default()
    });
    for absent in examiner.report.curves.clone().into_iter().filter(|curve| curve.support == Support::Absent) {
        examiner.odd(
            format!("the device has no {}", absent.name),
            "see whether the algorithm was switched off, by FIPS mode or by itself (option algorithm-toggle)",
        );
    }
    Ok(())
}

/// Further sessions, closed at once. Where opening them fills the log, none are opened.
fn examine_sessions(examiner: &mut Examiner<'_>, subject: &Subject<'_>, audit: &log::Audit) -> Result<(), Error> {
    if audit.logs_sessions {
        return Ok(());
    }
    let mut further = Vec::new();
    let mut refusal = None;
    while (further.len() as u64) < FURTHER_SESSIONS {
        examiner.step("Create Session beside the first");
        match Yubihsm2Device::open_at(subject.connector, subject.authentication_key, subject.password) {
            Ok(device) => further.push(device),
            // The password was right a moment ago: it is the sessions that have run out.
            Err(error @ Error::SessionsFull { .. }) => {
                refusal = Some(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let opened = further.len() as u64 + 1;
    match &refusal {
        None => examiner.works(format!("{FURTHER_SESSIONS} further sessions are free; the appliance needs one")),
        Some(_) => examiner.odd(
            format!("only {opened} sessions of the device were free"),
            "see what else holds sessions: it has 16 in all, and forgets each after 30 idle seconds",
        ),
    }
    examiner.report.sessions = Some(Sessions { opened, refusal });
    examiner.step("Close Session");
    Ok(())
}

fn examine_keys(examiner: &mut Examiner<'_>, device: &mut Yubihsm2Device, self_test: &KeyLabel) -> Result<(), Error> {
    examiner.step("List Objects");
    let failed = |error| failure::command_failed(&error, "List Objects for the keys of the device");
    let filter = [ListFilter::Type(ObjectType::ASYMMETRIC_KEY)];
    let entries = device.run(|session| session.list_objects(&filter).map_err(failed))?;
    for entry in entries {
        examiner.step_on(|| "Get Object Info".to_owned());
        let failed = |error| failure::command_failed(&error, &format!("Get Object Info for key {:#06x}", entry.id));
        let info = device.run(|session| session.object_info(entry.id, entry.object_type).map_err(failed))?;
        let label = info.label.text().unwrap_or_default().to_owned();
        match label.parse() {
            Ok(key) => examine_key(examiner, device, &key)?,
            Err(_) => examiner.report.other_keys += 1,
        }
    }
    examiner.report.keys.sort_by(|one, other| one.label.cmp(&other.label));
    let report = &mut examiner.report;
    for curve in &mut report.curves {
        if report.keys.iter().any(|key| key.algorithm.as_ref() == Some(&curve.name)) {
            curve.support = Support::Used;
        }
    }
    let unfit = |key: &&KeyFacts| !key.unfit.is_empty();
    let fit = report.keys.iter().filter(|key| !unfit(key)).count();
    let unfit: Vec<KeyFacts> = report.keys.iter().filter(unfit).cloned().collect();
    if fit > 0 {
        let all = report.keys.len();
        examiner.works(format!("{fit} of {all} keys may serve, by what the device says of them"));
    }
    // What is wrong with the self-test key is said where it is to sign.
    for key in unfit.into_iter().filter(|key| key.label != self_test.as_str()) {
        examiner.odd(
            format!("key \"{}\" may not serve: {}", key.label, key.unfit.join("; ")),
            "where the policy names it, make another key: what a key may do is fixed when it is made",
        );
    }
    Ok(())
}

fn examine_key(examiner: &mut Examiner<'_>, device: &mut Yubihsm2Device, label: &KeyLabel) -> Result<(), Error> {
    let mut facts = KeyFacts { label: label.as_str().to_owned(), ..KeyFacts::default() };
    match device.public_key(label) {
        Ok(public_key) => {
            facts.algorithm = Some(public_key.algorithm().name().to_owned());
            facts.public_key = Some(hex::encode(public_key.to_bytes()));
            facts.protection = Some(device.protection(label)?);
        }
        Err(Error::KeyUnfit { findings, .. }) => facts.unfit = findings,
        Err(error) if error.ends_session() => return Err(error),
        Err(error) => facts.unfit = vec![error.to_string()],
    }
    examiner.report.keys.push(facts);
    Ok(())
}

fn examine_signing(
    examiner: &mut Examiner<'_>,
    device: &mut Yubihsm2Device,
    question: &Question,
    audit: &log::Audit,
) -> Result<(), Error> {
    if (audit.logs_reading || audit.logs_signatures) && audit.free <= LEAST_FREE_ENTRIES {
        examiner.odd(
            format!("no signature was tried: the device's log has room for {} entries", audit.free),
            "let the appliance empty the log, or empty it with the tools of its vendor",
        );
        return Ok(());
    }
    let public_key = match device.public_key(&question.key) {
        Ok(public_key) => public_key,
        Err(error) if error.ends_session() => return Err(error),
        Err(error) => {
            examiner.failed(Level::Wrong, &error);
            return Ok(());
        }
    };
    let most = match question.signatures {
        Some(most) if audit.logs_signatures && !question.shared => most.min(audit.free - LEAST_FREE_ENTRIES),
        Some(0) => 0,
        // The appliance accounts for each entry of the log: signatures it did not ask for would be found there.
        _ if audit.logs_signatures => {
            examiner.odd(
                "no signature was tried: the device logs them, and the appliance would find them there as somebody else's",
                "before the device serves, and only then, try with --signatures 10",
            );
            0
        }
        asked => asked.unwrap_or(SIGNATURES),
    };
    let Some(signed) = Signed::new(question, public_key).filter(|_| most > 0) else { return Ok(()) };
    let signing = measure(examiner, device, &signed, most)?;
    examiner.works("every signature verified under the key's public key");
    examiner.report.signing = Some(signing);
    Ok(())
}

/// Whether an authentication key of the factory's object id is there. Its password is never tried.
fn has_key_1(device: &mut Yubihsm2Device) -> Result<bool, Error> {
    let filters = [ListFilter::Id(FACTORY.0), ListFilter::Type(ObjectType::AUTHENTICATION_KEY)];
    let failed = |error| failure::command_failed(&error, "List Objects for authentication key 1");
    device.run(|session| session.list_objects(&filters).map(|found| !found.is_empty()).map_err(failed))
}
