//! The worker process, which is this program run with another first argument.

use std::{
    env, fs,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use hsm_drivers::{
    Disposition, Error, Pin, Protection, TriesLeft,
    worker::{Driver, Opening, Request, Response, Worker},
};
use hsm_types::{Algorithm, Digest, KeyLabel, ToSign, Verifier};
use libtest_mimic::Trial;

use crate::{
    backend::{Backend, input, label},
    softhsm::{CONFIGURATION, Token, USER_PIN, module},
    trial,
};

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("worker::every_outstanding_call_is_answered_once", every_outstanding_call_is_answered_once),
        trial("worker::a_batch_is_signed_in_its_order", a_batch_is_signed_in_its_order),
        trial("worker::chain_codes_and_their_childrens_signatures_come_through", chain_codes_and_children),
        trial("worker::an_error_in_a_batch_is_its_answer", an_error_in_a_batch_is_its_answer),
        trial("worker::a_killed_worker_fails_all_that_is_outstanding", a_killed_worker_fails_all_that_is_outstanding),
        trial("worker::garbage_ends_the_worker", garbage_ends_the_worker),
        trial("worker::a_worker_that_babbles_is_ended", a_worker_that_babbles_is_ended),
        trial("worker::a_worker_that_never_opens_is_ended", a_worker_that_never_opens_is_ended),
        trial("worker::the_pin_is_in_no_argument_and_no_variable", the_pin_is_in_no_argument_and_no_variable),
        trial("worker::a_wrong_pin_is_reported_and_ends_it", a_wrong_pin_is_reported_and_ends_it),
        trial("worker::a_token_that_goes_away_ends_it_and_a_new_one_serves", a_token_that_goes_away),
        trial("worker::dropping_it_ends_and_reaps_the_child", dropping_it_ends_and_reaps_the_child),
        trial("worker::a_yubihsm_that_is_not_there_is_told", a_yubihsm_that_is_not_there_is_told),
        trial("worker::a_token_without_log_and_attestation_says_so", a_token_without_log_and_attestation),
    ]
}

/// This program as a worker, or as something that only looks like one.
pub(crate) fn command(role: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg(role).env_clear().env(CONFIGURATION, env::var_os(CONFIGURATION).unwrap());
    command
}

fn opening(token: &Token, pin: &str) -> Opening {
    let (label, serial) = (token.label.clone(), Some(token.serial.clone()));
    let driver = Driver::Pkcs11 { module: module(), label, serial, pin: Pin::new(pin.to_owned()) };
    Opening { sessions: 4, forbidden: Vec::new(), driver }
}

pub(crate) fn start(token: &Token) -> Worker {
    let (worker, info) = Worker::start(command("token-worker"), opening(token, USER_PIN), DEADLINE).unwrap();
    assert_eq!(info.serial, token.serial);
    worker
}

pub(crate) fn call(worker: &Worker, request: Request) -> Result<Response, Error> {
    let (answered, answer) = mpsc::channel();
    worker.call(request, move |result| answered.send(result).unwrap());
    answer.recv_timeout(DEADLINE).unwrap()
}

fn sign(key: &KeyLabel, inputs: Vec<ToSign>) -> Request {
    Request::Sign { key: key.clone(), inputs }
}

/// Whether the process is there, a zombie included.
fn exists(pid: u32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap()
}

