//! What our driver does where our simulator goes wrong, and what only a device with a log and certificates can show.

use std::{fs, net::TcpListener, time::Duration};

use hsm_drivers::{
    Device, DeviceLogPage, Disposition, Error, Pin,
    simulator::{Fault, Options, Plan, Server, Simulator},
    verify_chain,
    worker::{Driver, Opening, Request, Response, Worker},
    yubihsm2::{
        Yubihsm2Device,
        attestation::{self, BadAttestation},
        connector::{Address, Connector},
        protocol::{
            AUDIT_ON, Algorithm as Theirs, Capabilities, Command, Domains, ErrorCode, Label, OptionTag, Origin,
            channel::StaticKeys,
        },
        session::{Credentials, Session},
    },
};
use hsm_types::{Algorithm, Verifier};
use libtest_mimic::Trial;

use crate::{
    backend::{input, label, sign},
    trial, worker,
};

const PASSWORD: &str = "correct horse";
const SIGNER: u16 = 2;
const KEY: u16 = 7;

/// A device with a key for the signer, and one secp256k1 key.
struct Simulated {
    server: Server,
    administrator: Session,
}

impl Simulated {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Simulator::open(None, Options::default()).unwrap().serve(listener).unwrap();
        let connector = server.url().parse::<Address>().unwrap().connect(Duration::from_secs(30)).unwrap();
        let administrator = prepare(connector);
        Self { server, administrator }
    }

    fn open(&self) -> Yubihsm2Device {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Yubihsm2Device, Error> {
        Yubihsm2Device::open_at(&self.server.url(), SIGNER, &Pin::new(PASSWORD.to_owned()))
    }

    fn go_wrong(&self, fault: Fault, command: Command) {
        self.server.faults().arm(Plan::at(fault, command));
    }
}

/// Puts the signer's key and a secp256k1 key into a device from the factory.
fn prepare(connector: Box<dyn Connector>) -> Session {
    let credentials = Credentials { id: 1, keys: StaticKeys::from_password(b"password") };
    let mut administrator = Session::open(connector, &credentials).unwrap();
    let rights = Capabilities::SIGN_ECDSA
        | Capabilities::GET_LOG_ENTRIES
        | Capabilities::GET_OPAQUE
        | Capabilities::SIGN_ATTESTATION_CERTIFICATE;
    let mut signer = object(SIGNER, "signer", rights, Theirs::AES128_YUBICO_AUTHENTICATION);
    signer.extend(Capabilities::NONE.0.to_be_bytes());
    signer.extend(*StaticKeys::from_password(PASSWORD.as_bytes()).to_bytes());
    administrator.run(Command::PUT_AUTHENTICATION_KEY, signer).unwrap();
    let key = object(KEY, "hot", Capabilities::SIGN_ECDSA, Theirs::EC_K256);
    administrator.run(Command::GENERATE_ASYMMETRIC_KEY, key).unwrap();
    let audit = vec![OptionTag::COMMAND_AUDIT.0, 0, 2, Command::SIGN_ECDSA.0, AUDIT_ON];
    administrator.run(Command::SET_OPTION, audit).unwrap();
    administrator
}

fn object(id: u16, text: &str, capabilities: Capabilities, algorithm: Theirs) -> Vec<u8> {
    let (id, domains) = (id.to_be_bytes(), Domains(1).0.to_be_bytes());
    let label = Label::new(text).unwrap();
    [&id[..], &label.0, &domains, &capabilities.0.to_be_bytes(), &[algorithm.0]].concat()
}

/// A good signature, or the error.
fn sign_once(device: &mut Yubihsm2Device) -> Result<(), Error> {
    let (key, input) = (label("hot"), input(Algorithm::Secp256k1, 0));
    let verifier = Verifier::new(device.public_key(&key)?);
    let raw = device.sign(&key, &input)?;
    verifier.verify(&input, &raw).unwrap();
    Ok(())
}

fn page(device: &mut Yubihsm2Device) -> DeviceLogPage {
    device.device_log().unwrap().read().unwrap()
}

pub(crate) fn trials() -> Vec<Trial> {
    let cases: [(&str, fn()); 12] = [
        ("the_devices_word_about_a_key_is_followed_to_its_maker", the_devices_word_about_a_key),
        ("the_log_is_read_in_pages_that_follow_on_each_other", the_log_is_read_in_pages),
        ("a_log_with_an_unknown_command_is_read_and_a_broken_one_is_noticed", unknown_and_broken_entries),
        ("a_full_log_stops_signing_until_it_is_emptied", a_full_log_stops_signing),
        ("a_device_without_a_free_session_says_so", no_free_session),
        ("a_power_cut_costs_one_error_and_another_session_works_at_once", a_power_cut),
        ("an_answer_split_at_any_byte_is_read_whole", an_answer_split_at_any_byte),
        ("an_answer_that_does_not_come_may_stand_for_a_signature", an_answer_that_does_not_come),
        ("a_refusal_in_the_session_costs_nothing", a_refusal_costs_nothing),
        ("a_worker_hands_log_and_attestation_on_and_ends_with_its_session", a_worker),
        ("a_worker_powers_on_the_device_its_environment_names_and_alone", a_worker_with_its_own),
        ("a_message_altered_on_the_way_ends_the_session", a_message_altered),
    ];
    cases.into_iter().map(|(name, case)| trial(format!("yubihsm_simulator::{name}"), case)).collect()
}

