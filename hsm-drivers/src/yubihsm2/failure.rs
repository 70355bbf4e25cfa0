//! What errors of the crate `yubihsm` mean for the signature and the session.

use yubihsm::{
    client::{Error as ClientError, ErrorKind as ClientErrorKind},
    device::ErrorKind as DeviceErrorKind,
};

use crate::{Disposition, Error, TriesLeft};

/// The error of a session that could not be opened.
pub(super) fn open_failed(error: &ClientError, authentication_key: u16) -> Error {
    let refused = matches!(error.kind(), ClientErrorKind::AuthenticationError)
        || error.device_error() == Some(DeviceErrorKind::AuthenticationFailed);
    if refused {
        // The device counts no tries.
        let token = format!("YubiHSM authentication key {authentication_key}");
        return Error::PinRefused { token, tries_left: TriesLeft::Unknown };
    }
    Error::Call {
        attempted: format!("Create Session with authentication key {authentication_key}"),
        cause: error.to_string(),
        disposition: Disposition::Broken,
    }
}

/// The error of a command; `attempted` is its name in Yubico's documentation, and on what.
pub(super) fn command_failed(error: &ClientError, attempted: &str) -> Error {
    failed(error, attempted, Disposition::Broken)
}

/// As [`command_failed`], for a command that signs: once it may have reached the device, a signature may exist.
pub(super) fn sign_failed(error: &ClientError, attempted: &str) -> Error {
    let never_sent = matches!(
        error.kind(),
        ClientErrorKind::AuthenticationError | ClientErrorKind::ClosedSessionError | ClientErrorKind::CreateFailed
    );
    failed(error, attempted, if never_sent { Disposition::Broken } else { Disposition::OutcomeUnknown })
}

fn failed(error: &ClientError, attempted: &str, otherwise: Disposition) -> Error {
    let disposition = if is_plain_refusal(error) { Disposition::Refused } else { otherwise };
    Error::Call { attempted: attempted.to_owned(), cause: error.to_string(), disposition }
}

/// No object has this id any more.
pub(super) fn is_stale_id(error: &ClientError) -> bool {
    matches!(error.device_error(), Some(DeviceErrorKind::ObjectNotFound | DeviceErrorKind::InvalidId))
}

/// The codes by which a working device in a working session says no. All others, "invalid session" before all, end the
/// session: the crate would go on using it, and every attempt would keep it from timing out.
fn is_plain_refusal(error: &ClientError) -> bool {
    matches!(
        error.device_error(),
        Some(
            DeviceErrorKind::InvalidCommand
                | DeviceErrorKind::InvalidData
                | DeviceErrorKind::InvalidId
                | DeviceErrorKind::InsufficientPermissions
                | DeviceErrorKind::LogFull
                | DeviceErrorKind::ObjectNotFound
                | DeviceErrorKind::WrongLength
        )
    )
}