fn every_outstanding_call_is_answered_once() {
    let token = Token::new();
    let key = label("many");
    let verifier = Verifier::new(token.generate(&key, Algorithm::P256));
    let worker = start(&token);
    let Response::PublicKey(public_key) = call(&worker, Request::PublicKey(key.clone())).unwrap() else {
        panic!("not a public key")
    };
    assert_eq!(&public_key, verifier.public_key());
    let protection = call(&worker, Request::Protection(key.clone())).unwrap();
    assert_eq!(protection, Response::Protection(Protection::NeverLeaves));

    let (answered, answers) = mpsc::channel();
    for number in 0..500 {
        let answered = answered.clone();
        let answer = move |result| answered.send((number, result)).unwrap();
        match number % 10 {
            0 => worker.call(Request::Info, answer),
            1 => worker.call(Request::PublicKey(label("nobody")), answer),
            _ => worker.call(sign(&key, vec![input(Algorithm::P256, number)]), answer),
        }
    }
    drop(answered);
    let mut seen = vec![false; 500];
    for (number, result) in answers {
        assert!(!std::mem::replace(&mut seen[number], true), "{number} was answered twice");
        match (number % 10, result) {
            (0, Ok(Response::Info(info))) => assert_eq!(info.serial, token.serial),
            (1, Err(error)) => assert_eq!(error, Error::UnknownKey { key: label("nobody") }),
            (_, Ok(Response::Signatures(signatures))) => {
                verifier.verify(&input(Algorithm::P256, number), &signatures[0]).unwrap();
            }
            (_, other) => panic!("{number}: {other:?}"),
        }
    }
    assert!(seen.into_iter().all(|seen| seen));
}

fn a_batch_is_signed_in_its_order() {
    let token = Token::new();
    let key = label("batch");
    let verifier = Verifier::new(token.generate(&key, Algorithm::Secp256k1));
    let worker = start(&token);
    let inputs: Vec<_> = (0..256).map(|number| input(Algorithm::Secp256k1, number)).collect();
    let Response::Signatures(signatures) = call(&worker, sign(&key, inputs.clone())).unwrap() else {
        panic!("no signatures")
    };
    assert_eq!(signatures.len(), 256);
    for (input, signature) in inputs.iter().zip(&signatures) {
        verifier.verify(input, signature).unwrap();
    }
    assert_eq!(call(&worker, sign(&key, Vec::new())), Ok(Response::Signatures(Vec::new())));
}

fn chain_codes_and_children() {
    let token = Token::new();
    let (key, single, doubled) = (label("parent"), label("single"), label("doubled"));
    let (public_key, chain_code) = token.generate_parent(&key);
    token.generate(&single, Algorithm::Secp256k1);
    token.generate_parent(&doubled);
    token.put_chain_code(&doubled, &[0xa5; 32]);
    let worker = start(&token);
    assert_eq!(call(&worker, Request::ChainCode(key.clone())), Ok(Response::ChainCode(Some(chain_code.clone()))));
    assert_eq!(call(&worker, Request::ChainCode(single)), Ok(Response::ChainCode(None)));
    let error = call(&worker, Request::ChainCode(doubled)).unwrap_err();
    assert!(matches!(error, Error::KeyUnfit { .. }), "{error}");

    let verifier = Verifier::new(public_key);
    let children = verifier.children(&chain_code, 0..64).unwrap();
    let digests: Vec<Digest> = (0..64).map(|number| Digest([number; 32])).collect();
    let inputs = children.iter().zip(&digests).map(|(child, digest)| child.to_sign(digest)).collect();
    let Response::Signatures(raw) = call(&worker, sign(&key, inputs)).unwrap() else { panic!("no signatures") };
    assert_eq!(raw.len(), 64);
    for ((child, digest), raw) in children.iter().zip(&digests).zip(&raw) {
        verifier.verify_child(child, digest, raw).unwrap();
    }
}

fn an_error_in_a_batch_is_its_answer() {
    let token = Token::new();
    let key = label("mixed");
    token.generate(&key, Algorithm::P256);
    let worker = start(&token);
    let mut inputs: Vec<_> = (0..64).map(|number| input(Algorithm::P256, number)).collect();
    inputs[40] = ToSign::Message(vec![1]);
    let error = call(&worker, sign(&key, inputs)).unwrap_err();
    assert!(matches!(error, Error::WrongInput { .. }), "{error}");
    let too_many = (0..1025).map(|number| input(Algorithm::P256, number)).collect();
    assert_eq!(call(&worker, sign(&key, too_many)).unwrap_err().disposition(), Disposition::NotSent);
    call(&worker, sign(&key, vec![input(Algorithm::P256, 0)])).unwrap();
}

