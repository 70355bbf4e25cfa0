//! The driver against a device whose every answer can be spoiled.

mod fake;

use hsm_types::KeyLabel;

use self::fake::{Fake, LABEL};
use super::{
    connector::ConnectorError,
    protocol::{Algorithm, Command, ErrorCode, Frame, OptionTag, Origin},
    session::{CommandError, OpenError},
    *,
};
use crate::verify_chain;

fn label() -> KeyLabel {
    LABEL.parse().unwrap()
}

fn message() -> ToSign {
    ToSign::Message(b"pay".to_vec())
}

fn credentials() -> Credentials {
    Credentials { id: 2, keys: fake::keys() }
}

fn try_open(fake: &Fake) -> Result<Yubihsm2Device, Error> {
    let (credentials, keys, pinned) = (credentials(), HashMap::new(), HashMap::new());
    let session = open_session(Box::new(fake.clone()), &credentials)?;
    Ok(Yubihsm2Device { session: Some(session), credentials, keys, pinned })
}

fn open(fake: &Fake) -> Yubihsm2Device {
    try_open(fake).unwrap()
}

/// Everything a device is asked while it serves.
type Operation = (&'static str, fn(&mut Yubihsm2Device) -> Result<(), Error>);
const OPERATIONS: &[Operation] = &[
    ("info", |device| device.info().map(drop)),
    ("public_key", |device| device.public_key(&label()).map(drop)),
    ("chain_code", |device| device.chain_code(&label()).map(drop)),
    ("sign", |device| device.sign(&label(), &message()).map(drop)),
    ("attestation", |device| device.attestation(&label()).map(drop)),
    ("attestation_issuer", |device| device.attestation_issuer().map(drop)),
    ("read the log", |device| device.device_log().unwrap().read().map(drop)),
    ("acknowledge the log", |device| device.device_log().unwrap().acknowledge(3)),
];

#[test]
fn every_operation_works_where_nothing_is_spoiled() {
    let fake = Fake::new();
    let mut device = open(&fake);
    for (name, operation) in OPERATIONS {
        operation(&mut device).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(device.info().unwrap().serial, "0007550054");
    assert_eq!(device.public_key(&label()).unwrap().to_string(), fake::PUBLIC_KEY);
}

#[test]
fn every_command_works_on_its_own() {
    let mut session = Session::open(Box::new(Fake::new()), &credentials()).unwrap();
    session.echo(b"hello").unwrap();
    assert_eq!(session.pseudo_random(16), Ok(vec![4; 16]));
    assert_eq!(session.option(OptionTag::FORCE_AUDIT), Ok(Vec::new()));
    assert_eq!(session.public_key(fake::KEY).unwrap().algorithm, Algorithm::ED25519);
}

/// Authentic answers, but of a device that is out of its mind: nothing panics, and nothing goes on in silence.
#[test]
fn no_answer_inside_the_session_makes_the_driver_panic() {
    for (name, operation) in OPERATIONS {
        for command in Command::NAMED {
            let fake = Fake::new();
            open_and_count(&fake, *operation);
            if !fake.state().seen.contains(command) {
                continue;
            }
            for spoiled in 0..150_usize {
                let fake = Fake::new();
                let mut device = open(&fake);
                fake.state().inner = spoil(*command, spoiled);
                if operation(&mut device).is_err_and(|error| error.ends_session()) {
                    let error = device.info().unwrap_err();
                    assert!(error.to_string().contains("given up"), "{name}, {command}, {spoiled}: {error}");
                }
            }
        }
    }
}

fn open_and_count(fake: &Fake, operation: fn(&mut Yubihsm2Device) -> Result<(), Error>) {
    operation(&mut open(fake)).unwrap();
}

/// The same spoiled answer for the same number: cut, prolonged, altered, or nothing like the answer at all.
fn spoil(command: Command, number: usize) -> Box<dyn FnMut(Frame) -> Frame + Send> {
    Box::new(move |mut frame| {
        if frame.code != command.response() {
            return frame;
        }
        let length = frame.data.len().max(1);
        let mut noise = number as u64;
        let mut random = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 56) as u8
        };
        match number % 5 {
            0 => frame.data.truncate((number / 5) % length),
            1 => frame.data.resize(length + number, 0xff),
            2 => frame.data = (0..(number * 7) % 2500).map(|_| random()).collect(),
            3 => frame.code = random(),
            _ => frame.data.iter_mut().skip((number / 5) % length).step_by(3).for_each(|byte| *byte ^= random()),
        }
        frame
    })
}

