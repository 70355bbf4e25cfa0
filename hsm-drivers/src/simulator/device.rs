//! The device itself: takes a message, runs what is in it, logs it, answers.

use std::{fmt, sync::Arc, time::Duration};

use rand::{RngCore, rngs::OsRng};

use super::{
    Options,
    certificate::{self, Device as Identity},
    clock::Clock,
    commands::{self, Call},
    faults::{Fault, Faults},
    keys,
    log::Event,
    principal::Principal,
    sessions::{Sessions, Stage},
    state::{BadState, State, StateFile},
};
use crate::yubihsm2::protocol::{
    Algorithm, Command, ErrorCode, Frame, LOG_CAPACITY, LONGEST_FRAME, LONGEST_FRAME_BEFORE_2_4, LogEntry, ObjectType,
    Reader, TooShort,
    channel::{StaticKeys, card::Handshake},
};

/// A device that is powered on.
pub(super) struct Device {
    pub(super) state: State,
    pub(super) firmware: [u8; 3],
    pub(super) signing_time: Duration,
    clock: Arc<dyn Clock>,
    booted: Duration,
    sessions: Sessions,
    faults: Faults,
    /// Where the state is kept.
    file: Option<StateFile>,
}

/// What goes wrong on the way back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Transport {
    Delay(Duration),
    Hang,
    CloseAfter(usize),
    SplitAfter(usize),
}

/// An answer before it goes out, and the faults of its command.
struct Answer {
    message: Vec<u8>,
    faults: Vec<Fault>,
}

impl From<TooShort> for ErrorCode {
    fn from(_: TooShort) -> Self {
        Self::WRONG_LENGTH
    }
}

impl Device {
    pub(super) fn power_on(state: State, file: Option<StateFile>, options: Options) -> Result<Self, BadState> {
        let mut device = Self {
            state,
            firmware: options.firmware,
            signing_time: options.signing_time,
            booted: options.clock.now(),
            clock: options.clock,
            sessions: Sessions::default(),
            faults: Faults::default(),
            file,
        };
        device.certify_attestation_key().ok_or(BadState::Fresh)?;
        device.state.log.append_boot(device.state.audit.is_forced());
        device.keep()?;
        Ok(device)
    }

    pub(super) fn faults(&self) -> Faults {
        self.faults.clone()
    }

    pub(super) fn ca_certificate(&self) -> &[u8] {
        &self.state.maker.certificate
    }

    pub(super) fn wait(&self, time: Duration) {
        self.clock.wait(time);
    }

    pub(super) fn serial(&self) -> u32 {
        self.state.serial
    }

    /// Runs one message. State that cannot be kept is a failure of the device's storage.
    pub(super) fn exchange(&mut self, message: &[u8]) -> (Vec<u8>, Vec<Transport>) {
        let Answer { mut message, faults } = self.run(message);
        if self.keep().is_err() {
            message = Frame::error(ErrorCode::STORAGE_FAILED).encode();
        }
        if faults.contains(&Fault::WrongMac) {
            message.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        }
        (message, faults.into_iter().filter_map(on_the_way).collect())
    }

    fn run(&mut self, message: &[u8]) -> Answer {
        let longest = if self.firmware >= [2, 4, 0] { LONGEST_FRAME } else { LONGEST_FRAME_BEFORE_2_4 };
        let frame = Frame::decode(message).ok().filter(|_| message.len() <= longest);
        let Some(frame) = frame else {
            return Answer { message: Frame::error(ErrorCode::WRONG_LENGTH).encode(), faults: Vec::new() };
        };
        let command = Command(frame.code);
        if command == Command::SESSION_MESSAGE {
            return self.run_in_session(message, &frame);
        }
        let faults = self.faults.at(command);
        self.happen(&faults, None);
        let outcome = match refusal(&faults) {
            Some(code) => Err(code),
            None => match command {
                Command::ECHO => Ok(frame.data.clone()),
                Command::DEVICE_INFO => commands::device_info(self, &frame.data),
                Command::CREATE_SESSION => self.create_session(&frame.data),
                Command::AUTHENTICATE_SESSION => self.authenticate_session(message, &frame.data),
                _ => Err(ErrorCode::INVALID_COMMAND),
            },
        };
        self.log_outside_session(command, &frame.data, &outcome);
        Answer { message: answer(command, outcome).encode(), faults }
    }