fn the_devices_word_about_a_key() {
    let simulated = Simulated::new();
    let mut device = simulated.open();
    let (key, maker) = (label("hot"), simulated.server.ca_certificate());
    let certificate = device.attestation(&key).unwrap().unwrap();
    let issuer = device.attestation_issuer().unwrap().unwrap();
    let attested = attestation::verify(&certificate, &[&issuer], &maker).unwrap();
    assert_eq!(attested.public_key, device.public_key(&key).unwrap());
    assert_eq!(format!("{:010}", attested.serial), device.info().unwrap().serial);
    assert_eq!((attested.origin, attested.domains, attested.id), (Origin::GENERATED, Domains(1), KEY));
    assert_eq!((attested.capabilities, attested.label.as_deref()), (Capabilities::SIGN_ECDSA, Some("hot")));

    let other = Simulated::new();
    let error = attestation::verify(&certificate, &[&issuer], &other.server.ca_certificate()).unwrap_err();
    assert!(matches!(error, BadAttestation::NotSigned { number: 1, .. }), "{error}");
    let others = other.open().attestation_issuer().unwrap().unwrap();
    assert!(attestation::verify(&certificate, &[&others], &other.server.ca_certificate()).is_err());
}

fn the_log_is_read_in_pages() {
    let simulated = Simulated::new();
    let mut device = simulated.open();
    let first = page(&mut device);
    verify_chain(None, &first.entries).unwrap();
    assert_eq!(page(&mut device).entries[..first.entries.len()], first.entries, "nothing is forgotten by reading");
    let last = *first.entries.last().unwrap();
    device.device_log().unwrap().acknowledge(last.number).unwrap();
    sign_once(&mut device).unwrap();
    let second = page(&mut device);
    verify_chain(Some(&last), &second.entries).unwrap();
    let signed = |page: &DeviceLogPage| page.entries.iter().any(|entry| entry.command_name() == Some("sign-ecdsa"));
    assert!(!signed(&first) && signed(&second), "{second:?}");
}

fn unknown_and_broken_entries() {
    let simulated = Simulated::new();
    let mut device = simulated.open();
    simulated.go_wrong(Fault::LogUnknown { command: 0xee }, Command::ECHO);
    simulated.go_wrong(Fault::BreakLogDigest, Command::GET_PSEUDO_RANDOM);
    let mut administrator = simulated.administrator;
    administrator.echo(b"x").unwrap();
    let page_with_unknown = page(&mut device);
    verify_chain(None, &page_with_unknown.entries).unwrap();
    assert!(page_with_unknown.entries.iter().any(|entry| entry.command == 0xee && entry.command_name().is_none()));
    administrator.pseudo_random(1).unwrap();
    verify_chain(None, &page(&mut device).entries).unwrap_err();
}

fn a_full_log_stops_signing() {
    let mut simulated = Simulated::new();
    let option = vec![OptionTag::FORCE_AUDIT.0, 0, 1, AUDIT_ON];
    simulated.administrator.run(Command::SET_OPTION, option).unwrap();
    let mut device = simulated.open();
    sign_once(&mut device).unwrap();
    simulated.go_wrong(Fault::FillLog { free: 0 }, Command::SIGN_ECDSA);
    let error = sign_once(&mut device).unwrap_err();
    assert!(error.to_string().contains("the device answered log-full"), "{error}");
    assert_eq!(error.disposition(), Disposition::Refused);
    let last = page(&mut device).entries.last().unwrap().number;
    device.device_log().unwrap().acknowledge(last).unwrap();
    sign_once(&mut device).unwrap();
}

