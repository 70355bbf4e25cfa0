//! A look at a device, in a process of its own: what is found in a YubiHSM 2 (of SoftHSM, the product's own tests show
//! it), and what becomes of one that keeps silent.

use std::{net::TcpListener, time::Duration};

use hsm_drivers::{
    Error, Pin,
    probe::{Level, Question, Report, Support},
    simulator::{Fault, Options, Plan, Server, Simulator},
    worker::{self, Driver, Opening, Probed},
    yubihsm2::{
        connector::Address,
        protocol::{
            AUDIT_FIXED, AUDIT_ON, Algorithm as Theirs, Capabilities, Command, Domains, Label, ObjectType, OptionTag,
            channel::StaticKeys,
        },
        session::{Credentials, Session},
    },
};
use hsm_types::Algorithm;
use libtest_mimic::Trial;

use crate::{
    backend::{input, label},
    softhsm::{Token, USER_PIN, module},
    trial,
    worker::{DEADLINE, command},
};

const PASSWORD: &str = "correct horse";
const SIGNER: u16 = 2;
const KEY: u16 = 7;

/// All a signer needs.
const SIGNERS: [Capabilities; 7] = [
    Capabilities::SIGN_ECDSA,
    Capabilities::GET_LOG_ENTRIES,
    Capabilities::GET_OPAQUE,
    Capabilities::PUT_OPAQUE,
    Capabilities::DELETE_OPAQUE,
    Capabilities::GET_OPTION,
    Capabilities::SIGN_ATTESTATION_CERTIFICATE,
];

pub(crate) fn trials() -> Vec<Trial> {
    let cases: [(&str, fn()); 10] = [
        ("a_yubihsm_as_it_should_be_works_and_is_measured", as_it_should_be),
        ("a_yubihsm_that_logs_signatures_is_asked_for_none_unless_told_to", logged_signatures),
        ("a_yubihsm_that_logs_looks_at_keys_is_spared_them", logged_reading),
        ("what_an_authentication_key_may_too_much_and_too_little_is_told", rights),
        ("a_log_that_is_full_or_altered_is_told", bad_logs),
        ("a_device_without_free_sessions_is_told", no_free_sessions),
        ("a_refused_password_stops_it_and_is_told_as_such", refused_password),
        ("a_device_that_keeps_silent_is_told_with_what_was_found_before", silent),
        ("a_self_test_key_that_is_not_there_is_told_with_what_makes_it", no_key),
        ("a_child_that_is_no_worker_is_told", no_worker),
    ];
    cases.into_iter().map(|(name, case)| trial(format!("probe::{name}"), case)).collect()
}

struct Simulated {
    server: Server,
    administrator: Session,
}

impl Simulated {
    /// One with a key for a signer of these rights, a secp256k1 key, and no factory key.
    fn new(rights: Capabilities, delegated: Capabilities) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Simulator::open(None, Options::default()).unwrap().serve(listener).unwrap();
        let connector = server.url().parse::<Address>().unwrap().connect(Duration::from_secs(30)).unwrap();
        let credentials = Credentials { id: 1, keys: StaticKeys::from_password(b"password") };
        let mut administrator = Session::open(connector, &credentials).unwrap();
        let mut signer = object(SIGNER, "signer", rights, Theirs::AES128_YUBICO_AUTHENTICATION);
        signer.extend(delegated.0.to_be_bytes());
        signer.extend(*StaticKeys::from_password(PASSWORD.as_bytes()).to_bytes());
        administrator.run(Command::PUT_AUTHENTICATION_KEY, signer).unwrap();
        let key = object(KEY, "hot", Capabilities::SIGN_ECDSA, Theirs::EC_K256);
        administrator.run(Command::GENERATE_ASYMMETRIC_KEY, key).unwrap();
        Self { server, administrator }
    }

    fn for_signer() -> Self {
        Self::new(SIGNERS.into_iter().fold(Capabilities::NONE, |all, one| all | one), Capabilities::NONE)
    }

    fn without_factory_key(mut self) -> Self {
        let [high, low] = 1_u16.to_be_bytes();
        self.administrator.run(Command::DELETE_OBJECT, vec![high, low, ObjectType::AUTHENTICATION_KEY.0]).unwrap();
        self
    }

    fn audit(&mut self, setting: u8) {
        let commands = [Command::SIGN_ECDSA.0, setting, Command::SIGN_EDDSA.0, setting];
        let option = [&[OptionTag::COMMAND_AUDIT.0, 0, 4][..], &commands].concat();
        self.administrator.run(Command::SET_OPTION, option).unwrap();
        self.administrator.run(Command::SET_OPTION, vec![OptionTag::FORCE_AUDIT.0, 0, 1, setting]).unwrap();
    }

    fn probe(&self, signatures: Option<u64>) -> Probed {
        self.probe_with(PASSWORD, "hot", signatures, DEADLINE)
    }

    fn probe_with(&self, password: &str, key: &str, signatures: Option<u64>, patience: Duration) -> Probed {
        let password = Pin::new(password.to_owned());
        let driver = Driver::Yubihsm { connector: self.server.url(), authentication_key: SIGNER, password };
        let opening = Opening { driver, sessions: 4, forbidden: Vec::new() };
        worker::probe(command("token-worker"), opening, question(key, signatures), patience, |_| {})
    }

    fn go_wrong(&self, fault: Fault, command: Command) {
        self.server.faults().arm(Plan::at(fault, command));
    }
}

