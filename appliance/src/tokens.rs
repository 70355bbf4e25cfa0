//! The tokens: each in a worker process of its own, asked only for what is durable in the log, and never believed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use appliance_wire::{KeyEntry, LogKey, UnsignedCheckpoint};
use hsm_drivers::Error;
use hsm_types::{Algorithm, KeyLabel, PublicKey, RawSignature, ToSign, VerifiedSignature, Verifier};
use sha2::{Digest, Sha256};

use crate::{
    audit::{Audit, Failure, Intent, VerifiedSignatures},
    config::Config,
    freezes::Freezes,
    metrics::Metrics,
};

mod anchor;
mod attestation;
mod device_log;
mod family;
mod holding;
mod line;
mod load;
mod nonces;
mod opening;
mod own_places;
mod probe;
mod refused_pin;
mod ring;
mod sign_call;
mod supervisor;
mod token;

pub use attestation::Attestation;
pub use family::Family;
pub use line::Held;
pub(crate) use probe::{Probe, probe};
pub use token::{Token, TokenState, Up};

use device_log::{Accountant, Bookkeeping};
use family::Item;
use nonces::Nonces;
use ring::{Ring, RingKey};
use sign_call::{nonsense, not_sent};

/// Label of the log key in the token that holds it.
pub const LOG_KEY: &str = "chancery-log";
/// Label of the key self-tests sign with. No policy can name it.
pub const SELF_TEST_KEY: &str = "chancery-self-test";

const RETRY_AFTER_S: u64 = 2;

/// All tokens, and the keys known to be in them.
#[derive(Debug)]
pub struct Tokens {
    tokens: BTreeMap<String, Arc<Token>>,
    ring: Arc<Ring>,
    accountant: Arc<Accountant>,
    nonces: Mutex<Nonces>,
    freezes: Arc<Freezes>,
    metrics: Arc<Metrics>,
}

impl Tokens {
    /// The configured tokens, none of them open yet.
    #[must_use]
    pub fn new(config: &Config, freezes: Arc<Freezes>, metrics: Arc<Metrics>) -> Self {
        let ring = Arc::new(Ring::default());
        let tokens = config.tokens.iter().map(|token| {
            let token = Arc::new(Token::new(token.name.clone()));
            (token.name().to_owned(), token)
        });
        metrics.tokens(config.tokens.iter().map(|token| token.name.as_str()));
        Self { tokens: tokens.collect(), ring, accountant: Arc::default(), nonces: Mutex::default(), freezes, metrics }
    }

    /// Starts a supervisor for each. They open in the background, and check the keys known so far; see
    /// [`Token::state`].
    pub fn open(&self, config: &Arc<Config>) {
        for place in 0..config.tokens.len() {
            if let Some(token) = config.tokens.get(place).and_then(|token| self.tokens.get(&token.name)) {
                let (ring, accountant) = (Arc::clone(&self.ring), Arc::clone(&self.accountant));
                supervisor::spawn(Arc::clone(config), place, Arc::clone(token), ring, accountant);
            }
        }
    }

    /// From now on what devices write down by themselves is recorded.
    pub fn record_device_logs(&self, audit: Arc<Audit>) {
        let (freezes, metrics) = (Arc::clone(&self.freezes), Arc::clone(&self.metrics));
        // It is set once: an appliance has one log.
        let _ = self.accountant.set(Bookkeeping { audit, freezes, metrics });
    }

    /// Records what devices wrote down by themselves up to now.
    pub async fn empty_device_logs(&self) {
        for (token, up) in self.tokens.iter().filter_map(|(name, token)| Some((name, token.worker()?))) {
            if let Err(reason) = up.line.empty_log().await {
                tracing::error!(token, reason, "the device's own log could not be emptied: the next start will");
            }
        }
    }

