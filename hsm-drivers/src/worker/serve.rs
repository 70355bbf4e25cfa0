//! The child's side of a worker.

use std::{
    io::{self, BufReader, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitCode,
    sync::Arc,
};

use super::{
    Driver, Opened, Opening, Request,
    answers::Answers,
    confine::{confine, give_up_privileges},
    frame,
    pool::Pool,
    probe::{self, First},
    wire::{Bytes, Numbered},
};
use crate::{Device, DeviceInfo, Disposition, Error, pkcs11, yubihsm2};

/// Serves one token to the process that holds the other end of stdin, until that end closes.
///
/// The first frame is the [`Opening`], or asks for a look at the token instead ([`probe`](super::probe())); its PIN is
/// tried once. A session that turns out broken is answered for and then ends the process, so that its supervisor starts a
/// fresh one. Exit status: 0 when the parent closed, 78 when a person must act, 2 when stdin is no worker's socket, else
/// 1.
#[must_use]
pub fn serve() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("token worker: {reason}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let mut socket = stdin_socket().map_err(|error| {
        format!("stdin is not a socket ({error}): it is started by the appliance for each token, not by hand")
    })?;
    give_up_privileges(&socket)?;
    // Unbuffered, so that the PIN is in no buffer but the frame's own, which is wiped.
    let content = frame::read(&mut socket).map_err(|error| format!("reading the opening: {error}"))?;
    let content = content.ok_or("closed before the opening")?;
    let first: First = Bytes::decode_all(&content).map_err(|malformed| malformed.to_string())?;
    drop(content);
    let opening = match first {
        First::Opening(opening) => opening,
        First::Probe(opening, question) => return Ok(probe::answer(&socket, opening, &question)),
    };

    let opened = confine(&opening.forbidden).and_then(|caveats| Ok((open(&opening)?, caveats)));
    drop(opening);
    let (devices, answer) = match opened {
        Ok(((devices, info), caveats)) => (Some(devices), Ok(Opened { info, caveats })),
        Err(error) => (None, Err(error)),
    };
    let exit = if answer.as_ref().is_err_and(Error::needs_operator) { 78 } else { 1 };
    let frame = frame::encode(None, &answer).map_err(|_| "the answer to the opening is too long")?;
    socket.write_all(&frame).map_err(|error| format!("answering the opening: {error}"))?;
    match devices {
        None => Ok(ExitCode::from(exit)),
        Some(devices) => answer_requests(socket, devices).map_err(|error| error.to_string()),
    }
}

/// Stdin as a socket. Nothing else in the child reads it.
fn stdin_socket() -> io::Result<UnixStream> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.peer_addr()?;
    Ok(socket)
}

/// As many devices as there are to be sessions; the first logs in.
fn open(opening: &Opening) -> Result<(Vec<Box<dyn Device>>, DeviceInfo), Error> {
    let mut devices: Vec<Box<dyn Device>> = Vec::new();
    match &opening.driver {
        Driver::Pkcs11 { module, label, serial, pin } => {
            let token = pkcs11::Token::find(module, label, serial.as_deref())?;
            for device in token.open_sessions(pin, opening.sessions)? {
                devices.push(Box::new(device));
            }
        }
        Driver::Yubihsm { connector, authentication_key, password } => {
            let device = yubihsm2::Yubihsm2Device::open_at(connector, *authentication_key, password)?;
            devices.push(Box::new(device));
        }
    }
    let none = || Error::Call {
        attempted: "opening of the token worker".to_owned(),
        cause: "no session".to_owned(),
        disposition: Disposition::NotSent,
    };
    let info = devices.first_mut().ok_or_else(none)?.info()?;
    Ok((devices, info))
}

fn answer_requests(socket: UnixStream, devices: Vec<Box<dyn Device>>) -> io::Result<ExitCode> {
    let pool = Arc::new(Pool::new(Answers::new(socket.try_clone()?)?));
    let sessions = pool.spawn(devices)?;
    let mut from = BufReader::with_capacity(1 << 16, socket);
    let nonsense = loop {
        let content = match frame::read(&mut from) {
            Ok(Some(content)) => content,
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        };
        match Bytes::decode_all::<Numbered<Request>>(&content) {
            Ok(request) => pool.push(request.id, request.value),
            Err(malformed) => break Some(malformed.to_string()),
        }
    };
    if let Some(nonsense) = &nonsense {
        eprintln!("token worker: {nonsense}");
    }
    let sound = pool.close(&sessions);
    Ok(if sound && nonsense.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