fn a_killed_worker_fails_all_that_is_outstanding() {
    let token = Token::new();
    let key = label("killed");
    token.generate(&key, Algorithm::Secp256k1);
    let worker = start(&token);
    let (answered, answers) = mpsc::channel();
    for number in 0..200 {
        let answered = answered.clone();
        let inputs = vec![input(Algorithm::Secp256k1, number); 256];
        worker.call(sign(&key, inputs), move |result| answered.send((number, result)).unwrap());
    }
    drop(answered);
    let killed = Command::new("kill").args(["-KILL", &worker.pid().to_string()]).status().unwrap();
    assert!(killed.success());

    let mut seen = [false; 200];
    let mut gone = 0;
    for (number, result) in answers {
        assert!(!std::mem::replace(&mut seen[number], true), "{number} was answered twice");
        if let Err(error) = result {
            assert!(matches!(error, Error::WorkerGone { .. }), "{error}");
            assert_eq!(error.disposition(), Disposition::OutcomeUnknown);
            gone += 1;
        }
    }
    assert!(seen.into_iter().all(|seen| seen));
    assert!(gone > 100, "{gone}");
    assert!(worker.wait().contains("SIGKILL"), "{}", worker.wait());
    assert!(worker.is_gone());
    assert!(!exists(worker.pid()), "it was reaped");
    assert!(matches!(call(&worker, Request::Info), Err(Error::WorkerGone { .. })));
}

fn garbage_ends_the_worker() {
    let long = u32::MAX.to_be_bytes();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &long, &[0, 0, 0, 4, b'H', b'S', b'M', b'2'], &[0, 0, 0, 0], &[1]] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut command = command("token-worker");
        command.stdin(OwnedFd::from(theirs)).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        drop(command);
        ours.write_all(garbage).unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // What it did not read is thrown away with an error, which says as much as an empty answer.
        let _ = ours.read_to_end(&mut answer);
        assert_eq!(answer, b"", "{garbage:?}");
        assert_eq!(child.wait().unwrap().code(), Some(2), "{garbage:?}");
    }
    let by_hand = command("token-worker").stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert_eq!(by_hand.code(), Some(2));
}

/// Answers the opening with nonsense.
pub(crate) fn babble() -> ExitCode {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().unwrap());
    let _ = socket.write_all(&[0, 0, 0, 3, 9, 9, 9]);
    thread::sleep(DEADLINE);
    ExitCode::SUCCESS
}

/// Never answers.
pub(crate) fn stay_silent() -> ExitCode {
    thread::sleep(DEADLINE);
    ExitCode::SUCCESS
}

fn a_worker_that_babbles_is_ended() {
    let token = Token::new();
    let error = Worker::start(command("babbling-worker"), opening(&token, USER_PIN), DEADLINE).unwrap_err();
    assert!(error.to_string().contains("malformed frame"), "{error}");
    assert_eq!(error.disposition(), Disposition::Broken);
}

fn a_worker_that_never_opens_is_ended() {
    let token = Token::new();
    let before = Instant::now();
    let deadline = Duration::from_millis(200);
    let error = Worker::start(command("silent-worker"), opening(&token, USER_PIN), deadline).unwrap_err();
    assert!(error.to_string().contains("no answer within"), "{error}");
    assert!(before.elapsed() < DEADLINE / 2);
}

fn the_pin_is_in_no_argument_and_no_variable() {
    let token = Token::new();
    let worker = start(&token);
    for file in ["environ", "cmdline"] {
        let content = match fs::read(format!("/proc/{}/{file}", worker.pid())) {
            // It is not dumpable, so that the system shows this to root alone.
            Err(error) if file == "environ" && error.kind() == io::ErrorKind::PermissionDenied => continue,
            content => content.unwrap(),
        };
        let content = String::from_utf8_lossy(&content);
        assert!(content.contains(if file == "environ" { CONFIGURATION } else { "token-worker" }), "{content}");
        assert!(!content.contains(USER_PIN), "{content}");
    }
    assert!(!format!("{:?}", opening(&token, USER_PIN)).contains(USER_PIN));
}

