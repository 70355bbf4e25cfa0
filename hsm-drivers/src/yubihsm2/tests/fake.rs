//! A device whose answers a test may replace or spoil. It has one Ed25519 key, with a chain code beside it.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::yubihsm2::{
    connector::{Connector, ConnectorError},
    protocol::{
        Algorithm, Capabilities, Command, DeviceInfoPage, Domains, ErrorCode, Frame, Label, ListEntry, ListFilter,
        LogEntries, LogEntry, ObjectInfo, ObjectType, Origin, Reader,
        channel::{StaticKeys, card},
    },
};

pub(super) const LABEL: &str = "hot";
pub(super) const KEY: u16 = 7;
/// Test 1 of RFC 8032, section 7.1.
pub(super) const PUBLIC_KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

type Spoil<T> = Box<dyn FnMut(T) -> T + Send>;

/// The state of the device, which the test and every connector to it share.
pub(super) struct State {
    keys: StaticKeys,
    offered: Option<card::Handshake>,
    session: Option<card::Channel>,
    /// Commands seen, those inside a session included.
    pub(super) seen: Vec<Command>,
    /// Applied to the answers inside a session, before they are sealed.
    pub(super) inner: Spoil<Frame>,
    /// Applied to whole messages.
    pub(super) outer: Spoil<Vec<u8>>,
    /// Returned in place of the next answer.
    pub(super) fail: Option<ConnectorError>,
}

#[derive(Clone)]
pub(super) struct Fake(Arc<Mutex<State>>);

pub(super) fn keys() -> StaticKeys {
    StaticKeys::from_bytes(&[0x5a; 32])
}

impl Fake {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            keys: keys(),
            offered: None,
            session: None,
            seen: Vec::new(),
            inner: Box::new(|frame| frame),
            outer: Box::new(|message| message),
            fail: None,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn lose_sessions(&self) {
        self.state().session = None;
    }

    /// Answers `command` with `data` from now on.
    pub(super) fn answer(&self, command: Command, data: Vec<u8>) {
        let answer = Frame::response(command, data);
        self.state().inner =
            Box::new(move |frame| if frame.code == command.response() { answer.clone() } else { frame });
    }

    /// Refuses `command` from now on.
    pub(super) fn refuse(&self, command: Command, code: ErrorCode) {
        self.state().inner =
            Box::new(move |frame| if frame.code == command.response() { Frame::error(code) } else { frame });
    }
}

impl Connector for Fake {
    fn exchange(&mut self, message: &[u8]) -> Result<Vec<u8>, ConnectorError> {
        let mut state = self.state();
        if let Some(failure) = state.fail.take() {
            return Err(failure);
        }
        let answer = state.answer(message).unwrap_or_else(|code| Frame::error(code).encode());
        Ok((state.outer)(answer))
    }
}

impl State {
    fn answer(&mut self, message: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        let frame = Frame::decode(message).map_err(|_| ErrorCode::WRONG_LENGTH)?;
        match Command(frame.code) {
            Command::CREATE_SESSION => {
                self.seen.push(Command::CREATE_SESSION);
                let challenge = frame.data[2..].try_into().map_err(|_| ErrorCode::WRONG_LENGTH)?;
                let offered = card::Handshake::begin(3, &self.keys, challenge, [0xc3; 8]);
                let answer = Frame::response(Command::CREATE_SESSION, offered.response());
                self.offered = Some(offered);
                Ok(answer.encode())
            }
            Command::AUTHENTICATE_SESSION => {
                self.seen.push(Command::AUTHENTICATE_SESSION);
                let offered = self.offered.take().ok_or(ErrorCode::INVALID_SESSION)?;
                let channel = offered.authenticate(message).map_err(|_| ErrorCode::AUTHENTICATION_FAILED)?;
                self.session = Some(channel);
                Ok(Frame::response(Command::AUTHENTICATE_SESSION, Vec::new()).encode())
            }
            _ => {
                let mut channel = self.session.take().ok_or(ErrorCode::INVALID_SESSION)?;
                let command = channel.open(message).map_err(|_| ErrorCode::SESSION_FAILED)?;
                self.seen.push(Command(command.code));
                let answer = (self.inner)(carry_out(&command));
                let sealed = channel.seal(&answer);
                if command.code != Command::CLOSE_SESSION.0 {
                    self.session = Some(channel);
                }
                Ok(sealed)
            }
        }
    }
}

fn carry_out(command: &Frame) -> Frame {
    let code = Command(command.code);
    let data = match code {
        Command::ECHO => command.data.clone(),
        Command::DEVICE_INFO => {
            let algorithms = vec![Algorithm::ED25519];
            DeviceInfoPage { version: [2, 4, 0], serial: 7_550_054, log_capacity: 62, log_used: 3, algorithms }.encode()
        }
        Command::LIST_OBJECTS => {
            let filters = ListFilter::decode_all(&command.data).unwrap();
            let opaque = filters.contains(&ListFilter::Type(ObjectType::OPAQUE));
            let object_type = if opaque { ObjectType::OPAQUE } else { ObjectType::ASYMMETRIC_KEY };
            ListEntry { id: KEY, object_type, sequence: 0 }.encode().to_vec()
        }
        Command::GET_OBJECT_INFO if command.data[2] == ObjectType::AUTHENTICATION_KEY.0 => rights().encode(),
        Command::GET_OBJECT_INFO => info().encode(),
        Command::GET_PUBLIC_KEY => [vec![Algorithm::ED25519.0], hex::decode(PUBLIC_KEY).unwrap()].concat(),
        Command::GET_OPAQUE => vec![0xa5; 32],
        Command::GET_PSEUDO_RANDOM => vec![4; Reader::new(&command.data).u16().unwrap().into()],
        Command::SIGN_EDDSA => vec![0x11; 64],
        Command::SIGN_ATTESTATION_CERTIFICATE => vec![0x30, 0x00],
        Command::GET_LOG_ENTRIES => log().encode(),
        _ => Vec::new(),
    };
    Frame::response(code, data)
}

pub(super) fn info() -> ObjectInfo {
    ObjectInfo {
        capabilities: Capabilities::SIGN_EDDSA,
        id: KEY,
        length: 32,
        domains: Domains(1),
        object_type: ObjectType::ASYMMETRIC_KEY,
        algorithm: Algorithm::ED25519,
        sequence: 0,
        origin: Origin::GENERATED,
        label: Label::new(LABEL).unwrap(),
        delegated_capabilities: Capabilities::NONE,
    }
}

/// Of the authentication key.
pub(super) fn rights() -> ObjectInfo {
    let id = 2;
    let object_type = ObjectType::AUTHENTICATION_KEY;
    ObjectInfo { id, object_type, origin: Origin::IMPORTED, ..info() }
}

/// Three entries, the second of a command that nobody knows.
pub(super) fn log() -> LogEntries {
    let mut entries: Vec<LogEntry> = Vec::new();
    for (number, command) in [(1, LogEntry::RESET), (2, 0xee), (3, Command::SIGN_EDDSA.0)] {
        let mut entry = LogEntry {
            number,
            command,
            length: 9,
            session_key: 2,
            target_key: KEY,
            second_key: LogEntry::NO_KEY,
            result: command | 0x80,
            tick: 100,
            digest: [0xff; 16],
        };
        if let Some(previous) = entries.last() {
            entry.digest = entry.digest_after(&previous.digest);
        }
        entries.push(entry);
    }
    LogEntries { unlogged_boots: 1, unlogged_authentications: 2, entries }
}