    /// Adds keys of the log.
    ///
    /// # Errors
    /// An entry's public key or chain code cannot be read.
    pub fn know<'a>(&self, keys: impl Iterator<Item = &'a KeyEntry>) -> Result<(), String> {
        for key in keys {
            self.ring.add(key)?;
        }
        Ok(())
    }

    /// Every token.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.tokens.values()
    }

    /// The token of this name.
    #[must_use]
    pub fn token(&self, name: &str) -> Option<&Arc<Token>> {
        self.tokens.get(name)
    }

    /// Looks in every open token for keys that came into the log since it was opened: a key may be in several.
    pub async fn find(&self, keys: &[KeyLabel]) {
        for token in self.tokens.values() {
            let Some(up) = token.worker() else { continue };
            // What the device did with a key before it came into the log, in the ceremony that made it, is its past.
            if let Err(reason) = up.line.empty_log().await {
                tracing::error!(token = token.name(), reason, "the device's own log could not be emptied");
                continue;
            }
            for label in keys {
                let Some(key) = self.ring.key(label) else { continue };
                let must_have = key.token == token.name();
                if let Some(fit) = holding::look(&up.line, label, &key.family, must_have).await {
                    up.note(label.clone(), fit);
                }
            }
            up.want_device_log();
        }
    }

    /// Whether a signature with this key can be asked for now.
    ///
    /// # Errors
    /// Why not; nothing was asked.
    pub fn ready(&self, key: &KeyLabel) -> Result<(), Failure> {
        self.able(key, 1).map(|_| ())
    }

    /// Why a signature with this key cannot be asked for now, where it is a key of the log and no token can serve it.
    #[must_use]
    pub fn down(&self, key: &KeyLabel) -> Option<Failure> {
        self.ring.key(key)?;
        self.able(key, 1).err()
    }

    /// The tokens that can sign with the key now; in front the one that is expected to be done first.
    fn able(&self, key: &KeyLabel, signatures: usize) -> Result<Vec<&Arc<Token>>, Failure> {
        let home = self.ring.key(key).ok_or_else(|| not_sent(format!("key {key} has no entry in the log")))?.token;
        let mut able: Vec<&Arc<Token>> = self.tokens.values().filter(|token| token.ready(key).is_ok()).collect();
        if able.is_empty() {
            let missing = || format!("token {home} of key {key} is not configured");
            let reason =
                self.tokens.get(&home).map_or_else(missing, |token| token.ready(key).err().unwrap_or_default());
            return Err(not_sent(reason));
        }
        let fastest = able.iter().map(|token| token.load.pace()).min().unwrap_or_default();
        able.sort_by_key(|token| token.load.expected(signatures, fastest));
        Ok(able)
    }

    /// Names of the tokens that hold the key, fit or not, as far as is known: of those that are open, and the one in
    /// which it was found first.
    #[must_use]
    pub fn homes(&self, key: &KeyLabel) -> Vec<String> {
        let first = self.ring.key(key).map(|key| key.token);
        let holds = |token: &&Arc<Token>| {
            first.as_deref() == Some(token.name()) || token.worker().is_some_and(|up| up.holds(key).is_some())
        };
        self.tokens.values().filter(holds).map(|token| token.name().to_owned()).collect()
    }

    /// The longest message that every open token with the key can carry; none where no such token is open.
    #[must_use]
    pub fn longest_message(&self, key: &KeyLabel) -> Option<usize> {
        let holding = self.tokens.values().filter_map(|token| token.worker()).filter(|up| up.holds(key).is_some());
        holding.map(|up| up.info.longest_message).min()
    }

    /// The key of this name as the log pins it, with what its children are derived with.
    #[must_use]
    pub fn family(&self, key: &KeyLabel) -> Option<Family> {
        self.ring.key(key).map(|key| key.family)
    }

    /// Signs all items of a durable acceptance, and verifies each signature under the key the log pins, or under the
    /// child of it that the item names: what the token signs for a child is carried over here.
    ///
    /// # Errors
    /// No signature was released, though one may exist ([`Failure::outcome_unknown`]).
    pub async fn sign(&self, intent: &Intent) -> Result<VerifiedSignatures, Failure> {
        let key = intent.signing_key();
        let ring_key = self.ring.key(key).ok_or_else(|| not_sent(format!("key {key} has no entry in the log")))?;
        let able = self.able(key, intent.inputs().len())?;
        // The last look before the device: a freeze that came meanwhile wins.
        if self.freezes.check(intent.watcher(), intent.signing_key()).is_err() {
            return Err(not_sent("it was frozen before the token was asked".to_owned()));
        }
        let items = items(&ring_key, intent)?;
        let mut failed = None;
        for token in able {
            match self.sign_with(token, key, &ring_key, &items).await {
                Ok(verified) => return VerifiedSignatures::of(intent, verified),
                // It may have signed: what goes on from here is another attempt, and recorded as one.
                Err(failure) if failure.outcome_unknown => return Err(failure),
                // It was asked nothing, so the next may be.
                Err(failure) => failed = Some(failure),
            }
        }
        Err(failed.unwrap_or_else(|| not_sent(format!("no token holds key {key}"))))
    }

    async fn sign_with(
        &self,
        token: &Token,
        key: &KeyLabel,
        ring_key: &RingKey,
        items: &[Item<'_>],
    ) -> Result<Vec<(VerifiedSignature, Vec<u8>)>, Failure> {
        let started = Instant::now();
        let under_way = token.load.begin(items.len());
        let asked: Vec<_> = items.iter().map(Item::to_sign).collect();
        let raw = self.sign_in(token, key, &asked).await?;
        under_way.done();
        self.metrics.token_signed(token.name(), raw.len() as u64, started.elapsed());
        let verified = verify(ring_key, items, &raw).and_then(|verified| self.check_nonces(key, &asked, verified));
        verified.inspect_err(|failure| {
            self.metrics.wrong_signature(token.name());
            tracing::error!(token = token.name(), %key, reason = failure.reason, "a wrong signature");
            // A token that lies costs its worker: it proves itself anew before it is asked again.
            if let Some(worker) = token.worker() {
                worker.kill();
            }
        })
    }

    /// Signs a checkpoint with the log key of `token`.
    ///
    /// # Errors
    /// The token cannot sign, or gave something else than a signature of the log key.
    pub async fn sign_checkpoint(
        &self,
        token: &str,
        key: &LogKey,
        unsigned: UnsignedCheckpoint,
    ) -> Result<appliance_wire::Checkpoint, String> {
        let token = self.tokens.get(token).ok_or_else(|| format!("no token is called {token}"))?;
        let label = reserved(LOG_KEY)?;
        let input = ToSign::Message(unsigned.text().into_bytes());
        let raw = self.sign_in(token, &label, &[input]).await.map_err(|failure| failure.reason)?;
        let [raw] = raw.as_slice() else { return Err("the token gave no signature".to_owned()) };
        unsigned.sign(key, &raw.0).map_err(|error| error.to_string())
    }

    /// Proves that a token signs, with a key and a digest that can never be a transaction's.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn self_test(&self, token: &Token) -> Result<(), String> {
        let label = reserved(SELF_TEST_KEY)?;
        let public_key = token.self_test_key().ok_or_else(|| token.down_reason())?;
        let mut salt = [0; 16];
        rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty()).map_err(|error| error.to_string())?;
        let input = self_test_input(&public_key, &salt);
        let raw = self.sign_in(token, &label, std::slice::from_ref(&input)).await.map_err(|failure| failure.reason)?;
        let [raw] = raw.as_slice() else { return Err("the token gave no signature".to_owned()) };
        Verifier::new(public_key).verify(&input, raw).map(|_| ()).map_err(|error| error.to_string())
    }

    /// The public key of `label` in `token`, as the token gives it after its attributes were checked.
    ///
    /// # Errors
    /// There is none, or it may not serve.
    pub async fn public_key(&self, token: &str, label: &KeyLabel) -> Result<PublicKey, String> {
        self.line(token)?.line.public_key(label).await.map_err(|error| error.to_string())
    }

    /// What `token` has under the name `label`.
    ///
    /// # Errors
    /// Nothing, or it may not serve.
    pub async fn inspect(&self, token: &str, label: &KeyLabel) -> Result<Held, String> {
        self.line(token)?.line.inspect(label).await.map_err(|error| holding::unusable(&error))
    }

    /// Whether a token has no key of this label.
    ///
    /// # Errors
    /// The token does not say.
    pub async fn lacks(&self, token: &str, label: &KeyLabel) -> Result<bool, String> {
        match self.line(token)?.line.inspect(label).await {
            Err(Error::UnknownKey { .. }) => Ok(true),
            Ok(_) | Err(Error::KeyUnfit { .. }) => Ok(false),
            Err(error) => Err(holding::unusable(&error)),
        }
    }

    fn line(&self, token: &str) -> Result<Arc<Up>, String> {
        let token = self.tokens.get(token).ok_or_else(|| format!("no token is called {token}"))?;
        token.worker().ok_or_else(|| token.down_reason())
    }
}

