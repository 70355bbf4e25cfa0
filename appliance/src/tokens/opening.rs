//! Opening a token: a worker is started, and the token proven before anyone may use it.

use std::{
    os::unix::process::CommandExt,
    process::Command,
    sync::{RwLock, mpsc},
    time::{Duration, Instant},
};

use hsm_drivers::{
    DeviceInfo, Error, Protection,
    worker::{Driver, Opening, Request, Response, Worker},
};
use hsm_types::{KeyLabel, PublicKey, Verifier};

use super::{
    Family, Ring, SELF_TEST_KEY,
    device_log::{Accountant, DeviceLog, ask, wait},
    holding::{Found, Holdings},
    nonsense,
    refused_pin::RefusedPin,
    reserved, self_test_input,
    token::Up,
};
use crate::{
    config::{Config, DriverConfig, TokenConfig},
    error_chain::chain,
};

const OPEN_DEADLINE: Duration = Duration::from_secs(20);

/// Why a token does not open.
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) needs_operator: bool,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { reason: error.to_string(), needs_operator: error.needs_operator() }
    }
}

/// Starts a worker and proves the token before anyone may use it: its keys are those of the log, and it signs, in the
/// time told.
pub(super) fn open(
    config: &Config,
    settings: &TokenConfig,
    name: &str,
    ring: &Ring,
    accountant: &Accountant,
) -> Result<(Up, Duration), Refused> {
    let sealed = |reason: String| Refused { reason, needs_operator: true };
    let (worker, info) = start(config, settings, name)?;
    let opened = Opened { name, accountant, log: keeps_a_log(&worker)?.then(DeviceLog::new), worker, info };
    opened.empty_log()?;
    let self_test = reserved(SELF_TEST_KEY).map_err(sealed)?;
    let self_test_key = opened.public_key(&self_test)?;
    let asked = Instant::now();
    opened.prove(&self_test, &self_test_key)?;
    let signature_took = asked.elapsed();
    let mut holdings = Holdings::new();
    for (label, key) in ring.all() {
        let Some(fit) = opened.find(&label, &key.family).judge(&key.family, key.token == name) else { continue };
        let fit = fit.and_then(|()| opened.identify(&label));
        if let Err(reason) = &fit {
            tracing::error!(token = name, key = %label, reason, "a key may not serve");
        }
        holdings.insert(label, fit);
    }
    opened.empty_log()?;
    let Opened { worker, info, log, .. } = opened;
    Ok((Up { worker, info, holdings: RwLock::new(holdings), device_log: log, self_test_key }, signature_took))
}

fn start(config: &Config, settings: &TokenConfig, name: &str) -> Result<(Worker, DeviceInfo), Refused> {
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
    Ok(started?)
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

fn keeps_a_log(worker: &Worker) -> Result<bool, Error> {
    let answer = ask(worker, Request::ReadDeviceLog)?;
    if let Response::DeviceLog(page) = answer { Ok(page.is_some()) } else { Err(nonsense()) }
}

/// A token that nobody may use yet.
struct Opened<'a> {
    name: &'a str,
    accountant: &'a Accountant,
    worker: Worker,
    info: DeviceInfo,
    log: Option<DeviceLog>,
}

impl Opened<'_> {
    /// Empties the device's own log, where it keeps one: it may be full from before. At the very first opening of a
    /// process there is nobody yet to record it.
    fn empty_log(&self) -> Result<(), Refused> {
        let (Some(log), Some(bookkeeping)) = (&self.log, self.accountant.get()) else { return Ok(()) };
        log.empty(self.name, &self.info.serial, &self.worker, bookkeeping, true)
            .map_err(|reason| Refused { reason, needs_operator: false })
    }

    fn ask(&self, request: Request) -> Result<Response, Error> {
        let Some(log) = &self.log else { return ask(&self.worker, request) };
        if !log.try_take(&request) {
            // Where it cannot be emptied the device itself says so.
            let _ = self.empty_log();
            log.try_take(&request);
        }
        let (answer, answered) = mpsc::sync_channel(1);
        log.send(&self.worker, request, move |result| {
            let _ = answer.send(result);
        });
        wait(&self.worker, &answered)
    }

    fn prove(&self, label: &KeyLabel, public_key: &PublicKey) -> Result<(), Refused> {
        let input = self_test_input(public_key, b"at opening");
        let request = Request::Sign { key: label.clone(), inputs: vec![input.clone()] };
        let Response::Signatures(signatures) = self.ask(request)? else { return Err(nonsense().into()) };
        let [signature] = signatures.as_slice() else { return Err(nonsense().into()) };
        Verifier::new(public_key.clone()).verify(&input, signature).map(|_| ()).map_err(|error| Refused {
            reason: format!("its self-test signature is wrong: {error}"),
            needs_operator: false,
        })
    }

    fn public_key(&self, label: &KeyLabel) -> Result<PublicKey, Error> {
        let answer = self.ask(Request::PublicKey(label.clone()))?;
        if let Response::PublicKey(public_key) = answer { Ok(public_key) } else { Err(nonsense()) }
    }

    fn protection(&self, label: &KeyLabel) -> Result<Protection, Error> {
        let answer = self.ask(Request::Protection(label.clone()))?;
        if let Response::Protection(protection) = answer { Ok(protection) } else { Err(nonsense()) }
    }

    /// What the token has under the name of a key of the log.
    fn find(&self, label: &KeyLabel, family: &Family) -> Found {
        let chain_code = || {
            let answer = self.ask(Request::ChainCode(label.clone()))?;
            if let Response::ChainCode(chain_code) = answer { Ok(chain_code) } else { Err(nonsense()) }
        };
        let public_key = self.public_key(label);
        let protection = match &public_key {
            Ok(_) => self.protection(label),
            Err(error) => Err(error.clone()),
        };
        Found { public_key, protection, chain_code: family.chain_code.as_ref().map(|_| chain_code()) }
    }

    /// Learns by which number the device's own log names the key: its signatures could not be told from others'.
    fn identify(&self, label: &KeyLabel) -> Result<(), String> {
        let Some(log) = &self.log else { return Ok(()) };
        match self.ask(Request::ObjectId(label.clone())) {
            Ok(Response::ObjectId(id)) => {
                log.know(label.clone(), id);
                Ok(())
            }
            Ok(_) => Err(nonsense().to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}