fn no_free_session() {
    let simulated = Simulated::new();
    simulated.go_wrong(Fault::FillSessions, Command::CREATE_SESSION);
    let error = simulated.try_open().unwrap_err();
    assert!(matches!(error, Error::SessionsFull { .. }), "{error}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
}

fn a_power_cut() {
    let simulated = Simulated::new();
    let mut device = simulated.open();
    sign_once(&mut device).unwrap();
    simulated.go_wrong(Fault::PowerCut, Command::SIGN_ECDSA);
    let error = sign_once(&mut device).unwrap_err();
    assert_eq!(error.disposition(), Disposition::OutcomeUnknown, "{error}");
    assert!(sign_once(&mut device).unwrap_err().to_string().contains("given up"));
    sign_once(&mut simulated.open()).unwrap();
}

fn an_answer_split_at_any_byte() {
    let simulated = Simulated::new();
    let (mut device, key) = (simulated.open(), label("hot"));
    let verifier = Verifier::new(device.public_key(&key).unwrap());
    for bytes in 1..220 {
        simulated.go_wrong(Fault::SplitAfter { bytes }, Command::SIGN_ECDSA);
        sign(&mut device, &key, &verifier, &input(Algorithm::Secp256k1, bytes));
    }
    assert!(simulated.server.faults().armed().is_empty(), "each was cut");
}

fn an_answer_that_does_not_come() {
    let simulated = Simulated::new();
    for fault in [Fault::CloseAfter { bytes: 0 }, Fault::CloseAfter { bytes: 50 }, Fault::Hang] {
        let address: Address = simulated.server.url().parse().unwrap();
        let connector = address.connect(Duration::from_millis(500)).unwrap();
        let mut device = Yubihsm2Device::open(connector, SIGNER, &Pin::new(PASSWORD.to_owned())).unwrap();
        simulated.go_wrong(fault, Command::SIGN_ECDSA);
        let error = sign_once(&mut device).unwrap_err();
        assert_eq!(error.disposition(), Disposition::OutcomeUnknown, "{fault:?}: {error}");
        sign_once(&mut simulated.open()).unwrap();
    }
}

fn a_refusal_costs_nothing() {
    let simulated = Simulated::new();
    let mut device = simulated.open();
    for code in [ErrorCode::INSUFFICIENT_PERMISSIONS, ErrorCode::INVALID_DATA] {
        simulated.go_wrong(Fault::Refuse(code), Command::SIGN_ECDSA);
        let error = sign_once(&mut device).unwrap_err();
        assert_eq!(error.disposition(), Disposition::Refused, "{error}");
        assert!(error.to_string().contains(code.name().unwrap()), "{error}");
        sign_once(&mut device).unwrap();
    }
}

fn a_message_altered() {
    let simulated = Simulated::new();
    let mut device = simulated.open();
    simulated.go_wrong(Fault::WrongMac, Command::SIGN_ECDSA);
    let error = sign_once(&mut device).unwrap_err();
    assert_eq!(error.disposition(), Disposition::OutcomeUnknown, "{error}");
    assert!(sign_once(&mut device).is_err());
    let key = label("hot");
    let mut another = simulated.open();
    let verifier = Verifier::new(another.public_key(&key).unwrap());
    sign(&mut another, &key, &verifier, &input(Algorithm::Secp256k1, 1));
}

fn a_worker() {
    let simulated = Simulated::new();
    let password = Pin::new(PASSWORD.to_owned());
    let driver = Driver::Yubihsm { connector: simulated.server.url(), authentication_key: SIGNER, password };
    let opening = Opening { sessions: 4, forbidden: Vec::new(), driver };
    let (worker, info) = Worker::start(worker::command("token-worker"), opening, worker::DEADLINE).unwrap();
    assert_eq!(info.driver, "yubihsm");
    let ask = |request| worker::call(&worker, request);

    let Ok(Response::DeviceLog(Some(page))) = ask(Request::ReadDeviceLog) else { panic!("no log") };
    verify_chain(None, &page.entries).unwrap();
    let last = page.entries.last().unwrap();
    assert_eq!(ask(Request::AcknowledgeDeviceLog(last.number)), Ok(Response::DeviceLogAcknowledged));
    assert_eq!(ask(Request::ReadDeviceLog), Ok(Response::DeviceLog(Some(DeviceLogPage::default()))));
    let Ok(Response::Attestation(Some(certificate))) = ask(Request::Attestation(label("hot"))) else {
        panic!("no attestation")
    };
    let Ok(Response::Attestation(Some(issuer))) = ask(Request::AttestationIssuer) else { panic!("no issuer") };
    attestation::verify(&certificate, &[&issuer], &simulated.server.ca_certificate()).unwrap();

    simulated.go_wrong(Fault::DropSession, Command::GET_LOG_ENTRIES);
    let error = ask(Request::ReadDeviceLog).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Broken, "{error}");
    assert!(worker.wait().contains("exit status: 1"), "{}", worker.wait());
}

fn a_worker_with_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token/device");
    fs::create_dir(directory.path().join("token")).unwrap();
    drop(prepare(Box::new(Simulator::open(Some(&file), Options::default()).unwrap())));
    let start = || {
        let mut command = worker::command("token-worker");
        command.current_dir(directory.path()).env("CHANCERY_SIMULATOR", "token/device");
        let password = Pin::new(PASSWORD.to_owned());
        let driver = Driver::Yubihsm { connector: "simulator".to_owned(), authentication_key: SIGNER, password };
        Worker::start(command, Opening { sessions: 4, forbidden: Vec::new(), driver }, worker::DEADLINE)
    };
    let sign = |worker: &Worker| {
        let inputs = vec![input(Algorithm::Secp256k1, 0)];
        worker::call(worker, Request::Sign { key: label("hot"), inputs }).unwrap();
    };
    let (first, info) = start().unwrap();
    assert_eq!(info.driver, "yubihsm");
    sign(&first);
    let error = start().unwrap_err();
    assert!(error.to_string().contains("has this device open"), "{error}");
    assert_eq!(error.disposition(), Disposition::Broken);
    assert!(!error.needs_operator(), "whoever has it may end");

    first.kill();
    assert!(first.wait().contains("signal"), "{}", first.wait());
    let (second, _) = start().unwrap();
    sign(&second);
}
