//! The thread that keeps one token open: starts its worker, checks the keys, and starts over when the worker ends.

use std::{
    os::unix::process::CommandExt,
    process::Command,
    sync::{Arc, RwLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use hsm_drivers::{
    Error, Protection,
    worker::{Driver, Opening, Request, Response, Worker},
};
use hsm_types::{KeyLabel, PublicKey, Verifier};

use super::{
    Family, Ring, SELF_TEST_KEY,
    holding::{Found, Holdings},
    refused_pin::RefusedPin,
    reserved, self_test_input,
    token::{Token, TokenState, Up},
};
use crate::{
    config::{Config, DriverConfig, TokenConfig},
    error_chain::chain,
};

const OPEN_DEADLINE: Duration = Duration::from_secs(20);
const CALL_DEADLINE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs for the life of the process.
pub(super) fn spawn(config: Arc<Config>, place: usize, token: Arc<Token>, ring: Arc<Ring>) {
    let supervised = Arc::clone(&token);
    let thread = thread::Builder::new().name(format!("token-{}", token.name()));
    let spawned = thread.spawn(move || {
        if let Some(settings) = config.tokens.get(place) {
            supervise(&config, settings, &supervised, &ring);
        }
    });
    if let Err(error) = spawned {
        token.set(TokenState::Sealed { reason: format!("no thread for it: {error}") });
    }
}

fn supervise(config: &Config, settings: &TokenConfig, token: &Token, ring: &Ring) {
    let mut pause = FIRST_PAUSE;
    loop {
        match open(config, settings, token.name(), ring) {
            Ok((up, signature_took)) => {
                let up = Arc::new(up);
                token.load.begin_at(signature_took);
                tracing::info!(token = token.name(), serial = up.info.serial, "the token is open");
                token.set(TokenState::Up(Arc::clone(&up)));
                pause = FIRST_PAUSE;
                let reason = up.worker.wait();
                tracing::warn!(token = token.name(), reason, "the token's worker ended");
                token.set(TokenState::Down { reason });
            }
            Err(Refused { reason, needs_operator: true }) => {
                tracing::error!(token = token.name(), reason, "the token is left alone until an operator acts");
                return token.set(TokenState::Sealed { reason });
            }
            Err(Refused { reason, needs_operator: false }) => {
                tracing::warn!(token = token.name(), reason, "the token does not open");
                token.set(TokenState::Down { reason });
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        thread::sleep(pause + jitter(pause));
    }
}

/// Up to a quarter more, so that tokens that fell together do not come back together.
fn jitter(pause: Duration) -> Duration {
    let mut random = [0];
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    pause.mul_f64(f64::from(random[0]) / 1024.0)
}

struct Refused {
    reason: String,
    needs_operator: bool,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { reason: error.to_string(), needs_operator: error.needs_operator() }
    }
}

/// Starts a worker and proves the token before anyone may use it: its keys are those of the log, and it signs, in the
/// time told.
fn open(config: &Config, settings: &TokenConfig, name: &str, ring: &Ring) -> Result<(Up, Duration), Refused> {
    let sealed = |reason: String| Refused { reason, needs_operator: true };
    let refused = RefusedPin::of(config, settings);
    refused.check().map_err(sealed)?;
    let secret = settings.secret.read(name).map_err(|error| sealed(chain(&error)))?;
    let driver = match &settings.driver {
        DriverConfig::Pkcs11 { module, label, serial } => {
            Driver::Pkcs11 { module: module.clone(), label: label.clone(), serial: serial.clone(), pin: secret }
        }
        DriverConfig::Yubihsm { connector, authentication_key } => {
            Driver::Yubihsm { connector: connector.clone(), authentication_key: *authentication_key, password: secret }
        }
    };
    let opening = Opening { driver, sessions: settings.sessions };
    let started = Worker::start(command(config, settings)?, opening, OPEN_DEADLINE);
    if let Err(Error::PinRefused { .. }) = &started {
        refused.remember();
    }
    let (worker, info) = started?;
    let self_test = reserved(SELF_TEST_KEY).map_err(sealed)?;
    let self_test_key = public_key(&worker, &self_test)?;
    let asked = Instant::now();
    prove(&worker, &self_test, &self_test_key)?;
    let signature_took = asked.elapsed();
    let mut holdings = Holdings::new();
    for (label, key) in ring.all() {
        let Some(fit) = find(&worker, &label, &key.family).judge(&key.family, key.token == name) else { continue };
        if let Err(reason) = &fit {
            tracing::error!(token = name, key = %label, reason, "a key may not serve");
        }
        holdings.insert(label, fit);
    }
    Ok((Up { worker, info, holdings: RwLock::new(holdings), self_test_key }, signature_took))
}

/// This program again, as the worker, with the token's environment and no other.
fn command(config: &Config, settings: &TokenConfig) -> Result<Command, Refused> {
    let program = std::env::current_exe()
        .map_err(|error| Refused { reason: format!("finding this program: {error}"), needs_operator: false })?;
    let mut command = Command::new(program);
    command.arg0("chancery").arg("token-worker").env_clear().envs(&settings.environment);
    // Relative paths in a config are relative to it, also those the module reads from its environment.
    command.current_dir(&config.directory);
    // A Ctrl-C meant for the appliance must not end the worker: requests under way are finished first.
    command.process_group(0);
    Ok(command)
}

fn prove(worker: &Worker, label: &KeyLabel, public_key: &PublicKey) -> Result<(), Refused> {
    let input = self_test_input(public_key, b"at opening");
    let request = Request::Sign { key: label.clone(), inputs: vec![input.clone()] };
    let Response::Signatures(signatures) = call(worker, request)? else { return Err(nonsense().into()) };
    let [signature] = signatures.as_slice() else { return Err(nonsense().into()) };
    Verifier::new(public_key.clone()).verify(&input, signature).map(|_| ()).map_err(|error| Refused {
        reason: format!("its self-test signature is wrong: {error}"),
        needs_operator: false,
    })
}

fn public_key(worker: &Worker, label: &KeyLabel) -> Result<PublicKey, Error> {
    let answer = call(worker, Request::PublicKey(label.clone()))?;
    if let Response::PublicKey(public_key) = answer { Ok(public_key) } else { Err(nonsense()) }
}

fn protection(worker: &Worker, label: &KeyLabel) -> Result<Protection, Error> {
    let answer = call(worker, Request::Protection(label.clone()))?;
    if let Response::Protection(protection) = answer { Ok(protection) } else { Err(nonsense()) }
}

/// What the token has under the name of a key of the log.
fn find(worker: &Worker, label: &KeyLabel, family: &Family) -> Found {
    let chain_code = || {
        let answer = call(worker, Request::ChainCode(label.clone()))?;
        if let Response::ChainCode(chain_code) = answer { Ok(chain_code) } else { Err(nonsense()) }
    };
    let public_key = public_key(worker, label);
    let protection = match &public_key {
        Ok(_) => protection(worker, label),
        Err(error) => Err(error.clone()),
    };
    Found { public_key, protection, chain_code: family.chain_code.as_ref().map(|_| chain_code()) }
}

fn call(worker: &Worker, request: Request) -> Result<Response, Error> {
    let (answer, answered) = mpsc::sync_channel(1);
    worker.call(request, move |result| {
        let _ = answer.send(result);
    });
    match answered.recv_timeout(CALL_DEADLINE) {
        Ok(result) => result,
        Err(_) => {
            worker.kill();
            Err(Error::WorkerGone { reason: format!("no answer within {} s", CALL_DEADLINE.as_secs()) })
        }
    }
}

fn nonsense() -> Error {
    Error::WorkerGone { reason: "it answered something else".to_owned() }
}