    fn create_session(&mut self, data: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        let mut reader = Reader::new(data);
        let (id, host) = (reader.u16()?, reader.array()?);
        reader.end()?;
        let key = self.state.objects.held.get(&(ObjectType::AUTHENTICATION_KEY, id));
        let key = key.ok_or(ErrorCode::OBJECT_NOT_FOUND)?;
        let value = key.value[..].try_into().map_err(|_| ErrorCode::INVALID_DATA)?;
        let now = self.clock.now();
        let number = self.sessions.free_number(now).ok_or(ErrorCode::SESSIONS_FULL)?;
        let mut challenge = [0; 8];
        OsRng.fill_bytes(&mut challenge);
        let handshake = Handshake::begin(number, &StaticKeys::from_bytes(value), host, challenge);
        let response = handshake.response();
        self.sessions.insert(number, Stage::Offered(handshake), Principal::of(key), now);
        Ok(response)
    }

    fn authenticate_session(&mut self, message: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        let number = Reader::new(data).u8()?;
        let now = self.clock.now();
        let session = self.sessions.take(number, now).ok_or(ErrorCode::INVALID_SESSION)?;
        let Stage::Offered(handshake) = session.stage else { return Err(ErrorCode::INVALID_SESSION) };
        let channel = handshake.authenticate(message).map_err(|_| ErrorCode::AUTHENTICATION_FAILED)?;
        self.sessions.insert(number, Stage::Open(channel), session.principal, now);
        Ok(Vec::new())
    }

    /// Opens, runs, seals. What cannot be opened costs the session, and is answered in clear.
    fn run_in_session(&mut self, message: &[u8], outer: &Frame) -> Answer {
        let in_clear = |code, faults| Answer { message: Frame::error(code).encode(), faults };
        let number = outer.data.first().copied().unwrap_or(u8::MAX);
        let now = self.clock.now();
        let Some(session) = self.sessions.use_one(number, now) else {
            return in_clear(ErrorCode::INVALID_SESSION, Vec::new());
        };
        let Stage::Open(channel) = &mut session.stage else {
            return in_clear(ErrorCode::INVALID_SESSION, Vec::new());
        };
        let principal = session.principal;
        let Ok(inner) = channel.open(message) else {
            self.sessions.forget(number);
            return in_clear(ErrorCode::AUTHENTICATION_FAILED, Vec::new());
        };
        let command = Command(inner.code);
        let faults = self.faults.at(command);
        self.happen(&faults, Some(number));
        if self.sessions.use_one(number, now).is_none() {
            return in_clear(ErrorCode::INVALID_SESSION, faults);
        }
        let response = answer(command, self.run_inner(&principal, command, &inner.data, &faults));
        // A signature may have taken a while.
        let now = self.clock.now();
        let sealed = match self.sessions.use_one(number, now).map(|session| &mut session.stage) {
            Some(Stage::Open(channel)) => channel.seal(&response),
            _ => Frame::error(ErrorCode::INVALID_SESSION).encode(),
        };
        if ends_session(command, &response) {
            self.sessions.forget(number);
        }
        if command == Command::RESET_DEVICE && response.code == command.response() {
            self.state.reset();
            self.reboot();
        }
        Answer { message: sealed, faults }
    }

    fn run_inner(
        &mut self,
        principal: &Principal,
        command: Command,
        data: &[u8],
        faults: &[Fault],
    ) -> Result<Vec<u8>, ErrorCode> {
        let audited = self.state.audit.logs(command);
        let must_be_read = self.state.audit.is_forced() && self.state.log.is_full();
        let outcome = match refusal(faults) {
            Some(code) => Err(code),
            None if audited && must_be_read && !is_always_allowed(command) => Err(ErrorCode::LOG_FULL),
            None => commands::run(self, &Call { principal, command, data, faults }),
        };
        if self.state.audit.logs(command) {
            let (target_key, second_key) = commands::keys_named(command, data, &outcome);
            let event = event(command, data, principal.key, target_key, second_key, &outcome);
            self.log(event);
        }
        outcome
    }

    fn log_outside_session(&mut self, command: Command, data: &[u8], outcome: &Result<Vec<u8>, ErrorCode>) {
        if self.state.audit.logs(command) {
            let target = if command == Command::CREATE_SESSION { Reader::new(data).u16().ok() } else { None };
            let target = target.unwrap_or(LogEntry::NO_KEY);
            self.log(event(command, data, LogEntry::NO_KEY, target, LogEntry::NO_KEY, outcome));
        }
    }

    fn log(&mut self, event: Event) {
        let tick = self.clock.now().saturating_sub(self.booted).as_millis();
        let keep_unread = self.state.audit.is_forced();
        self.state.log.append(event, u32::try_from(tick).unwrap_or(u32::MAX), keep_unread);
    }