fn question(key: &str, signatures: Option<u64>) -> Question {
    let inputs = vec![input(Algorithm::Secp256k1, 1), input(Algorithm::Ed25519, 1)];
    Question { key: label(key), inputs, signatures, shared: false }
}

fn object(id: u16, text: &str, capabilities: Capabilities, algorithm: Theirs) -> Vec<u8> {
    let (id, domains) = (id.to_be_bytes(), Domains(1).0.to_be_bytes());
    let label = Label::new(text).unwrap();
    [&id[..], &label.0, &domains, &capabilities.0.to_be_bytes(), &[algorithm.0]].concat()
}

/// The report of a look that nothing stopped.
fn whole(probed: Probed) -> Report {
    assert_eq!(probed.outcome, Ok(()), "{:?}", probed.report);
    probed.report
}

/// Whether such a finding is there, with these words.
fn found(report: &Report, level: Level, words: &str) -> bool {
    let of_level = report.findings.iter().filter(|finding| finding.level == level);
    of_level.into_iter().any(|finding| format!("{} {:?}", finding.what, finding.advice).contains(words))
}

#[track_caller]
fn assert_found(report: &Report, level: Level, words: &str) {
    assert!(found(report, level, words), "{level:?} {words:?}: {:#?}", report.findings);
}

fn as_it_should_be() {
    let simulated = Simulated::for_signer().without_factory_key();
    let report = whole(simulated.probe(None));
    assert!(report.able());
    let (device, facts) = (report.device.as_ref().unwrap(), report.yubihsm.as_ref().unwrap());
    assert_eq!((device.firmware.as_str(), device.serial.as_str()), ("2.4.0", "0017000001"));
    assert_eq!((facts.log_capacity, facts.force_audit.as_deref()), (62, Some("off")));
    assert_eq!((facts.has_key_1, facts.domains.as_str(), facts.unlogged), (Some(false), "1", Some(0)));
    assert!(facts.algorithms.contains(&"eck256".to_owned()));
    assert_eq!(report.keys.len(), 1, "{:?}", report.keys);
    assert!(report.keys[0].unfit.is_empty() && report.keys[0].label == "hot");
    let support: Vec<Support> = report.curves.iter().map(|curve| curve.support).collect();
    assert_eq!(support, [Support::Used, Support::Named, Support::Named]);
    assert_eq!(report.sessions.as_ref().unwrap().opened, 4);
    let signing = report.signing.as_ref().unwrap();
    assert!(signing.signatures > 0 && signing.signatures <= 50 && signing.made == signing.signatures, "{signing:?}");
    for words in ["nothing but what a signer needs", "key 1 is not there", "every signature verified", "log is whole"] {
        assert_found(&report, Level::Works, words);
    }
    assert_found(&report, Level::Odd, "force-audit is off");
}

fn signatures_logged(simulated: &mut Simulated) -> usize {
    let log = simulated.administrator.log_entries().unwrap().entries;
    log.iter().filter(|entry| entry.command == Command::SIGN_ECDSA.0).count()
}

fn logged_signatures() {
    let mut simulated = Simulated::for_signer();
    simulated.audit(AUDIT_ON);
    let report = whole(simulated.probe(None));
    assert!(report.able() && report.signing.is_none());
    assert_found(&report, Level::Odd, "--signatures");
    assert_found(&report, Level::Odd, "whoever may set options can end that");
    assert_eq!(signatures_logged(&mut simulated), 0);
    simulated.audit(AUDIT_FIXED);
    let report = whole(simulated.probe(Some(5)));
    assert_eq!(report.signing.as_ref().unwrap().signatures, 5);
    assert_found(&report, Level::Works, "only a reset changes that");
    assert_eq!(report.yubihsm.as_ref().unwrap().audited_for_ever, ["sign-ecdsa", "sign-eddsa"]);
    assert_eq!(signatures_logged(&mut simulated), 5);
    // However many are asked for, the log is not filled.
    whole(simulated.probe(Some(1000)));
    assert!(simulated.administrator.log_entries().unwrap().entries.len() < 62);
    let report = whole(simulated.probe(Some(1000)));
    assert_found(&report, Level::Odd, "log has room for");
    assert!(report.signing.is_none());
}

