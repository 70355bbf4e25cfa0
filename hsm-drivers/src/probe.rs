//! What a look at a token brings to light: facts, and what they mean for signing. Knows no driver and no configuration.
//!
//! The drivers fill a [`Report`] step by step and tell each step before they take it: what comes out of a module that
//! hangs or crashes is all that was found before, and what it was doing.

mod examiner;
mod signing;

use hsm_types::{KeyLabel, ToSign};

pub(crate) use self::{
    examiner::{Examiner, advice},
    signing::{Signed, measure, rate},
};
use crate::{DeviceInfo, Protection, TriesLeft};

/// How a token is looked at. Nothing is made, changed or deleted in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// The one key that is signed with.
    pub key: KeyLabel,
    /// What it signs: of each kind one; the first the key takes is used.
    pub inputs: Vec<ToSign>,
    /// The most signatures a measurement may make; the driver's own measure where none is given.
    pub signatures: Option<u64>,
    /// Whether somebody else uses the token meanwhile, and holds sessions of it.
    pub shared: bool,
}

/// All that was found. What could not be looked at is absent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// What the device says of itself.
    pub device: Option<DeviceInfo>,
    /// What only a PKCS#11 token has.
    pub pkcs11: Option<Pkcs11Facts>,
    /// What only a YubiHSM 2 has.
    pub yubihsm: Option<YubihsmFacts>,
    /// Each curve that is served, and how sure it is that the device has it.
    pub curves: Vec<Curve>,
    /// Private keys on curves that are served, by label.
    pub keys: Vec<KeyFacts>,
    /// Private keys of other kinds.
    pub other_keys: u64,
    /// How many sessions there can be.
    pub sessions: Option<Sessions>,
    /// What signatures cost.
    pub signing: Option<Signing>,
    /// What all of that means.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether the token can serve.
    #[must_use]
    pub fn able(&self) -> bool {
        self.findings.iter().all(|finding| finding.level != Level::Wrong)
    }
}

/// One thing that a fact means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is, a clause in words.
    pub what: String,
    /// What to do about it, where there is something and `what` does not say it.
    pub advice: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// As it should be.
    Works,
    /// It can serve; somebody should look at this.
    Odd,
    /// It cannot serve.
    Wrong,
}

/// A module and its token, by their own words (PKCS #11 v2.40, 3.1 and 3.2).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pkcs11Facts {
    /// `CK_INFO.cryptokiVersion`.
    pub cryptoki_version: String,
    /// `CK_INFO.manufacturerID`.
    pub library_manufacturer: String,
    /// `CK_INFO.libraryDescription`.
    pub library_description: String,
    /// `CK_INFO.libraryVersion`.
    pub library_version: String,
    /// Where the token was found.
    pub token: Option<TokenFacts>,
    /// How many mechanisms the token has.
    pub mechanism_count: u64,
    /// Of those, the ones that serving and ceremonies use.
    pub mechanisms: Vec<Mechanism>,
}

/// `CK_TOKEN_INFO`, as it was before login.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenFacts {
    /// What the flags of the user PIN say.
    pub pin_tries: TriesLeft,
    /// `CKF_USER_PIN_INITIALIZED`.
    pub pin_initialized: bool,
    /// `CKF_LOGIN_REQUIRED`.
    pub login_required: bool,
    /// `CKF_PROTECTED_AUTHENTICATION_PATH`: the token wants its PIN from a pad of its own.
    pub protected_authentication_path: bool,
    /// `CKF_WRITE_PROTECTED`.
    pub write_protected: bool,
    /// `ulMaxSessionCount`; none where there is no limit, or it is not told.
    pub most_sessions: Option<u64>,
    /// `ulSessionCount`, where it is told.
    pub open_sessions: Option<u64>,
}

/// `CK_MECHANISM_INFO`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mechanism {
    /// `CKM_ECDSA`.
    pub name: String,
    /// `ulMinKeySize`, in the mechanism's own unit.
    pub min_key_size: u64,
    /// `ulMaxKeySize`.
    pub max_key_size: u64,
    /// `CKF_HW`.
    pub hardware: bool,
    /// `CKF_SIGN`.
    pub signs: bool,
    /// `CKF_GENERATE_KEY_PAIR`.
    pub generates: bool,
    /// `CKF_WRAP` and `CKF_UNWRAP`.
    pub wraps: bool,
}

/// A YubiHSM 2, by its own words, and the rights of the authentication key in use.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct YubihsmFacts {
    /// Names of the algorithms it has.
    pub algorithms: Vec<String>,
    /// Entries its log holds now.
    pub log_used: u64,
    /// Entries its log holds at most.
    pub log_capacity: u64,
    /// Boots and openings of sessions that found no room in the log, where the log could be read.
    pub unlogged: Option<u64>,
    /// `off`, `on`, or `fixed` (until the device is reset), where the authentication key may know.
    pub force_audit: Option<String>,
    /// Names of the commands that are logged.
    pub audited: Vec<String>,
    /// Of those, the ones that stay so until the device is reset.
    pub audited_for_ever: Vec<String>,
    /// Object id of the authentication key in use.
    pub authentication_key: u16,
    /// Its domains.
    pub domains: String,
    /// Its capabilities.
    pub capabilities: String,
    /// What it may hand on to what it makes.
    pub delegated_capabilities: String,
    /// Whether an authentication key 1, the factory's, is there.
    pub has_key_1: Option<bool>,
}

/// A curve, and whether the device has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Curve {
    /// Name of the algorithm: `secp256k1`.
    pub name: String,
    /// How sure that is.
    pub support: Support,
}

/// How sure it is that a device has a curve.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Support {
    /// A key on it is there, and was read back.
    Used,
    /// The device names it.
    Named,
    /// Nothing speaks against it; only a key would tell.
    Possible,
    /// It has not.
    Absent,
}

/// A private key.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyFacts {
    /// Its label.
    pub label: String,
    /// Its algorithm, where it could be told.
    pub algorithm: Option<String>,
    /// Its public key, hexadecimal, where it could be read.
    pub public_key: Option<String>,
    /// Whether it can leave, where it may serve.
    pub protection: Option<Protection>,
    /// PKCS#11: how `CKA_EC_POINT` is written: `octet_string`, `bare` or `bit_string`.
    pub point_form: Option<String>,
    /// PKCS#11: how `CKA_EC_PARAMS` is written: `oid`, `name` or `old_oid`.
    pub params_form: Option<String>,
    /// Why it may not serve, each a clause in words.
    pub unfit: Vec<String>,
}

/// Sessions, opened beside one another by the probe alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sessions {
    /// How many were.
    pub opened: u64,
    /// What the device answered to one more; none where no more were tried.
    pub refusal: Option<String>,
}

/// Signatures with the self-test key. Each was verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signing {
    /// Algorithm of the key.
    pub algorithm: String,
    /// How many were timed, one after the other.
    pub signatures: u64,
    /// How many were made in all, those of several sessions at once included.
    pub made: u64,
    /// How many of all had an s above half of the group's order; they are turned low before they leave.
    pub high_s: u64,
    /// Half of them took at most so long, in microseconds.
    pub p50_us: u64,
    /// 99 of a hundred took at most so long, in microseconds.
    pub p99_us: u64,
    /// With one session, and with several at once.
    pub rates: Vec<Rate>,
}

/// How many signatures sessions made together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Sessions that signed at once, each on a thread of its own.
    pub sessions: u64,
    /// Signatures a second, of all of them together.
    pub per_second: u64,
}
