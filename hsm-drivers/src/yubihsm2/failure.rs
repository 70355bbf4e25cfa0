//! What errors of a session mean for the signature and for whoever asked.

use super::session::{CommandError, OpenError};
use crate::{
    Disposition, Error, Login, TriesLeft,
    yubihsm2::{
        connector::{ConnectorError, NotAnAddress},
        protocol::ErrorCode,
    },
};

/// How errors call the device behind an authentication key.
pub(super) fn token(authentication_key: u16) -> String {
    format!("YubiHSM authentication key {authentication_key}")
}

/// The error of a configuration that names no connector.
pub(super) fn no_address(error: &NotAnAddress) -> Error {
    Error::Call {
        attempted: "opening the YubiHSM 2".to_owned(),
        cause: error.to_string(),
        disposition: Disposition::NotSent,
    }
}

/// The error of a connector that could not be opened.
pub(super) fn not_connected(error: &ConnectorError) -> Error {
    Error::Call {
        attempted: "opening the YubiHSM 2".to_owned(),
        cause: error.to_string(),
        disposition: Disposition::Broken,
    }
}

/// The error of a session that could not be opened.
pub(super) fn open_failed(error: &OpenError, authentication_key: u16) -> Error {
    match error {
        // The device counts no tries.
        OpenError::WrongKey => {
            Error::PinRefused { token: token(authentication_key), login: Login::User, tries_left: TriesLeft::Unknown }
        }
        OpenError::SessionsFull => Error::SessionsFull { token: token(authentication_key) },
        OpenError::NoSuchKey | OpenError::Connector(_) | OpenError::Channel(_) | OpenError::Random(_) => Error::Call {
            attempted: format!("Create Session with authentication key {authentication_key}"),
            cause: error.to_string(),
            disposition: Disposition::Broken,
        },
    }
}

/// The error of a command; `attempted` is its name in Yubico's documentation, and on what.
pub(super) fn command_failed(error: &CommandError, attempted: &str) -> Error {
    let disposition = match error {
        CommandError::Refused(_) => Disposition::Refused,
        CommandError::NotSent(_) | CommandError::Unanswered(_) => Disposition::Broken,
    };
    Error::Call { attempted: attempted.to_owned(), cause: error.to_string(), disposition }
}

/// As [`command_failed`], for a command that signs: once it may have reached the device, a signature may exist.
pub(super) fn sign_failed(error: &CommandError, attempted: &str) -> Error {
    let disposition = match error {
        CommandError::Refused(_) => Disposition::Refused,
        CommandError::NotSent(_) => Disposition::Broken,
        CommandError::Unanswered(_) => Disposition::OutcomeUnknown,
    };
    Error::Call { attempted: attempted.to_owned(), cause: error.to_string(), disposition }
}

/// No object has this id any more.
pub(super) fn is_stale_id(error: &CommandError) -> bool {
    matches!(error, CommandError::Refused(ErrorCode::OBJECT_NOT_FOUND | ErrorCode::INVALID_ID))
}
