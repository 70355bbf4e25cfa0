//! A worker that looks at its token instead of serving it, and tells each step before it takes it: whoever started it
//! learns what a module was doing when it hung or crashed, and what had been found before.

use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
    process::{Command, ExitCode},
    time::Duration,
};

use super::{
    Driver, Opening,
    confine::confine,
    frame::{self, TooLong},
    parent::spawn,
    process::Process,
    wire::{Bytes, Malformed, Wire},
};
use crate::{
    Disposition, Error, pkcs11,
    probe::{Examiner, Finding, Level, Question, Report, advice},
    yubihsm2,
};

/// How long a child that is done may take to end by itself.
const GRACE: Duration = Duration::from_secs(1);

/// Begins a request to look at a token, as another begins an opening.
const MAGIC: [u8; 4] = *b"HSMP";

/// What a child is told first.
pub(super) enum First {
    /// To serve.
    Opening(Opening),
    /// To look.
    Probe(Opening, Question),
}

/// What a look at a token came to.
#[derive(Debug)]
pub struct Probed {
    /// All that was found; what stopped it is the last finding.
    pub report: Report,
    /// What stopped it.
    pub outcome: Result<(), Error>,
}

/// Spawns `command`, as [`Worker::start`](super::Worker::start) does, and has it look at the token. Its PIN is tried at
/// most once. The child may take `patience` for each step; `watch` is told each. No child is left behind.
pub fn probe(
    command: Command,
    opening: Opening,
    question: Question,
    patience: Duration,
    watch: impl FnMut(&str),
) -> Probed {
    let noun = match opening.driver {
        Driver::Pkcs11 { .. } => "the module",
        Driver::Yubihsm { .. } => "the YubiHSM 2",
    };
    let mut probed = Probed { report: Report::default(), outcome: Ok(()) };
    probed.outcome = spawn(command).and_then(|(socket, process)| {
        let outcome = ask(&socket, opening, question)
            .and_then(|()| follow(&socket, &process, noun, patience, watch, &mut probed.report));
        drop(socket);
        process.end(if outcome.is_ok() { GRACE } else { Duration::ZERO });
        outcome
    });
    if let Err(error) = &probed.outcome {
        let finding = Finding { level: Level::Wrong, what: error.to_string(), advice: advice(error) };
        probed.report.findings.push(finding);
    }
    probed
}

fn ask(mut socket: &UnixStream, opening: Opening, question: Question) -> Result<(), Error> {
    let capacity = opening.capacity() + question.capacity();
    let first = First::Probe(opening, question);
    let frame = frame::encode_secret(capacity, &first).map_err(|TooLong(_)| failed("the question is too long"))?;
    socket.write_all(&frame).map_err(|error| failed(&error.to_string()))
}

/// Reads what the child tells until it is done, or ends, or keeps silent for too long.
fn follow(
    mut socket: &UnixStream,
    process: &Process,
    noun: &str,
    patience: Duration,
    mut watch: impl FnMut(&str),
    report: &mut Report,
) -> Result<(), Error> {
    socket.set_read_timeout(Some(patience)).map_err(|error| failed(&error.to_string()))?;
    let mut doing = "that it was started".to_owned();
    loop {
        let content = match frame::read(&mut socket) {
            Ok(Some(content)) => content,
            Ok(None) => {
                let reason = format!("{}, when {noun} was asked for {doing}", process.end(GRACE));
                return Err(Error::WorkerGone { reason });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let reason = format!("{noun} did not answer {doing} within {} s", patience.as_secs());
                return Err(Error::WorkerGone { reason });
            }
            Err(error) => return Err(failed(&error.to_string())),
        };
        let told: Told = Bytes::decode_all(&content).map_err(|malformed| failed(&malformed.to_string()))?;
        *report = told.report;
        match told.next {
            Next::Doing(next) => doing = next,
            Next::Done(outcome) => return outcome,
        }
        watch(&doing);
    }
}

fn failed(cause: &str) -> Error {
    Error::Call { attempted: "look at the token".to_owned(), cause: cause.to_owned(), disposition: Disposition::Broken }
}

/// The child's side.
pub(super) fn answer(mut socket: &UnixStream, opening: Opening, question: &Question) -> ExitCode {
    // A parent that is gone ends the child with the signal of a broken pipe, or is noticed here; then nobody is told.
    let mut tell = |told: &Told| {
        if let Ok(frame) = frame::encode(None, told) {
            let _ = socket.write_all(&frame);
        }
    };
    let mut tell_step = |doing: &str, report: &Report| {
        tell(&Told { report: report.clone(), next: Next::Doing(doing.to_owned()) });
    };
    let mut examiner = Examiner::new(&mut tell_step);
    let outcome = examine(&mut examiner, &opening, question);
    let report = examiner.report;
    let code = if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    tell(&Told { report, next: Next::Done(outcome) });
    code
}

fn examine(examiner: &mut Examiner<'_>, opening: &Opening, question: &Question) -> Result<(), Error> {
    let caveats = confine(&opening.forbidden)?;
    if caveats.is_empty() {
        examiner.works("the module's process is confined: it reaches neither the appliance's files nor its processes");
    }
    for caveat in caveats {
        examiner.odd(caveat, "a newer kernel, and a start without other open files, take that from the module");
    }
    match &opening.driver {
        Driver::Pkcs11 { module, label, serial, pin } => {
            let serial = serial.as_deref();
            let subject = pkcs11::probe::Subject { module, label, serial, pin, sessions: opening.sessions };
            pkcs11::probe::probe(examiner, &subject, question)
        }
        Driver::Yubihsm { connector, authentication_key, password } => {
            let authentication_key = *authentication_key;
            let subject = yubihsm2::probe::Subject { connector, authentication_key, password };
            yubihsm2::probe::probe(examiner, &subject, question)
        }
    }
}

/// What the child tells.
struct Told {
    report: Report,
    next: Next,
}

enum Next {
    /// The step it takes now.
    Doing(String),
    /// It takes none any more.
    Done(Result<(), Error>),
}

impl Question {
    /// At least as many bytes as it has in a frame.
    fn capacity(&self) -> usize {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        MAGIC.len() + bytes.len()
    }
}

impl Wire for First {
    fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Self::Opening(opening) => opening.encode(to),
            Self::Probe(opening, question) => {
                to.extend_from_slice(&MAGIC);
                question.encode(to);
                opening.encode(to);
            }
        }
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        if !from.skip(&MAGIC) {
            return Opening::decode(from).map(Self::Opening);
        }
        let question = Question::decode(from)?;
        Ok(Self::Probe(Opening::decode(from)?, question))
    }
}

impl Wire for Told {
    fn encode(&self, to: &mut Vec<u8>) {
        self.report.encode(to);
        match &self.next {
            Next::Doing(doing) => {
                to.push(0);
                doing.encode(to);
            }
            Next::Done(Ok(())) => to.push(1),
            Next::Done(Err(error)) => {
                to.push(2);
                error.encode(to);
            }
        }
    }

    fn decode(from: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let report = Report::decode(from)?;
        let next = match from.take_tag()? {
            0 => Next::Doing(String::decode(from)?),
            1 => Next::Done(Ok(())),
            2 => Next::Done(Err(Error::decode(from)?)),
            _ => return Err(Malformed("an unknown step")),
        };
        Ok(Self { report, next })
    }
}

#[cfg(test)]
mod tests;