fn items<'a>(key: &RingKey, intent: &'a Intent) -> Result<Vec<Item<'a>>, Failure> {
    let items = intent.children().zip(intent.inputs());
    let items = items.map(|(child, input)| {
        Item::new(&key.family, child, input)
            .map_err(|error| not_sent(format!("key {} cannot sign for a child: {error}", intent.signing_key())))
    });
    items.collect()
}

fn verify(
    key: &RingKey,
    items: &[Item<'_>],
    raw: &[RawSignature],
) -> Result<Vec<(VerifiedSignature, Vec<u8>)>, Failure> {
    let signatures = items.iter().zip(raw);
    signatures
        .map(|(item, raw)| {
            let (verified, child) = item.verify(&key.family, raw).map_err(|error| Failure {
                reason: format!("the token's answer was discarded: {error}"),
                outcome_unknown: true,
                retry_after_s: RETRY_AFTER_S,
            })?;
            Ok((verified, child.map_or_else(|| key.encoded.to_vec(), PublicKey::to_bytes)))
        })
        .collect()
}

/// What a self-test signs: domain-separated, fresh every time.
pub(crate) fn self_test_input(public_key: &PublicKey, salt: &[u8]) -> ToSign {
    self_test_input_of(public_key.algorithm(), salt)
}

/// The same, for a key of this algorithm.
fn self_test_input_of(algorithm: Algorithm, salt: &[u8]) -> ToSign {
    let message = [b"chancery self-test v1\0".as_slice(), salt].concat();
    if algorithm.signs_digests() {
        ToSign::Digest(hsm_types::Digest(Sha256::digest(&message).into()))
    } else {
        ToSign::Message(message)
    }
}

fn is_own(key: &KeyLabel) -> bool {
    [LOG_KEY, SELF_TEST_KEY].contains(&key.as_str())
}

pub(crate) fn reserved(label: &str) -> Result<KeyLabel, String> {
    label.parse().map_err(|error: hsm_types::BadKeyLabel| error.to_string())
}
