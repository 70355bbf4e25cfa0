//! The commands of a session, each with the rights it takes (user guide, "YubiHSM Command Reference").

mod asymmetric;
mod attestation;
mod authentication;
mod general;
mod listing;
mod logging;
mod new_object;
mod opaque;
mod wrap;

pub(super) use self::general::device_info;
use super::{device::Device, faults::Fault, principal::Principal};
use crate::yubihsm2::protocol::{Command, ErrorCode, LogEntry, Reader};

/// One command: whose it is, and what goes wrong with it.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) principal: &'a Principal,
    pub(super) command: Command,
    pub(super) data: &'a [u8],
    pub(super) faults: &'a [Fault],
}

/// Data of the response, or why not.
type Outcome = Result<Vec<u8>, ErrorCode>;

pub(super) fn run(device: &mut Device, call: &Call<'_>) -> Outcome {
    match call.command {
        Command::ECHO => Ok(call.data.to_vec()),
        Command::DEVICE_INFO => device_info(device, call.data),
        Command::CLOSE_SESSION | Command::BLINK_DEVICE => Ok(Vec::new()),
        Command::RESET_DEVICE => general::reset(call),
        Command::GET_STORAGE_INFO => Ok(general::storage_info(device)),
        Command::GET_PSEUDO_RANDOM => general::pseudo_random(call),
        Command::GET_OPTION => general::get_option(device, call),
        Command::SET_OPTION => general::set_option(device, call),
        Command::GET_LOG_ENTRIES => logging::entries(device, call),
        Command::SET_LOG_INDEX => logging::set_index(device, call),
        Command::LIST_OBJECTS => listing::list(device, call),
        Command::GET_OBJECT_INFO => listing::info(device, call),
        Command::DELETE_OBJECT => listing::delete(device, call),
        Command::PUT_OPAQUE => opaque::put(device, call),
        Command::GET_OPAQUE => opaque::get(device, call),
        Command::PUT_AUTHENTICATION_KEY => authentication::put(device, call),
        Command::CHANGE_AUTHENTICATION_KEY => authentication::change(device, call),
        Command::PUT_ASYMMETRIC_KEY => asymmetric::put(device, call),
        Command::GENERATE_ASYMMETRIC_KEY => asymmetric::generate(device, call),
        Command::GET_PUBLIC_KEY => asymmetric::public_key(device, call),
        Command::SIGN_ECDSA => asymmetric::sign_ecdsa(device, call),
        Command::SIGN_EDDSA => asymmetric::sign_eddsa(device, call),
        Command::SIGN_ATTESTATION_CERTIFICATE => attestation::sign(device, call),
        Command::PUT_WRAP_KEY => wrap::put(device, call),
        Command::GENERATE_WRAP_KEY => wrap::generate(device, call),
        Command::EXPORT_WRAPPED => wrap::export(device, call),
        Command::IMPORT_WRAPPED => wrap::import(device, call),
        _ => Err(ErrorCode::INVALID_COMMAND),
    }
}

/// The objects a command was about, for the log.
pub(super) fn keys_named(command: Command, data: &[u8], outcome: &Outcome) -> (u16, u16) {
    let at = |bytes: &[u8], offset: usize| {
        let bytes = bytes.get(offset..).unwrap_or_default();
        Reader::new(bytes).u16().unwrap_or(LogEntry::NO_KEY)
    };
    let response = outcome.as_deref().unwrap_or_default();
    let first = at(data, 0);
    match command {
        Command::EXPORT_WRAPPED => (first, at(data, 3)),
        Command::IMPORT_WRAPPED => (first, at(response, 1)),
        Command::SIGN_ATTESTATION_CERTIFICATE => (first, at(data, 2)),
        Command::PUT_OPAQUE
        | Command::PUT_AUTHENTICATION_KEY
        | Command::PUT_ASYMMETRIC_KEY
        | Command::GENERATE_ASYMMETRIC_KEY
        | Command::PUT_WRAP_KEY
        | Command::GENERATE_WRAP_KEY => (if outcome.is_ok() { at(response, 0) } else { first }, LogEntry::NO_KEY),
        Command::GET_OPAQUE
        | Command::GET_OBJECT_INFO
        | Command::DELETE_OBJECT
        | Command::CHANGE_AUTHENTICATION_KEY
        | Command::GET_PUBLIC_KEY
        | Command::SIGN_ECDSA
        | Command::SIGN_EDDSA => (first, LogEntry::NO_KEY),
        _ => (LogEntry::NO_KEY, LogEntry::NO_KEY),
    }
}