/// What is altered on the way is noticed, at whatever bit, and ends the session for good.
#[test]
fn every_altered_message_ends_the_session() {
    for number in 0..4 {
        let whole = exchange_altered(number, |message| message);
        assert!(whole.is_ok(), "{whole:?}");
        // None of the answers is shorter: the second, to Authenticate Session, has three bytes.
        for bit in 0..24 {
            let altered = exchange_altered(number, move |mut message| {
                message[bit / 8] ^= 1 << (bit % 8);
                message
            });
            assert!(altered.is_err(), "message {number}, bit {bit}");
        }
        for cut in 0..3 {
            let altered = exchange_altered(number, move |message| message[..cut].to_vec());
            assert!(altered.is_err(), "message {number}, the first {cut} bytes");
        }
        for last in 1..=12 {
            let altered = exchange_altered(number, move |mut message| {
                let position = message.len().saturating_sub(last);
                message[position] ^= 0x40;
                message
            });
            assert!(altered.is_err(), "message {number}, {last} from its end");
        }
    }
}

/// Opens a session and sends two echoes; the answer with this number is altered.
fn exchange_altered(
    number: usize,
    alter: impl Fn(Vec<u8>) -> Vec<u8> + Send + 'static,
) -> Result<(), Box<dyn std::error::Error>> {
    let fake = Fake::new();
    let mut next = 0;
    fake.state().outer = Box::new(move |message| {
        next += 1;
        if next == number + 1 { alter(message) } else { message }
    });
    let mut session = Session::open(Box::new(fake), &credentials())?;
    for _ in 0..2 {
        if let Err(error) = session.echo(b"hello") {
            assert!(!session.is_open());
            assert!(matches!(session.echo(b"hello"), Err(CommandError::NotSent(_))), "it stays over");
            return Err(error.into());
        }
    }
    Ok(())
}

#[test]
fn a_reset_device_costs_one_error_and_a_new_session_works_at_once() {
    let fake = Fake::new();
    let mut device = open(&fake);
    device.sign(&label(), &message()).unwrap();
    fake.lose_sessions();
    let error = device.sign(&label(), &message()).unwrap_err();
    assert_eq!(error.disposition(), Disposition::OutcomeUnknown);
    assert!(error.to_string().contains("invalid-session"), "{error}");
    let asked = fake.state().seen.len();
    assert!(device.sign(&label(), &message()).unwrap_err().to_string().contains("given up"));
    drop(device);
    assert_eq!(fake.state().seen.len(), asked, "the dead session is not used, not even to close it");
    open(&fake).sign(&label(), &message()).unwrap();
}

#[test]
fn an_idle_session_is_changed_for_another_and_keys_are_looked_at_anew() {
    let fake = Fake::new();
    let mut device = open(&fake);
    device.sign(&label(), &message()).unwrap();
    device.session.as_mut().unwrap().pretend_idle();
    fake.state().seen.clear();
    device.sign(&label(), &message()).unwrap();
    let expected = [
        Command::CLOSE_SESSION,
        Command::CREATE_SESSION,
        Command::AUTHENTICATE_SESSION,
        // What the authentication key may do is looked at in every session.
        Command::GET_OBJECT_INFO,
        Command::LIST_OBJECTS,
        Command::GET_OBJECT_INFO,
        Command::GET_PUBLIC_KEY,
        Command::SIGN_EDDSA,
    ];
    assert_eq!(fake.state().seen, expected);

    // The device was reset while nobody asked anything: nothing to notice.
    device.session.as_mut().unwrap().pretend_idle();
    fake.lose_sessions();
    device.sign(&label(), &message()).unwrap();

    // Another key under the same label is not the key that was pinned.
    device.session.as_mut().unwrap().pretend_idle();
    let other = hex::decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c").unwrap();
    fake.answer(Command::GET_PUBLIC_KEY, [vec![Algorithm::ED25519.0], other].concat());
    let error = device.sign(&label(), &message()).unwrap_err();
    assert!(matches!(error, Error::KeyUnfit { .. }), "{error}");
}

#[test]
fn a_session_is_closed_when_dropped() {
    let fake = Fake::new();
    drop(open(&fake));
    assert_eq!(fake.state().seen.last(), Some(&Command::CLOSE_SESSION));
}

#[test]
fn a_wrong_password_is_told_before_anything_is_proven_to_the_device() {
    let fake = Fake::new();
    let error = Yubihsm2Device::open(Box::new(fake.clone()), 2, &Pin::new("wrong".to_owned())).unwrap_err();
    assert_eq!(
        error,
        Error::PinRefused {
            token: failure::token(2),
            login: crate::Login::User,
            tries_left: crate::TriesLeft::Unknown
        }
    );
    assert_eq!(fake.state().seen, [Command::CREATE_SESSION]);
}

