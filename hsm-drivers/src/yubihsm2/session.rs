//! One session with a device: opened with an authentication key, given up at the first error, closed when dropped.
//! Knows nothing of what commands mean.

use std::{
    fmt,
    time::{Duration, Instant},
};

use rand::{RngCore, rngs::OsRng};

use super::{
    connector::{Connector, ConnectorError},
    protocol::{
        BadFrame, Command, ErrorCode, Frame,
        channel::{CHALLENGE, ChannelError, StaticKeys, host},
    },
};

/// The device forgets a session after 30 idle seconds; one older than this is not worth the try.
const IDLE: Duration = Duration::from_secs(20);

/// Which authentication key a session is opened with, and its value. Wiped when dropped.
#[derive(Debug)]
pub struct Credentials {
    /// Its object id.
    pub id: u16,
    /// Its value.
    pub keys: StaticKeys,
}

/// An open session. After an error other than [`CommandError::Refused`] it is none any more, and says so.
pub struct Session {
    live: Option<Live>,
    /// When the device heard of it last.
    used: Instant,
}

struct Live {
    connector: Box<dyn Connector>,
    channel: host::Channel,
}

/// Why a session could not be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// No way to the device, or no answer from there.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The device holds another value under this id: most often the password is wrong. Trying again does not help.
    #[error("the device holds another authentication key under this id")]
    WrongKey,
    /// All sessions of the device are taken.
    #[error("all sessions of the device are in use")]
    SessionsFull,
    /// The device has no such authentication key.
    #[error("the device has no authentication key of this id")]
    NoSuchKey,
    /// It refused otherwise, or did not speak as a YubiHSM 2 does.
    #[error(transparent)]
    Channel(ChannelError),
    /// The system gives no random numbers.
    #[error("no random numbers from the system: {0}")]
    Random(String),
}

/// Why a command was not carried out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// The device said no, in a session that is as good as before.
    #[error("the device answered {0}")]
    Refused(ErrorCode),
    /// The session is over and the command never reached the device.
    #[error("{0}")]
    NotSent(String),
    /// The session is over and the device may have carried out the command.
    #[error("{0}")]
    Unanswered(String),
}

impl Session {
    /// Opens a session: Create Session and Authenticate Session, each sent once.
    ///
    /// # Errors
    /// [`OpenError`]. The connector is gone with it.
    pub fn open(mut connector: Box<dyn Connector>, credentials: &Credentials) -> Result<Self, OpenError> {
        let mut challenge = [0; CHALLENGE];
        OsRng.try_fill_bytes(&mut challenge).map_err(|error| OpenError::Random(error.to_string()))?;
        let (handshake, create) = host::Handshake::begin(credentials.id, credentials.keys.clone(), challenge);
        let created = connector.exchange(&create)?;
        let (pending, authenticate) = handshake.answer(&created)?;
        let authenticated = connector.exchange(&authenticate)?;
        let channel = pending.open(&authenticated)?;
        Ok(Self { live: Some(Live { connector, channel }), used: Instant::now() })
    }

    /// Whether commands are still possible.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.live.is_some()
    }

    /// Whether the device is about to forget this session, or has: close it and open another.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_open() && self.used.elapsed() >= IDLE
    }

    #[cfg(test)]
    pub(super) fn pretend_idle(&mut self) {
        self.used = self.used.checked_sub(IDLE).unwrap();
    }

    /// Carries out one command: the data of its response.
    ///
    /// # Errors
    /// [`CommandError`]; all but one of them end the session.
    pub fn run(&mut self, command: Command, data: Vec<u8>) -> Result<Vec<u8>, CommandError> {
        let given_up = || CommandError::NotSent("the session was given up after an earlier error".to_owned());
        // Put back only where it is good for more.
        let mut live = self.live.take().ok_or_else(given_up)?;
        let result = live.run(command, data);
        if matches!(result, Ok(_) | Err(CommandError::Refused(_))) {
            self.live = Some(live);
            self.used = Instant::now();
        }
        result
    }

    /// Ends the session because an answer to `command`, though authentic, is not what it must be.
    pub(super) fn give_up(&mut self, command: Command, cause: impl fmt::Display) -> CommandError {
        self.live = None;
        CommandError::Unanswered(format!("the answer to {command} makes no sense: {cause}"))
    }

    /// Closes the session and gives the connector back; none where the session had ended before.
    #[must_use]
    pub fn close(mut self) -> Option<Box<dyn Connector>> {
        let mut live = self.live.take()?;
        // The device forgets it anyway.
        let _ = live.run(Command::CLOSE_SESSION, Vec::new());
        Some(live.connector)
    }
}

impl Live {
    fn run(&mut self, command: Command, data: Vec<u8>) -> Result<Vec<u8>, CommandError> {
        let unsealed = |error: ChannelError| CommandError::NotSent(error.to_string());
        let sealed = self.channel.seal(&Frame::command(command, data)).map_err(unsealed)?;
        let response = self.connector.exchange(&sealed.message)?;
        // Any error here ends the session: the device has forgotten it, or somebody altered the message.
        let unopened = |error: ChannelError| CommandError::Unanswered(error.to_string());
        match self.channel.open(&sealed, &response).map_err(unopened)?.into_response(command) {
            Ok(data) => Ok(data),
            Err(BadFrame::Refused(code)) if PLAIN_REFUSALS.contains(&code) => Err(CommandError::Refused(code)),
            Err(other) => Err(CommandError::Unanswered(other.to_string())),
        }
    }
}

/// The codes by which a working device in a working session says no. After any other, `session-failed` and
/// `storage-failed` before all, the session is given up.
const PLAIN_REFUSALS: &[ErrorCode] = &[
    ErrorCode::INVALID_COMMAND,
    ErrorCode::INVALID_DATA,
    ErrorCode::INVALID_ID,
    ErrorCode::INSUFFICIENT_PERMISSIONS,
    ErrorCode::LOG_FULL,
    ErrorCode::OBJECT_NOT_FOUND,
    ErrorCode::WRONG_LENGTH,
    ErrorCode::OBJECT_EXISTS,
    ErrorCode::ALGORITHM_DISABLED,
];

impl From<ConnectorError> for CommandError {
    fn from(error: ConnectorError) -> Self {
        match error {
            ConnectorError::NotSent(cause) => Self::NotSent(cause),
            ConnectorError::NoAnswer(cause) => Self::Unanswered(cause),
        }
    }
}

impl From<ChannelError> for OpenError {
    fn from(error: ChannelError) -> Self {
        if error == ChannelError::Cryptogram {
            return Self::WrongKey;
        }
        let ChannelError::Frame(BadFrame::Refused(code)) = error else { return Self::Channel(error) };
        match code {
            ErrorCode::AUTHENTICATION_FAILED => Self::WrongKey,
            ErrorCode::SESSIONS_FULL => Self::SessionsFull,
            ErrorCode::OBJECT_NOT_FOUND => Self::NoSuchKey,
            _ => Self::Channel(error),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(mut live) = self.live.take() {
            let _ = live.run(Command::CLOSE_SESSION, Vec::new());
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.live.as_ref().map(|live| live.channel.session());
        f.debug_struct("Session").field("number", &number).finish_non_exhaustive()
    }
}
