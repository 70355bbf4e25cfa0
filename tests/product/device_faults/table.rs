//! Every fault that passes: function by function, code by code, moment by moment.

use std::time::Duration;

use crate::harness::load::Random;

/// Codes that say that something is wrong with session, token or module, and not that it refuses.
const CODES: [&str; 15] = [
    "CKR_GENERAL_ERROR",
    "CKR_FUNCTION_FAILED",
    "CKR_DEVICE_ERROR",
    "CKR_DEVICE_REMOVED",
    "CKR_DEVICE_MEMORY",
    "CKR_HOST_MEMORY",
    "CKR_SESSION_HANDLE_INVALID",
    "CKR_SESSION_CLOSED",
    "CKR_SESSION_COUNT",
    "CKR_OBJECT_HANDLE_INVALID",
    "CKR_KEY_HANDLE_INVALID",
    "CKR_USER_NOT_LOGGED_IN",
    "CKR_TOKEN_NOT_PRESENT",
    "CKR_CRYPTOKI_NOT_INITIALIZED",
    "0x80000001",
];

/// What is called when a token is opened or closed, and a later call of it that one opening still makes.
const OPENING: [(&str, Option<u64>); 13] = [
    ("C_Initialize", None),
    ("C_GetSlotList", Some(2)),
    ("C_GetTokenInfo", Some(3)),
    ("C_OpenSession", Some(3)),
    ("C_GetSessionInfo", Some(4)),
    ("C_Login", None),
    ("C_FindObjectsInit", Some(5)),
    ("C_FindObjects", Some(7)),
    ("C_FindObjectsFinal", Some(4)),
    ("C_GetAttributeValue", Some(6)),
    ("C_SignInit", Some(2)),
    ("C_Sign", Some(3)),
    ("C_CloseSession", Some(2)),
];

/// What is called for every signature.
const SIGNING: [&str; 2] = ["C_SignInit", "C_Sign"];

/// Ends the worker in good order, so that the token is closed and opened.
const REOPEN: &str = "C_SignInit 1 return CKR_DEVICE_ERROR";

/// How long a fault lasts that is to last a while.
const WHILE: Duration = Duration::from_millis(400);

/// One fault and how it is brought about.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The last is the one the case is about.
    pub(crate) faults: Vec<String>,
    /// How long it goes on after it was met.
    pub(crate) lasts: Duration,
}

impl Case {
    fn once(fault: String) -> Self {
        Self { faults: vec![fault], lasts: Duration::ZERO }
    }

    fn reopening(mut self) -> Self {
        self.faults.insert(0, REOPEN.to_owned());
        self
    }
}

/// This many, the same ones for the same number: two thirds codes, a quarter wrong signatures, the rest what else
/// modules do.
pub(crate) fn cases(count: usize) -> Vec<Case> {
    let mut random = Random(0x5eed);
    let (wrong, other) = (count / 4, count / 12);
    let mut cases = pick(&codes(), count - wrong - other, &mut random);
    cases.extend(pick(&wrong_signatures(), wrong, &mut random));
    cases.extend(pick(&others(), other, &mut random));
    shuffle(&mut cases, &mut random);
    cases
}

fn shuffle(cases: &mut [Case], random: &mut Random) {
    for place in (1..cases.len()).rev() {
        cases.swap(place, random.below(place as u64 + 1) as usize);
    }
}

/// Each about as often as any other.
fn pick(from: &[Case], count: usize, random: &mut Random) -> Vec<Case> {
    let mut picked = Vec::new();
    while picked.len() < count {
        let mut round = from.to_vec();
        shuffle(&mut round, random);
        round.truncate(count - picked.len());
        picked.extend(round);
    }
    picked
}

fn codes() -> Vec<Case> {
    let mut cases = Vec::new();
    for code in CODES {
        for (function, later) in OPENING {
            cases.push(Case::once(format!("{function} 1 return {code}")).reopening());
            if let Some(later) = later {
                cases.push(Case::once(format!("{function} {later} return {code}")).reopening());
            }
            cases.push(Case { faults: vec![format!("{function} 1.. return {code}")], lasts: WHILE }.reopening());
        }
        for function in SIGNING {
            for call in [1, 2, 7] {
                cases.push(Case::once(format!("{function} {call} return {code}")));
            }
            cases.push(Case { faults: vec![format!("{function} 1.. return {code}")], lasts: WHILE });
        }
        cases.push(Case { faults: vec![format!("* 1.. return {code}")], lasts: WHILE });
    }
    cases
}

fn wrong_signatures() -> Vec<Case> {
    let mut cases: Vec<Case> = (0..512).step_by(13).map(|bit| Case::once(format!("C_Sign 1 flip {bit}"))).collect();
    for _ in 0..4 {
        for way in ["previous", "high-s", "zero-r", "zero-s", "short", "long"] {
            cases.push(Case::once(format!("C_Sign 1.. {way}")));
            cases.push(Case { faults: vec![format!("C_Sign 1.. {way}")], lasts: WHILE });
        }
        cases.push(Case::once("C_SignInit 1..9 another-key".to_owned()));
    }
    cases
}

fn others() -> Vec<Case> {
    let mut cases = Vec::new();
    for function in ["C_SignInit", "C_Sign"] {
        for action in ["crash", "logout", "close-sessions", "delay 300", "hang"] {
            let lasts = if action == "hang" { WHILE } else { Duration::ZERO };
            cases.push(Case { faults: vec![format!("{function} 1 {action}")], lasts });
            cases.push(Case { faults: vec![format!("{function} 2 {action}")], lasts });
        }
        cases.push(Case { faults: vec![format!("{function} 1.. hang")], lasts: 2 * WHILE });
        cases.push(Case { faults: vec![format!("{function} 1..40 delay 50")], lasts: WHILE });
    }
    for (function, _) in OPENING {
        for action in ["crash", "hang"] {
            let lasts = if action == "hang" { WHILE } else { Duration::ZERO };
            cases.push(Case { faults: vec![format!("{function} 1 {action}")], lasts }.reopening());
        }
    }
    for form in ["bare", "bits", "compressed"] {
        cases.push(Case::once(format!("C_GetAttributeValue 1.. point {form}")).reopening());
    }
    cases
}
