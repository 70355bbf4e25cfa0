//! A look at a PKCS#11 module and one token of it: what they say, which keys are there, how many sessions, what a
//! signature costs. Logs in once, makes and changes nothing. Knows no configuration.

mod keys;
mod mechanisms;
mod sessions;

use std::path::Path;

use cryptoki::{
    context::Pkcs11,
    slot::{Limit, TokenInfo},
};

use super::{Pkcs11Device, Token, failure::call_failed, module};
use crate::{
    Device, Error, Login, Pin, TriesLeft,
    probe::{Examiner, Level, Pkcs11Facts, Question, Signed, TokenFacts, measure, rate},
};

/// One after the other, unless the question says otherwise.
const SIGNATURES: u64 = 200;

/// Which token, and how it is used.
pub(crate) struct Subject<'a> {
    pub(crate) module: &'a Path,
    pub(crate) label: &'a str,
    pub(crate) serial: Option<&'a str>,
    pub(crate) pin: &'a Pin,
    /// How many sessions it is to be served with.
    pub(crate) sessions: usize,
}

/// Looks at everything, in the order in which a token comes into use.
///
/// # Errors
/// What stopped it. All that was found before is in the examiner's report.
pub(crate) fn probe(examiner: &mut Examiner<'_>, subject: &Subject<'_>, question: &Question) -> Result<(), Error> {
    examiner.step(&format!("C_Initialize of {}", subject.module.display()));
    let context = module::load(subject.module)?;
    examiner.works("the module locks for itself (CKF_OS_LOCKING_OK): it may be called from several threads");
    examine_library(examiner, &context)?;

    examiner.step("C_GetSlotList and C_GetTokenInfo");
    let token = Token::find(subject.module, subject.label, subject.serial)?;
    examiner.report.device = Some(token.info()?);
    examine_token(examiner, &token)?;
    examiner.step("C_GetMechanismList and C_GetMechanismInfo");
    mechanisms::examine(examiner, &context, token.slot())?;

    // The only login there is.
    examiner.step("C_OpenSession and C_Login");
    let first = token.log_in(subject.pin)?;
    examiner.step("C_FindObjects and C_GetAttributeValue");
    keys::examine(examiner, &first.session, &question.key)?;
    let mut devices = vec![first];
    sessions::examine(examiner, &token, &mut devices, subject.sessions, question)?;
    examine_signing(examiner, &mut devices, subject.sessions, question)
}

fn examine_library(examiner: &mut Examiner<'_>, context: &Pkcs11) -> Result<(), Error> {
    examiner.step("C_GetInfo");
    let info = context.get_library_info().map_err(|error| call_failed(error, "of the module"))?;
    let [cryptoki, library] = [info.cryptoki_version(), info.library_version()]
        .map(|version| format!("{}.{}", version.major(), version.minor()));
    examiner.report.pkcs11 = Some(Pkcs11Facts {
        cryptoki_version: cryptoki,
        library_manufacturer: info.manufacturer_id().trim().to_owned(),
        library_description: info.library_description().trim().to_owned(),
        library_version: library,
        ..Pkcs11Facts::default()
    });
    Ok(())
}

fn examine_token(examiner: &mut Examiner<'_>, token: &Token) -> Result<(), Error> {
    let info = token.token_info()?;
    let facts = token_facts(&info, token.tries_left(Login::User)?);
    match facts.pin_tries {
        TriesLeft::CountLow => examiner.odd(
            "a wrong PIN was entered since the last right one (CKF_USER_PIN_COUNT_LOW)",
            "find out who entered it; the right PIN, once accepted, gives all tries back",
        ),
        // The login, which is not tried then, says what to do.
        TriesLeft::FinalTry | TriesLeft::Locked => {}
        TriesLeft::Unknown => examiner.works("no flag says that tries of the user PIN were used up"),
    }
    if !facts.pin_initialized {
        examiner.wrong("the user PIN is not set (CKF_USER_PIN_INITIALIZED)", "have the security officer set it");
    }
    if facts.protected_authentication_path {
        examiner.odd(
            "the token takes its PIN from a pad of its own (CKF_PROTECTED_AUTHENTICATION_PATH)",
            "nobody is there when the appliance starts by itself: let the token accept the PIN from the module, or \
             authenticate it before the appliance starts, as its vendor describes",
        );
    }
    if let Some(pkcs11) = &mut examiner.report.pkcs11 {
        pkcs11.token = Some(facts);
    }
    Ok(())
}

fn token_facts(info: &TokenInfo, pin_tries: TriesLeft) -> TokenFacts {
    let most_sessions = match info.max_session_count() {
        Limit::Max(most) => Some(most),
        Limit::Unavailable | Limit::Infinite => None,
    };
    TokenFacts {
        pin_tries,
        pin_initialized: info.user_pin_initialized(),
        login_required: info.login_required(),
        protected_authentication_path: info.protected_authentication_path(),
        write_protected: info.write_protected(),
        most_sessions,
        open_sessions: info.session_count(),
    }
}

/// With the self-test key alone: first one session, then several at once.
fn examine_signing(
    examiner: &mut Examiner<'_>,
    devices: &mut [Pkcs11Device],
    configured: usize,
    question: &Question,
) -> Result<(), Error> {
    let most = question.signatures.unwrap_or(SIGNATURES);
    let Some(first) = devices.first_mut() else { return Ok(()) };
    examiner.step(&format!("C_FindObjects for key \"{}\"", question.key));
    let public_key = match first.public_key(&question.key) {
        Ok(public_key) => public_key,
        Err(error) if error.ends_session() => return Err(error),
        Err(error) => {
            examiner.failed(Level::Wrong, &error);
            return Ok(());
        }
    };
    let Some(signed) = Signed::new(question, public_key).filter(|_| most > 0) else { return Ok(()) };
    let mut signing = measure(examiner, first, &signed, most)?;
    examiner.report.signing = Some(signing.clone());
    for count in sessions::counts(devices.len(), configured) {
        examiner.step(&format!("signatures with key \"{}\" in {count} sessions at once", question.key));
        let most_of_each = question.signatures.map_or(u64::MAX, |most| (most / count as u64).max(1));
        rate(devices.get_mut(..count).unwrap_or_default(), &signed, most_of_each, &mut signing)?;
        examiner.report.signing = Some(signing.clone());
    }
    examiner.works("every signature verified under the key's public key");
    sessions::judge(examiner, &signing.rates, configured);
    Ok(())
}