fn logged_reading() {
    let mut simulated = Simulated::for_signer();
    let option = [OptionTag::COMMAND_AUDIT.0, 0, 2, Command::GET_OBJECT_INFO.0, AUDIT_ON];
    simulated.administrator.run(Command::SET_OPTION, option.to_vec()).unwrap();
    let report = whole(simulated.probe(Some(1)));
    assert_found(&report, Level::Odd, "only the self-test key");
    assert!(report.keys.is_empty() && report.signing.is_some());
    assert!(simulated.administrator.log_entries().unwrap().entries.len() < 10);
}

fn rights() {
    let rights = Capabilities::SIGN_ECDSA | Capabilities::DERIVE_ECDH;
    let simulated = Simulated::new(rights, Capabilities::SIGN_EDDSA);
    let report = whole(simulated.probe(None));
    assert!(report.able() && report.signing.is_none(), "what is not known to be off is not tried");
    for words in [
        "more than a signer needs: derive-ecdh",
        "what it makes: sign-eddsa",
        "lacks capability get-log-entries",
        "lacks capability get-option",
        "lacks capability get-opaque",
        "authentication key 1 is there",
    ] {
        assert_found(&report, Level::Odd, words);
    }
}

fn bad_logs() {
    let mut simulated = Simulated::for_signer();
    simulated.audit(AUDIT_ON);
    simulated.go_wrong(Fault::FillLog { free: 0 }, Command::GET_OPTION);
    let report = whole(simulated.probe(None));
    assert!(!report.able());
    assert_found(&report, Level::Wrong, "log is full");

    let mut simulated = Simulated::for_signer();
    simulated.go_wrong(Fault::BreakLogDigest, Command::GET_PSEUDO_RANDOM);
    let audit = vec![OptionTag::COMMAND_AUDIT.0, 0, 2, Command::GET_PSEUDO_RANDOM.0, AUDIT_ON];
    simulated.administrator.run(Command::SET_OPTION, audit).unwrap();
    simulated.administrator.pseudo_random(1).unwrap();
    simulated.administrator.pseudo_random(1).unwrap();
    let report = whole(simulated.probe(Some(0)));
    assert_found(&report, Level::Odd, "take it for an attack");
}

fn no_free_sessions() {
    let simulated = Simulated::for_signer();
    let connect = || simulated.server.url().parse::<Address>().unwrap().connect(Duration::from_secs(30)).unwrap();
    let credentials = Credentials { id: SIGNER, keys: StaticKeys::from_password(PASSWORD.as_bytes()) };
    // With the administrator's these are fourteen of sixteen.
    let _others: Vec<Session> = (0..13).map(|_| Session::open(connect(), &credentials).unwrap()).collect();
    let report = whole(simulated.probe(Some(1)));
    assert!(report.able());
    assert_eq!(report.sessions.as_ref().unwrap().opened, 2);
    assert_found(&report, Level::Odd, "only 2 sessions");
}

fn refused_password() {
    let simulated = Simulated::for_signer();
    let probed = simulated.probe_with("wrong", "hot", None, DEADLINE);
    assert!(matches!(probed.outcome, Err(Error::PinRefused { .. })), "{probed:?}");
    assert!(!probed.report.able());
    assert_found(&probed.report, Level::Wrong, "it is not tried again");
}

fn silent() {
    let simulated = Simulated::for_signer();
    simulated.go_wrong(Fault::Hang, Command::GET_OPTION);
    let probed = simulated.probe_with(PASSWORD, "hot", None, Duration::from_secs(3));
    assert!(matches!(probed.outcome, Err(Error::WorkerGone { .. })), "{probed:?}");
    let words = "the YubiHSM 2 did not answer Get Option force-audit within 3 s";
    assert_found(&probed.report, Level::Wrong, words);
    assert_eq!(probed.report.yubihsm.unwrap().domains, "1");
}

fn no_key() {
    let simulated = Simulated::for_signer();
    let report = whole(simulated.probe_with(PASSWORD, "cold", None, DEADLINE));
    assert!(!report.able() && report.keys.len() == 1);
    assert_found(&report, Level::Wrong, "chancery-provision key generate cold");
}

fn no_worker() {
    let token = Token::new();
    for (role, words) in
        [("babbling-worker", "malformed frame"), ("silent-worker", "did not answer that it was started")]
    {
        let (label, serial, pin) = (token.label.clone(), Some(token.serial.clone()), Pin::new(USER_PIN.to_owned()));
        let driver = Driver::Pkcs11 { module: module(), label, serial, pin };
        let opening = Opening { driver, sessions: 1, forbidden: Vec::new() };
        let probed = worker::probe(command(role), opening, question("hot", None), Duration::from_secs(2), |_| {});
        assert!(probed.outcome.is_err(), "{role}");
        assert_found(&probed.report, Level::Wrong, words);
    }
}