fn a_wrong_pin_is_reported_and_ends_it() {
    let token = Token::new();
    let error = Worker::start(command("token-worker"), opening(&token, "000000"), DEADLINE).unwrap_err();
    assert!(matches!(error, Error::PinRefused { tries_left: TriesLeft::CountLow, .. }), "{error}");
    assert!(error.needs_operator());
    assert!(!format!("{error:?}").contains("000000"));
    start(&token);
}

fn a_token_that_goes_away() {
    let token = Token::new();
    let key = label("away");
    let verifier = Verifier::new(token.generate(&key, Algorithm::P256));
    let worker = start(&token);
    call(&worker, sign(&key, vec![input(Algorithm::P256, 0)])).unwrap();

    let (directory, away) = (token.directory(), token.away());
    fs::rename(&directory, &away).unwrap();
    let error = call(&worker, sign(&key, vec![input(Algorithm::P256, 1)])).unwrap_err();
    assert!(matches!(error.disposition(), Disposition::Broken | Disposition::OutcomeUnknown), "{error}");
    assert!(!error.needs_operator(), "{error}");
    assert!(worker.wait().contains("exit status: 1"), "{}", worker.wait());
    let error = Worker::start(command("token-worker"), opening(&token, USER_PIN), DEADLINE).unwrap_err();
    assert!(matches!(error, Error::TokenNotFound { .. }), "{error}");

    fs::rename(&away, &directory).unwrap();
    let request = sign(&key, vec![input(Algorithm::P256, 2)]);
    let Response::Signatures(signatures) = call(&start(&token), request).unwrap() else { panic!("no signatures") };
    verifier.verify(&input(Algorithm::P256, 2), &signatures[0]).unwrap();
}

fn dropping_it_ends_and_reaps_the_child() {
    let token = Token::new();
    let worker = start(&token);
    let pid = worker.pid();
    assert!(exists(pid));
    let (answered, answer) = mpsc::channel();
    worker.call(Request::Info, move |result| answered.send(result).unwrap());
    drop(worker);
    assert!(!exists(pid));
    // Answered before it ended, or by its end; never neither.
    answer
        .recv_timeout(DEADLINE)
        .unwrap()
        .map(|_| ())
        .or_else(|error| if matches!(error, Error::WorkerGone { .. }) { Ok(()) } else { Err(error) })
        .unwrap();
}

fn a_yubihsm_that_is_not_there_is_told() {
    for (connector, disposition) in [
        ("https://127.0.0.1:1", Disposition::NotSent),
        ("usb:0123456789", Disposition::Broken),
        ("http://127.0.0.1:1", Disposition::Broken),
    ] {
        let password = Pin::new("password".to_owned());
        let driver = Driver::Yubihsm { connector: connector.to_owned(), authentication_key: 2, password };
        let opening = Opening { sessions: 4, forbidden: Vec::new(), driver };
        let error = Worker::start(command("token-worker"), opening, DEADLINE).unwrap_err();
        assert_eq!(error.disposition(), disposition, "{error}");
        assert!(!error.needs_operator(), "{error}");
    }
}

fn a_token_without_log_and_attestation() {
    let token = Token::new();
    let key = label("plain");
    token.generate(&key, Algorithm::P256);
    let worker = start(&token);
    assert_eq!(call(&worker, Request::Attestation(key)), Ok(Response::Attestation(None)));
    assert_eq!(call(&worker, Request::AttestationIssuer), Ok(Response::Attestation(None)));
    assert_eq!(call(&worker, Request::ReadDeviceLog), Ok(Response::DeviceLog(None)));
    let error = call(&worker, Request::AcknowledgeDeviceLog(1)).unwrap_err();
    assert_eq!(error.disposition(), Disposition::NotSent, "{error}");
    call(&worker, Request::Info).unwrap();
}
