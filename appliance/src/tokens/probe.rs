//! A look at one configured token, in a process of its own, beside a running appliance or without one. It needs no audit
//! log, and leaves no trace but the note that a PIN was refused.

use std::{os::unix::net::UnixStream, time::Duration};

use hsm_drivers::{
    Error,
    probe::{Finding, Level, Question, Report},
    worker,
};
use hsm_types::{Algorithm, ToSign};

use super::{SELF_TEST_KEY, opening, refused_pin::RefusedPin, reserved, self_test_input_of};
use crate::config::{Config, TokenConfig};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of it.
#[derive(Debug)]
pub(crate) struct Probe {
    /// What was found.
    pub(crate) report: Report,
    /// Whether the PIN was refused, now or before, or would be the last try: no restart mends that.
    pub(crate) pin_refused: bool,
}

impl Probe {
    /// Nothing was asked of the token.
    fn not_begun(reason: String, pin_refused: bool) -> Self {
        let finding = Finding { level: Level::Wrong, what: reason, advice: None };
        Self { report: Report { findings: vec![finding], ..Report::default() }, pin_refused }
    }
}

/// Looks at the token; `watch` is told each step. `signatures` is the most a measurement may make.
pub(crate) fn probe(
    config: &Config,
    settings: &TokenConfig,
    signatures: Option<u64>,
    watch: impl FnMut(&str),
) -> Probe {
    let refused = RefusedPin::of(config, settings);
    if let Err(reason) = refused.check() {
        return Probe::not_begun(reason, true);
    }
    let begin = || -> Result<_, String> {
        let question = question(config, signatures)?;
        let command = opening::command(config, settings);
        Ok((command, opening::opening(config, settings)?, question))
    };
    let (command, opening, question) = match begin() {
        Ok(begun) => begun,
        Err(reason) => return Probe::not_begun(reason, false),
    };
    let probed = worker::probe(command, opening, question, PATIENCE, watch);
    if let Err(Error::PinRefused { .. }) = &probed.outcome {
        refused.remember();
    }
    let pin_refused = matches!(probed.outcome, Err(Error::PinRefused { .. } | Error::PinNotTried { .. }));
    Probe { report: probed.report, pin_refused }
}

fn question(config: &Config, signatures: Option<u64>) -> Result<Question, String> {
    let mut salt = [0; 16];
    rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty()).map_err(|error| error.to_string())?;
    // A digest or a message, whichever kind the self-test key of the token signs.
    let inputs: [ToSign; 2] =
        [Algorithm::Secp256k1, Algorithm::Ed25519].map(|algorithm| self_test_input_of(algorithm, &salt));
    Ok(Question {
        key: reserved(SELF_TEST_KEY)?,
        inputs: inputs.into(),
        signatures,
        shared: UnixStream::connect(&config.admin_socket).is_ok(),
    })
}
