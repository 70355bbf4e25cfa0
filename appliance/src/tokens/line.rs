//! The line to one worker: whoever asks takes room in the device's own log first, where it keeps one.

use std::{sync::Arc, time::Duration};

use hsm_drivers::{
    Disposition, Error, Protection,
    worker::{Request, Response, Worker},
};
use hsm_types::{Algorithm, ChainCode, KeyLabel, PublicKey};
use tokio::sync::oneshot;

use super::{
    attestation::{Attestation, AttestationCa},
    device_log::{self, Accountant, DeviceLog},
    nonsense,
};

/// The line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) worker: Worker,
    pub(super) device_log: Option<DeviceLog>,
    serial: String,
    attestation_ca: Option<AttestationCa>,
}

/// What a token has under a key's name.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its public half.
    pub public_key: PublicKey,
    /// Whether it may leave the token.
    pub protection: Protection,
    /// What its children are derived with, where it was made with that.
    pub chain_code: Option<ChainCode>,
    /// The device's word about it, checked; none where the configuration names nobody to believe.
    pub attestation: Option<Attestation>,
}

/// For what costs less than many signatures.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// What a worker will have answered.
pub(super) type Answered = oneshot::Receiver<Result<Response, Error>>;

impl Line {
    /// The line to a worker that was just started.
    pub(super) async fn open(
        worker: Worker,
        token: &str,
        serial: &str,
        attestation_ca: Option<AttestationCa>,
        accountant: &Arc<Accountant>,
    ) -> Result<Self, Error> {
        let log = || DeviceLog::new(token, serial, Arc::clone(accountant));
        let device_log = device_log::is_kept(&worker).await?.then(log);
        Ok(Self { worker, device_log, serial: serial.to_owned(), attestation_ca })
    }

    /// Asks, and gives the answer so much time; a worker that needs longer is ended.
    pub(super) async fn ask(&self, request: Request, within: Duration) -> Result<Response, Error> {
        let (answer, answered) = answer_channel();
        match &self.device_log {
            Some(log) => {
                let attempted = "asking it".to_owned();
                let full = |cause| Error::Call { attempted, cause, disposition: Disposition::NotSent };
                log.take(&request).await.map_err(full)?;
                log.send(&self.worker, request, answer);
            }
            None => self.worker.call(request, answer),
        }
        answer_within(&self.worker, within, answered).await
    }

    /// The key's public half.
    pub(super) async fn public_key(&self, key: &KeyLabel) -> Result<PublicKey, Error> {
        let answer = self.ask(Request::PublicKey(key.clone()), ANSWER_WITHIN).await?;
        if let Response::PublicKey(public_key) = answer { Ok(public_key) } else { Err(nonsense()) }
    }

    /// Everything about the key that an entry of the log pins. Only secp256k1 keys have children.
    pub(super) async fn inspect(&self, key: &KeyLabel) -> Result<Held, Error> {
        let public_key = self.public_key(key).await?;
        let answer = self.ask(Request::Protection(key.clone()), ANSWER_WITHIN).await?;
        let Response::Protection(protection) = answer else { return Err(nonsense()) };
        let chain_code = match public_key.algorithm() {
            Algorithm::Secp256k1 => self.chain_code(key).await?,
            Algorithm::P256 | Algorithm::Ed25519 => None,
        };
        let mut held = Held { public_key, protection, chain_code, attestation: None };
        if let Some(ca) = &self.attestation_ca {
            let attestation = self.attestation(key).await?;
            ca.check(key, &held, &attestation, &self.serial)?;
            held.attestation = Some(attestation);
        }
        Ok(held)
    }

    async fn attestation(&self, key: &KeyLabel) -> Result<Attestation, Error> {
        let about_key = self.ask(Request::Attestation(key.clone()), ANSWER_WITHIN).await?;
        let about_device = self.ask(Request::AttestationIssuer, ANSWER_WITHIN).await?;
        match (about_key, about_device) {
            (Response::Attestation(Some(certificate)), Response::Attestation(Some(device))) => {
                Ok(Attestation { certificate, device })
            }
            (Response::Attestation(_), Response::Attestation(_)) => {
                let findings = vec!["its device gives no attestation: leave `attestation_ca` out".to_owned()];
                Err(Error::KeyUnfit { key: key.clone(), findings })
            }
            _ => Err(nonsense()),
        }
    }

    async fn chain_code(&self, key: &KeyLabel) -> Result<Option<ChainCode>, Error> {
        let answer = self.ask(Request::ChainCode(key.clone()), ANSWER_WITHIN).await?;
        if let Response::ChainCode(chain_code) = answer { Ok(chain_code) } else { Err(nonsense()) }
    }

    /// Learns by which number the device's own log names the key: without it the key's signatures could not be told from
    /// others'.
    pub(super) async fn identify(&self, key: &KeyLabel) -> Result<(), Error> {
        let Some(log) = &self.device_log else { return Ok(()) };
        let answer = self.ask(Request::ObjectId(key.clone()), ANSWER_WITHIN).await?;
        let Response::ObjectId(id) = answer else { return Err(nonsense()) };
        log.know(key.clone(), id);
        Ok(())
    }

    /// Empties the device's own log, where it keeps one.
    pub(super) async fn empty_log(&self) -> Result<(), String> {
        match &self.device_log {
            Some(log) => log.empty(&self.worker, true).await,
            None => Ok(()),
        }
    }
}

/// Asks a worker that answers in the time it takes to look at something.
pub(super) async fn ask_worker(worker: &Worker, request: Request) -> Result<Response, Error> {
    let (answer, answered) = answer_channel();
    worker.call(request, answer);
    answer_within(worker, ANSWER_WITHIN, answered).await
}

/// Where a worker's answer goes, and where it comes from.
pub(super) fn answer_channel() -> (impl FnOnce(Result<Response, Error>) + Send + 'static, Answered) {
    let (answer, answered) = oneshot::channel();
    let send = move |result| {
        let _ = answer.send(result);
    };
    (send, answered)
}

/// Waits for an answer.
pub(super) async fn answer_within(worker: &Worker, within: Duration, answered: Answered) -> Result<Response, Error> {
    match tokio::time::timeout(within, answered).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Error::WorkerGone { reason: "it ended without an answer".to_owned() }),
        Err(_) => {
            worker.kill();
            let reason = format!("no answer within {} s; the worker was ended", within.as_secs());
            Err(Error::WorkerGone { reason })
        }
    }
}