#[test]
fn the_factorys_password_is_refused_and_only_that() {
    let open = |id, password: &str| {
        let fake = Fake::new();
        let error = Yubihsm2Device::open(Box::new(fake.clone()), id, &Pin::new(password.to_owned())).unwrap_err();
        (error, fake.state().seen.len())
    };
    let (error, asked) = open(1, "password");
    assert_eq!((&error, asked), (&Error::FactoryPassword { token: failure::token(1) }, 0));
    assert!(error.to_string().contains("make an authentication key of your own"), "{error}");
    for (id, password) in [(1, "passwort"), (2, "password")] {
        assert!(matches!(open(id, password), (Error::PinRefused { .. }, 1)));
    }
}

#[test]
fn a_device_without_a_free_session_says_when_to_come_back() {
    let fake = Fake::new();
    fake.state().outer = Box::new(|_| Frame::error(ErrorCode::SESSIONS_FULL).encode());
    let error = try_open(&fake).unwrap_err();
    assert_eq!(error, Error::SessionsFull { token: failure::token(2) });
    assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(30)));
    assert!(!error.needs_operator() && error.to_string().contains("after 30 idle seconds"), "{error}");

    fake.state().outer = Box::new(|_| Frame::error(ErrorCode::OBJECT_NOT_FOUND).encode());
    let error = try_open(&fake).unwrap_err();
    assert!(error.to_string().contains("no authentication key of this id"), "{error}");
}

#[test]
fn a_refusal_leaves_the_session_as_good_as_before() {
    let fake = Fake::new();
    let mut device = open(&fake);
    fake.refuse(Command::GET_LOG_ENTRIES, ErrorCode::INSUFFICIENT_PERMISSIONS);
    let error = device.device_log().unwrap().read().unwrap_err();
    assert_eq!(error.to_string(), "Get Log Entries: the device answered insufficient-permissions");
    assert_eq!(error.disposition(), Disposition::Refused);
    fake.refuse(Command::SIGN_EDDSA, ErrorCode::LOG_FULL);
    let error = device.sign(&label(), &message()).unwrap_err();
    assert_eq!(error.to_string(), "Sign Eddsa with key \"hot\": the device answered log-full");
    device.info().unwrap();

    fake.refuse(Command::SIGN_EDDSA, ErrorCode::STORAGE_FAILED);
    assert_eq!(device.sign(&label(), &message()).unwrap_err().disposition(), Disposition::OutcomeUnknown);
    device.info().unwrap_err();
}

#[test]
fn whether_a_signature_can_exist_is_told_by_whether_the_message_went_out() {
    let why = || "yubihsm-connector at [::1]:1: gone".to_owned();
    for (failure, disposition) in [
        (ConnectorError::NotSent(why()), Disposition::Broken),
        (ConnectorError::NoAnswer(why()), Disposition::OutcomeUnknown),
    ] {
        let fake = Fake::new();
        let mut device = open(&fake);
        device.public_key(&label()).unwrap();
        fake.state().fail = Some(failure);
        let error = device.sign(&label(), &message()).unwrap_err();
        assert_eq!(error.disposition(), disposition);
        assert!(error.to_string().contains("gone"), "{error}");
        assert!(device.info().is_err(), "the session is over");
    }
    let fake = Fake::new();
    fake.state().fail = Some(ConnectorError::NotSent(why()));
    let error = Session::open(Box::new(fake), &credentials()).unwrap_err();
    assert!(matches!(error, OpenError::Connector(_)), "{error}");
}

#[test]
fn an_origin_nobody_knows_is_unfit() {
    for (origin, words) in [
        (Origin(0x12), "origin imported"),
        (Origin(0x11), "origin wrapped"),
        (Origin(0x03), "origin 0x03"),
        (Origin(0), "0x00"),
    ] {
        let fake = Fake::new();
        let mut info = fake::info();
        info.origin = origin;
        let mut device = open(&fake);
        fake.answer(Command::GET_OBJECT_INFO, info.encode());
        let error = device.public_key(&label()).unwrap_err();
        assert!(matches!(error, Error::KeyUnfit { .. }) && error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_log_with_a_command_nobody_knows_is_read_whole() {
    let fake = Fake::new();
    let mut device = open(&fake);
    let page = device.device_log().unwrap().read().unwrap();
    assert_eq!(page, fake::log());
    assert_eq!(page.entries[1].command_name(), None);
    verify_chain(None, &page.entries).unwrap();
}

#[test]
fn nothing_secret_is_printed() {
    let device = open(&Fake::new());
    assert_eq!(format!("{device:?}"), "Yubihsm2Device { session: Some(Session { number: Some(3), .. }), .. }");
    assert_eq!(format!("{:?}", device.credentials), "Credentials { id: 2, keys: StaticKeys }");
}