    /// The faults that happen before a command is run.
    fn happen(&mut self, faults: &[Fault], session: Option<u8>) {
        for fault in faults {
            if let (Fault::DropSession, Some(number)) = (fault, session) {
                self.sessions.forget(number);
            } else if *fault == Fault::PowerCut {
                self.reboot();
            } else if *fault == Fault::OtherSerial {
                self.state.serial = self.state.serial.wrapping_add(1);
                self.reboot();
            } else if *fault == Fault::FillSessions {
                self.fill_sessions();
            } else if let Fault::FillLog { free } = fault {
                self.fill_log(usize::from(*free));
            } else if let Fault::LogUnknown { command } = fault {
                let result = Command(*command).response();
                self.log(Event { command: *command, result, ..nothing() });
            } else if *fault == Fault::BreakLogDigest {
                self.state.log.entries.back_mut().into_iter().for_each(|entry| entry.digest[0] ^= 1);
            }
        }
    }

    fn reboot(&mut self) {
        self.sessions.forget_all();
        self.booted = self.clock.now();
        // Made before, so that it can be made again.
        let _certified = self.certify_attestation_key();
        self.state.log.append_boot(self.state.audit.is_forced());
    }

    fn fill_sessions(&mut self) {
        let now = self.clock.now();
        let Some(factory) = self.state.objects.held.values().next().map(Principal::of) else { return };
        while let Some(number) = self.sessions.free_number(now) {
            self.sessions.insert(number, Stage::Abandoned, factory, now);
        }
    }

    fn fill_log(&mut self, free: usize) {
        let wanted = LOG_CAPACITY.saturating_sub(free);
        while self.state.log.entries.len() < wanted {
            self.log(Event { command: Command::ECHO.0, result: Command::ECHO.response(), ..nothing() });
        }
    }

    /// The certificate of the attestation key, for this serial number and firmware.
    fn certify_attestation_key(&mut self) -> Option<()> {
        let public = keys::public(Algorithm::EC_P256, &self.state.attestation.key).ok()?;
        let certificate = certificate::device(&self.state.maker.issuer(), self.identity(), &public).ok()?;
        self.state.attestation.certificate = certificate;
        Some(())
    }

    pub(super) fn identity(&self) -> Identity {
        Identity { firmware: self.firmware, serial: self.state.serial }
    }

    /// Writes what has changed.
    fn keep(&mut self) -> Result<(), BadState> {
        match &mut self.file {
            Some(file) => file.keep(&self.state),
            None => Ok(()),
        }
    }
}

/// The part of an answer that a fault concerns after it left the device.
fn on_the_way(fault: Fault) -> Option<Transport> {
    if let Fault::Delay { ms } = fault {
        Some(Transport::Delay(Duration::from_millis(ms)))
    } else if let Fault::CloseAfter { bytes } = fault {
        Some(Transport::CloseAfter(bytes))
    } else if let Fault::SplitAfter { bytes } = fault {
        Some(Transport::SplitAfter(bytes))
    } else {
        (fault == Fault::Hang).then_some(Transport::Hang)
    }
}

fn refusal(faults: &[Fault]) -> Option<ErrorCode> {
    faults.iter().find_map(|fault| if let Fault::Refuse(code) = fault { Some(*code) } else { None })
}

fn answer(command: Command, outcome: Result<Vec<u8>, ErrorCode>) -> Frame {
    outcome.map_or_else(Frame::error, |data| Frame::response(command, data))
}

fn ends_session(command: Command, response: &Frame) -> bool {
    command == Command::CLOSE_SESSION && response.code == command.response()
}

/// A full log must stay readable, and be read: what that takes is allowed without room for its entry.
fn is_always_allowed(command: Command) -> bool {
    [Command::GET_LOG_ENTRIES, Command::SET_LOG_INDEX, Command::CLOSE_SESSION].contains(&command)
}

fn event(
    command: Command,
    data: &[u8],
    session_key: u16,
    target_key: u16,
    second_key: u16,
    outcome: &Result<Vec<u8>, ErrorCode>,
) -> Event {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let result = outcome.as_ref().map_or_else(|code| code.0, |_| command.response());
    Event { command: command.0, length, session_key, target_key, second_key, result }
}

/// An event about no key, of no session.
const fn nothing() -> Event {
    let key = LogEntry::NO_KEY;
    Event { command: 0, length: 0, session_key: key, target_key: key, second_key: key, result: 0 }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("serial", &self.state.serial).finish_non_exhaustive()
    }
}
