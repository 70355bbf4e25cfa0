//! A token that misbehaves in every way a PKCS#11 module can: no wrong signature leaves, nothing that was accepted is
//! lost, the appliance stays and recovers, and no PIN is tried twice.
//!
//! `FAULTS=1000` brings about so many, the same ones at every run.

mod table;
mod traffic;

use std::{
    collections::BTreeMap,
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use serde_json::Value;

use self::{
    table::Case,
    traffic::{Traffic, assert_bound_once},
};
use crate::harness::{
    Installation, Running, eventually,
    shim::{Call, Shim},
    trial,
};

/// The faults are shared out over so many appliances. Most of the time they wait, so some run side by side.
const LANES: usize = 6;
const SIDE_BY_SIDE: usize = 3;

/// From the end of a fault until every key signs again; longer where the worker had to be replaced.
const RECOVERED_WITHIN: Duration = Duration::from_secs(2);
const RECOVERED_WITHIN_WITH_A_NEW_WORKER: Duration = Duration::from_secs(10);
/// After this a call is given up, and a little more.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(70);

pub(crate) fn trials() -> Vec<Trial> {
    let long_run = traffic::count() >= 1000;
    vec![
        trial("device_faults::what_passes_costs_time_and_nothing_else", || passing(0..SIDE_BY_SIDE)),
        trial("device_faults::what_passes_costs_time_and_nothing_else_again", || passing(SIDE_BY_SIDE..LANES)),
        trial("device_faults::a_refused_pin_is_tried_once_whatever_the_code", pin_refused),
        trial("device_faults::a_pin_is_not_tried_where_a_wrong_one_would_lock_the_token", pin_not_tried),
        trial("device_faults::a_token_that_lies_about_its_keys_is_left_alone", lies),
        trial("device_faults::handles_and_slots_that_change_cost_nothing", renumbered),
        trial("device_faults::a_call_that_never_returns_costs_its_worker", never_returns).with_ignored_flag(!long_run),
    ]
}

fn up(installation: &Installation) -> Option<u64> {
    let token = installation.status()["tokens"][0].clone();
    if token["state"] == "up" { token["worker"].as_u64() } else { None }
}

fn token(installation: &Installation) -> Value {
    installation.status()["tokens"][0].clone()
}

fn passing(lanes: Range<usize>) {
    thread::scope(|scope| {
        for lane in lanes {
            scope.spawn(move || run_lane(lane));
        }
    });
}

/// The share of the faults of one appliance, one after the other.
fn run_lane(lane: usize) {
    let installation = Installation::new();
    let shim = Shim::between(&installation);
    let (running, traffic) = serving(&installation, "before");
    let mut slowest = (Duration::ZERO, Vec::new());
    let mut failures = Vec::new();
    for (number, case) in table::cases(traffic::count()).into_iter().enumerate().skip(lane).step_by(LANES) {
        match bring_about(&installation, &shim, &traffic, number, &case) {
            Ok(took) if took > slowest.0 => slowest = (took, case.faults),
            Ok(_) => {}
            Err(why) => failures.push(format!("{:?}: {why}", case.faults)),
        }
    }
    println!("lane {lane}: slowest recovery {slowest:?}");
    assert!(failures.is_empty(), "{}\n{}", failures.join("\n"), running.logged());
    finish(&installation, running, traffic, &shim);
}

/// What must hold in the end, whatever happened.
fn finish(installation: &Installation, running: Running, traffic: Traffic, shim: &Shim) {
    let answered = traffic.end();
    eventually("nothing is left open", || (installation.status()["open_requests"] == 0).then_some(()));
    running.stop();
    assert_bound_once(installation, &answered);
    one_login_each(shim);
    installation.assert_log_verifies();
}

/// How long recovery took, or what the appliance did wrong.
fn bring_about(
    installation: &Installation,
    shim: &Shim,
    traffic: &Traffic,
    number: usize,
    case: &Case,
) -> Result<Duration, String> {
    let worker = up(installation);
    let fault = *shim.set(&case.faults).last().unwrap();
    let begun = Instant::now();
    while !shim.has_fired(fault) {
        if begun.elapsed() > Duration::from_secs(15) {
            shim.clear();
            return Err(format!("it was never met; {}", token(installation)));
        }
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(case.lasts);
    shim.clear();
    let ended = Instant::now();
    let mut attempt = 0;
    while !traffic.each_key_signs(&format!("after-{number}-{attempt}")) {
        attempt += 1;
        if ended.elapsed() > 2 * RECOVERED_WITHIN_WITH_A_NEW_WORKER {
            return Err(format!("not recovered; {}", token(installation)));
        }
        thread::sleep(Duration::from_millis(10));
    }
    let took = ended.elapsed();
    let same_worker = up(installation) == worker && worker.is_some();
    let within = if same_worker { RECOVERED_WITHIN } else { RECOVERED_WITHIN_WITH_A_NEW_WORKER };
    if took > within {
        return Err(format!("recovered only after {took:?}"));
    }
    let wrong = std::mem::take(&mut *traffic.judge().wrong.lock().unwrap());
    if wrong.is_empty() { Ok(took) } else { Err(wrong.join("; ")) }
}

/// In each worker's life there is one login, or none.
fn one_login_each(shim: &Shim) {
    let mut logins: BTreeMap<String, usize> = BTreeMap::new();
    for login in shim.logins() {
        *logins.entry(login.process).or_default() += 1;
    }
    assert!(!logins.is_empty());
    logins.retain(|_, count| *count != 1);
    let told: Vec<Call> = shim.calls().into_iter().filter(|call| logins.contains_key(&call.process)).collect();
    assert!(told.is_empty(), "more than one login of one process: {told:#?}");
}

/// An appliance whose token is sealed, again and again; after each time a start finds everything well.
struct Sealing {
    installation: Installation,
    shim: Shim,
    times: usize,
}

impl Sealing {
    fn new() -> Self {
        let installation = Installation::new();
        let shim = Shim::between(&installation);
        Self { installation, shim, times: 0 }
    }

    /// It signs; then its token is opened again with this fault, and sealed. How it says so, and the logins of that.
    fn by(&mut self, fault: &str) -> (String, Vec<Call>) {
        let Self { installation, shim, times } = self;
        *times += 1;
        let (running, traffic) = serving(installation, &format!("before-{times}"));
        let logins_before = shim.logins().len();
        shim.set(&["C_SignInit 1 return CKR_DEVICE_ERROR".to_owned(), fault.to_owned()]);
        let sealed =
            eventually("the token is sealed", || Some(token(installation)).filter(|token| token["state"] == "sealed"));
        let logins = shim.logins().split_off(logins_before);
        // Long enough for further attempts, were there any.
        thread::sleep(Duration::from_secs(1));
        assert!(!traffic.each_key_signs(&format!("sealed-{times}")));
        assert_eq!(shim.logins().len(), logins_before + logins.len(), "{fault}: it logged in again");
        assert_eq!(traffic.wrong(), Vec::<String>::new());
        drop(traffic);
        running.stop();
        shim.clear();
        // The officer has put it right: the same PIN, in a file that was written anew.
        let pin = std::fs::read(installation.path("token/pin")).unwrap();
        std::fs::write(installation.path("token/pin"), pin).unwrap();
        (sealed["reason"].as_str().unwrap().to_owned(), logins)
    }

    fn serves_again(self) {
        let (running, traffic) = serving(&self.installation, "in-the-end");
        finish(&self.installation, running, traffic, &self.shim);
    }
}

/// An appliance that has nothing left to do, signs with every key, and has traffic.
fn serving(installation: &Installation, id: &str) -> (Running, Traffic) {
    let running = installation.start();
    eventually("what was accepted is signed", || (installation.status()["open_requests"] == 0).then_some(()));
    let traffic = Traffic::start(installation, &running, id);
    eventually("every key signs", || traffic.each_key_signs(id).then_some(()));
    (running, traffic)
}

fn pin_refused() {
    let mut sealing = Sealing::new();
    for code in ["CKR_PIN_INCORRECT", "CKR_PIN_LOCKED", "CKR_PIN_EXPIRED", "CKR_USER_PIN_NOT_INITIALIZED"] {
        let (reason, logins) = sealing.by(&format!("C_Login 1.. return {code}"));
        assert!(reason.contains(code), "{reason}");
        assert_eq!(logins.iter().map(|login| login.value.as_str()).collect::<Vec<_>>(), [code]);
    }
    sealing.serves_again();
}

fn pin_not_tried() {
    let mut sealing = Sealing::new();
    for flag in ["CKF_USER_PIN_FINAL_TRY", "CKF_USER_PIN_LOCKED"] {
        let (reason, logins) = sealing.by(&format!("C_GetTokenInfo 1.. flags {flag}"));
        assert!(reason.contains("not tried") && logins.is_empty(), "{reason}");
    }
    sealing.serves_again();
}

fn lies() {
    let mut sealing = Sealing::new();
    for (lie, word) in [
        ("attribute CKA_EXTRACTABLE true", "CKA_EXTRACTABLE"),
        ("attribute CKA_SENSITIVE false", "CKA_SENSITIVE"),
        ("attribute CKA_DERIVE true", "CKA_DERIVE"),
        ("attribute CKA_KEY_TYPE 0000000000000000", "CKA_KEY_TYPE"),
        // secp384r1, 1.3.132.0.34 (SEC 2).
        ("attribute CKA_EC_PARAMS 06052b81040022", "CKA_EC_PARAMS"),
        ("point truncated", "CKA_EC_POINT"),
    ] {
        let (reason, _) = sealing.by(&format!("C_GetAttributeValue 1.. {lie}"));
        assert!(reason.contains(word), "{reason}");
    }
    sealing.serves_again();
}

fn renumbered() {
    let installation = Installation::new();
    let shim = Shim::between(&installation);
    let (running, traffic) = serving(&installation, "before");
    let worker = up(&installation);
    for by in [1000, 77, 5000] {
        shim.set(&[format!("* always objects {by}")]);
        assert!(traffic.each_key_signs(&format!("objects-{by}")), "handles are searched again, and nobody notices");
        assert_eq!(up(&installation), worker);
    }
    for by in [5, 9] {
        let faults = ["C_SignInit 1 return CKR_DEVICE_ERROR".to_owned(), format!("* always slots {by}")];
        shim.set(&faults);
        eventually("every key signs", || traffic.each_key_signs(&format!("slots-{by}")).then_some(()));
    }
    assert_ne!(up(&installation), worker);
    finish(&installation, running, traffic, &shim);
}

fn never_returns() {
    let installation = Installation::new();
    let shim = Shim::between(&installation);
    let (running, traffic) = serving(&installation, "before");
    let worker = up(&installation);
    let hang = shim.set(&["C_Sign 1 hang".to_owned()])[0];
    let begun = Instant::now();
    while up(&installation).is_none_or(|now| Some(now) == worker) {
        assert!(begun.elapsed() < GIVEN_UP_WITHIN, "the worker still hangs");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(shim.has_fired(hang));
    eventually("every key signs", || traffic.each_key_signs("after").then_some(()));
    finish(&installation, running, traffic, &shim);
}
