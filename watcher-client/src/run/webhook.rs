//! Events pushed to the exchange's backend, signed as Standard Webhooks say: in order, at least once.
//!
//! One task a receiver. What it has taken is in the journal, so a restart goes on there; one that takes nothing holds
//! nobody else up.

use std::{
    error::Error,
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use rand::Rng;
use reqwest::{Url, header::CONTENT_TYPE};
use serde_json::json;
use sha2::Sha256;
use tokio::{select, sync::watch, time::sleep};

use super::{problem::causes, words::ReceiverView};
use crate::{
    ConfigError, WebhookConfig,
    journal::{Event, Journal, JournalError},
    private_file, retry,
    transport::tls,
};

const TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Events read at once.
const AT_ONCE: usize = 50;
/// As Standard Webhooks have it.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Somebody who is told. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    url: Url,
    secret: Secret,
    http: reqwest::Client,
    trouble: Arc<Mutex<Option<Trouble>>>,
    /// How often an event was not taken since the start.
    failures: Arc<AtomicU64>,
    first_pause: Duration,
}

/// What signs.
#[derive(Clone)]
struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[derive(Clone, Debug)]
struct Trouble {
    why: String,
    since: String,
}

impl Receiver {
    /// Reads the secret; connects nowhere yet.
    pub(super) fn new(config: &WebhookConfig) -> Result<Self, ConfigError> {
        let secret = Secret::read(&config.secret_file)?;
        let unfit = |error: &(dyn Error + 'static)| ConfigError::new(&config.secret_file, causes(error));
        let tls = match &config.ca {
            Some(ca) => tls::anonymous(ca)?,
            None => tls::none().map_err(|error| unfit(&error))?,
        };
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        let http = http.build().map_err(|error| unfit(&error))?;
        Ok(Self {
            url: config.url.clone(),
            secret,
            http,
            trouble: Arc::default(),
            failures: Arc::default(),
            first_pause: FIRST_PAUSE,
        })
    }

    /// The same, less patient.
    #[cfg(test)]
    pub(super) fn with_first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }

    /// Where it stands, where the last event has this number.
    pub(super) fn view(&self, journal: &Journal, last: u64) -> Result<ReceiverView, JournalError> {
        let taken = journal.cursor(self.url.as_str())?;
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (trouble, since) = trouble.map(|trouble| (trouble.why, trouble.since)).unzip();
        Ok(ReceiverView { url: self.url.to_string(), taken, behind: last.saturating_sub(taken), trouble, since })
    }

    /// How often an event was not taken since the start.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Tells every event until `stop`.
    pub(super) async fn deliver(self, journal: Journal, mut stop: watch::Receiver<bool>) {
        let mut news = journal.follow();
        let mut failures = 0_u32;
        loop {
            news.mark_unchanged();
            let told = select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                told = self.tell(&journal) => told,
            };
            let pause = match told {
                Ok(()) => {
                    failures = 0;
                    None
                }
                Err(why) => {
                    failures = failures.saturating_add(1);
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    self.note(Some(why));
                    Some(self.pause(failures))
                }
            };
            let wait = async {
                match pause {
                    Some(pause) => sleep(pause).await,
                    // The journal outlives its receivers, so this ends with news only.
                    None => drop(news.changed().await),
                }
            };
            select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = wait => {}
            }
        }
    }

    /// Tells all events there are; the cursor follows each.
    async fn tell(&self, journal: &Journal) -> Result<(), String> {
        let words = |error: JournalError| causes(&error);
        loop {
            let name = self.url.to_string();
            let waiting = journal.off(move |journal| journal.events(journal.cursor(&name)?, AT_ONCE));
            let waiting = waiting.await.map_err(words)?;
            if waiting.is_empty() {
                return Ok(());
            }
            for event in waiting {
                self.post(&event).await?;
                let (name, number) = (self.url.to_string(), event.number);
                journal.off(move |journal| journal.move_cursor(&name, number)).await.map_err(words)?;
                self.note(None);
            }
        }
    }

    async fn post(&self, event: &Event) -> Result<(), String> {
        let body = json!({ "type": event.kind, "timestamp": event.time, "data": event }).to_string();
        let (id, timestamp) = (format!("event-{}", event.number), jiff::Timestamp::now().as_second().to_string());
        let signature = self.secret.sign(&id, &timestamp, &body);
        let sent = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await;
        let status = sent.map_err(|error| causes(&error.without_url()))?.status();
        if status.is_success() { Ok(()) } else { Err(format!("event {}: it answered {status}", event.number)) }
    }

    /// Told to the log when it changes between good and bad.
    fn note(&self, why: Option<String>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (trouble.as_mut(), why) {
            (None, None) => {}
            (Some(known), Some(why)) => known.why = why,
            (None, Some(why)) => {
                tracing::warn!("webhook {} does not take events: {why}", self.url);
                *trouble = Some(Trouble { why, since: jiff::Timestamp::now().to_string() });
            }
            (Some(_), None) => {
                tracing::info!("webhook {} takes events again", self.url);
                *trouble = None;
            }
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        let doubled = self.first_pause.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
        retry::with_jitter(doubled.min(LONGEST_PAUSE), rand::thread_rng().r#gen())
    }
}

impl Secret {
    fn read(file: &Path) -> Result<Self, ConfigError> {
        let advice = "make one with `(umask 077; echo whsec_$(openssl rand -base64 32) > FILE)`";
        let bad = |what: String| ConfigError::new(file, format!("`run.webhook.secret_file`: {what}; {advice}"));
        let text = private_file::read(file).map_err(|error| bad(error.to_string()))?;
        let coded = text.trim().strip_prefix("whsec_");
        let secret = coded.and_then(|coded| STANDARD.decode(coded).ok());
        let secret = secret.filter(|secret| SECRET_BYTES.contains(&secret.len()));
        secret.map(Self).ok_or_else(|| bad("holds no `whsec_` with 24 to 64 bytes in base64".to_owned()))
    }

    fn sign(&self, id: &str, timestamp: &str, body: &str) -> String {
        // An HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}
