//! The client: one signer, one watcher, one memory.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use appliance_wire::{
    Explanation, KeyAnswer, KeysAnswer, LimitsAnswer, LogKey, RequestId, SignatureAnswer, SignatureRequest,
};
use hsm_types::{KeyPath, PublicKey};
use reqwest::Method;

use crate::{
    Config, ConfigError, Error,
    answer_check::check_answer,
    known_keys::{KnownKeys, SeenKey},
    last_checkpoint::LastCheckpoint,
    state_directory::StateDirectory,
    transport::Transport,
};

mod addresses;
mod events;
mod log;
mod owners;
mod put;

/// Asks one signer. Cheap to clone, and to be shared by tasks.
#[derive(Clone, Debug)]
pub struct Client {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    url: String,
    transport: RwLock<Arc<Transport>>,
    known_keys: KnownKeys,
    last_checkpoint: LastCheckpoint,
    log_keys: Vec<LogKey>,
    options: Options,
}

/// How patient a client is.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long one call may go on asking again; the last attempt may end up to 30 s later.
    pub deadline: Duration,
    /// Told before each pause: what came in between, and how long the pause is.
    pub on_retry: Option<fn(&str, Duration)>,
    /// Told after each page of children that is searched: the key, and how many of its children were looked at.
    pub on_page: Option<fn(&str, usize)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(60), on_retry: None, on_page: None }
    }
}

impl Client {
    /// A client with default options. Reads certificates and memory; connects nowhere yet.
    ///
    /// # Errors
    /// [`Error::Config`] about the PEM files; [`Error::State`] and [`Error::StateDamaged`] about the memory.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Self::with_options(config, Options::default())
    }

    /// Likewise, with other options.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_options(config: &Config, options: Options) -> Result<Self, Error> {
        let directory = StateDirectory::open(&config.state_directory)?;
        let last_checkpoint = LastCheckpoint::new(directory.clone(), config.log_keys.clone());
        last_checkpoint.remembered()?;
        let parts = Parts {
            url: config.url.clone(),
            transport: RwLock::new(Arc::new(Transport::new(config)?)),
            known_keys: KnownKeys::open(directory)?,
            last_checkpoint,
            log_keys: config.log_keys.clone(),
            options,
        };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// The signer's address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.parts.url
    }

    /// Reads certificate, key and CA again, for connections to come. What cannot be used leaves those read before.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn reload(&self, config: &Config) -> Result<(), ConfigError> {
        let anew = Arc::new(Transport::new(config)?);
        *self.parts.transport.write().unwrap_or_else(PoisonError::into_inner) = anew;
        Ok(())
    }

    fn transport(&self) -> Arc<Transport> {
        Arc::clone(&self.parts.transport.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for signatures, again and again under the same id while that can help, and verifies what comes back.
    ///
    /// Besides `signed` it may return another status: `pending` waits for officers, `accepted` could not be signed
    /// before the deadline; ask [`Client::status`] later, or sign again with the same id and content.
    ///
    /// # Errors
    /// [`Error::Refused`] with the signer's reason; [`Error::Transport`] when the deadline passed without an answer: the
    /// request may have been accepted, so put the same again, never another in its place; [`Error::NotVerified`] and
    /// [`Error::KeyChanged`] when the answer must not be used.
    pub async fn sign(&self, id: &RequestId, request: &SignatureRequest) -> Result<SignatureAnswer, Error> {
        let deadline = Instant::now() + self.parts.options.deadline;
        let answer = self.put_until(deadline, id, request).await?;
        check_answer(&answer, id, Some(request), &self.parts.known_keys)?;
        self.check_receipt(&answer).await?;
        Ok(answer)
    }

    /// Where a request stands, with its receipt as soon as a checkpoint covers it. Signatures and receipt are verified,
    /// Ed25519 signatures only in form: their message is not in the answer.
    ///
    /// # Errors
    /// As [`Client::sign`]; asks once.
    pub async fn status(&self, id: &RequestId) -> Result<SignatureAnswer, Error> {
        let answer: SignatureAnswer = self.get(&format!("/v1/signatures/{id}")).await?;
        let signed_by = answer.signatures.iter().flatten().map(|signature| &signature.key);
        self.learn_keys(signed_by).await?;
        check_answer(&answer, id, None, &self.parts.known_keys)?;
        self.check_receipt(&answer).await?;
        Ok(answer)
    }

    /// What would become of a request, and why, rule by rule; nothing is bound, spent or signed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn explain(&self, id: &RequestId, request: &SignatureRequest) -> Result<Explanation, Error> {
        self.post(&format!("/v1/signatures/{id}/explain"), request).await
    }

    /// The keys granted to this watcher. Each public key and chain code is remembered at first sight.
    ///
    /// # Errors
    /// [`Error::KeyChanged`] and [`Error::ChainCodeChanged`] where one is not the one remembered.
    pub async fn keys(&self) -> Result<KeysAnswer, Error> {
        let answer: KeysAnswer = self.get("/v1/keys").await?;
        let keys = answer.keys.iter().map(seen).collect::<Result<Vec<_>, _>>()?;
        self.parts.known_keys.remember(&keys)?;
        Ok(answer)
    }

    /// What is left in each window that applies to this watcher.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn limits(&self) -> Result<LimitsAnswer, Error> {
        self.get("/v1/limits").await
    }

    /// Freezes this watcher itself: nothing it asks for leaves the signer until it is unfrozen.
    ///
    /// # Errors
    /// See [`Error`]; until it returns `Ok`, take the watcher as not frozen and call again.
    pub async fn freeze(&self, reason: &str) -> Result<(), Error> {
        let body = serde_json::json!({ "reason": reason }).to_string().into_bytes();
        self.transport().exchange(Method::POST, "/v1/freeze", Some(body)).await?.success().map(|_| ())
    }

    /// Asks for the keys where one of these was never seen.
    async fn learn_keys(&self, mut paths: impl Iterator<Item = &KeyPath>) -> Result<(), Error> {
        let all_known = paths.all(|path| self.parts.known_keys.knows(path));
        if all_known { Ok(()) } else { self.keys().await.map(|_| ()) }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.transport().exchange(Method::GET, path, None).await?.json()
    }

    async fn post<T: serde::de::DeserializeOwned>(&self, path: &str, body: &impl serde::Serialize) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(|error| Error::NotVerified { what: error.to_string() })?;
        self.transport().exchange(Method::POST, path, Some(body)).await?.json()
    }
}

/// A key of an answer, decoded.
fn seen(key: &KeyAnswer) -> Result<SeenKey, Error> {
    let wrong = |what: &str| Error::NotVerified { what: format!("the {what} of \"{}\" is none", key.name) };
    let public_key = hex::decode(&key.public_key)
        .ok()
        .and_then(|bytes| PublicKey::decode(key.algorithm, &bytes).ok())
        .filter(|decoded| decoded.to_string() == key.public_key)
        .ok_or_else(|| wrong("public key"))?;
    let chain_code = key.chain_code.as_ref().map(|text| text.parse()).transpose();
    Ok(SeenKey { name: key.name.clone(), public_key, chain_code: chain_code.map_err(|_| wrong("chain code"))? })
}

#[cfg(test)]
mod tests;
