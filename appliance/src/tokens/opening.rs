//! Opening a token: a worker is started, and the token proven before anyone may use it.

use std::{
    os::unix::process::CommandExt,
    process::Command,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use hsm_drivers::{
    DeviceInfo, Error,
    worker::{Driver, Opening, Request, Response, Worker},
};
use hsm_types::{KeyLabel, PublicKey, Verifier};

use super::{
    SELF_TEST_KEY,
    attestation::AttestationCa,
    device_log::Accountant,
    holding::{self, Holdings},
    line::Line,
    nonsense,
    own_places::own_places,
    refused_pin::RefusedPin,
    reserved,
    ring::Ring,
    self_test_input,
    token::Up,
};
use crate::{
    config::{Config, DriverConfig, TokenConfig},
    error_chain::chain,
};

const OPEN_DEADLINE: Duration = Duration::from_secs(20);
const SIGN_DEADLINE: Duration = Duration::from_secs(20);

/// Why a token does not open.
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) needs_operator: bool,
    /// How long nothing can change, where that is known.
    pub(super) retry_after: Option<Duration>,
}

impl Refused {
    /// An operator has to do something.
    fn sealed(reason: String) -> Self {
        Self { reason, needs_operator: true, retry_after: None }
    }

    /// It may do the next time.
    fn down(reason: String) -> Self {
        Self { reason, needs_operator: false, retry_after: None }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let (needs_operator, retry_after) = (error.needs_operator(), error.retry_after());
        Self { reason: error.to_string(), needs_operator, retry_after }
    }
}

/// Starts a worker and proves the token before anyone may use it: its keys are those of the log, and it signs, in the
/// time told.
pub(super) async fn open(
    config: &Config,
    settings: &TokenConfig,
    ring: &Ring,
    accountant: &Arc<Accountant>,
) -> Result<(Up, Duration), Refused> {
    let name = &settings.name;
    let attestation_ca = match &settings.driver {
        DriverConfig::Yubihsm { attestation_ca: Some(path), .. } => {
            Some(AttestationCa::read(path).map_err(Refused::sealed)?)
        }
        DriverConfig::Yubihsm { attestation_ca: None, .. } | DriverConfig::Pkcs11 { .. } => None,
    };
    let (worker, info) = start(config, settings)?;
    let line = Line::open(worker, name, &info.serial, attestation_ca, accountant).await?;
    // The device's own log may be full from before.
    line.empty_log().await.map_err(Refused::down)?;
    let self_test = reserved(SELF_TEST_KEY).map_err(Refused::sealed)?;
    let self_test_key = line.public_key(&self_test).await?;
    let asked = Instant::now();
    prove(&line, &self_test, &self_test_key).await?;
    let signature_took = asked.elapsed();
    let mut holdings = Holdings::new();
    for (label, key) in ring.all() {
        let Some(fit) = holding::look(&line, &label, &key.family, key.token == *name).await else { continue };
        if let Err(reason) = &fit {
            tracing::error!(token = name, key = %label, reason, "a key may not serve");
        }
        holdings.insert(label, fit);
        // Where the device writes down every look at a key, many of them fill its log.
        line.empty_log().await.map_err(Refused::down)?;
    }
    Ok((Up { line, info, holdings: RwLock::new(holdings), self_test_key }, signature_took))
}

fn start(config: &Config, settings: &TokenConfig) -> Result<(Worker, DeviceInfo), Refused> {
    let refused = RefusedPin::of(config, settings);
    refused.check().map_err(Refused::sealed)?;
    let opening = opening(config, settings).map_err(Refused::sealed)?;
    let command = command(config, settings);
    let started = Worker::start(command, opening, OPEN_DEADLINE);
    if let Err(Error::PinRefused { .. }) = &started {
        refused.remember();
    }
    Ok(started?)
}

/// What a worker needs to open this token. Blocks where somebody types the PIN.
pub(super) fn opening(config: &Config, settings: &TokenConfig) -> Result<Opening, String> {
    let secret = settings.secret.read(&settings.name).map_err(|error| chain(&error))?;
    let driver = match &settings.driver {
        DriverConfig::Pkcs11 { module, label, serial } => {
            Driver::Pkcs11 { module: module.clone(), label: label.clone(), serial: serial.clone(), pin: secret }
        }
        DriverConfig::Yubihsm { connector, authentication_key, .. } => {
            Driver::Yubihsm { connector: connector.clone(), authentication_key: *authentication_key, password: secret }
        }
    };
    Ok(Opening { driver, sessions: settings.sessions, forbidden: own_places(config) })
}

/// This program again, as the worker, with the token's environment and no other.
pub(super) fn command(config: &Config, settings: &TokenConfig) -> Command {
    // The very program that runs, also when an upgrade has put another in its place: both ends speak one language.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("chancery").arg("token-worker").env_clear().envs(&settings.environment);
    // Relative paths in a config are relative to it, also those the module reads from its environment.
    command.current_dir(&config.directory);
    // A Ctrl-C meant for the appliance must not end the worker: requests under way are finished first.
    command.process_group(0);
    command
}

async fn prove(line: &Line, label: &KeyLabel, public_key: &PublicKey) -> Result<(), Refused> {
    let input = self_test_input(public_key, b"at opening");
    let request = Request::Sign { key: label.clone(), inputs: vec![input.clone()] };
    let answer = line.ask(request, SIGN_DEADLINE).await?;
    let Response::Signatures(signatures) = answer else { return Err(nonsense().into()) };
    let [signature] = signatures.as_slice() else { return Err(nonsense().into()) };
    Verifier::new(public_key.clone())
        .verify(&input, signature)
        .map(|_| ())
        .map_err(|error| Refused::down(format!("its self-test signature is wrong: {error}")))
}
