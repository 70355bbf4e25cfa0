//! Another witness, asked over HTTP (C2SP tlog-witness). Nothing it says is believed unless somebody's key signed it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use appliance_wire::{AddCheckpoint, Checkpoint, WitnessKey};
use reqwest::{Response, header::CONTENT_TYPE};

use super::ledger::origin_hash;
use crate::{Client, ConfigError, OtherWitness, transport::tls};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A few signature lines, or one note.
const LONGEST_REPLY: usize = 64 << 10;

/// One of `[[witness.other]]`.
#[derive(Debug)]
pub(super) struct Other {
    http: reqwest::Client,
    url: String,
    key: WitnessKey,
    /// The size it said it cosigned last: where proofs for it start.
    size: AtomicU64,
}

/// An answer, read whole.
struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

impl Other {
    pub(super) fn new(config: &OtherWitness) -> Result<Self, ConfigError> {
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(tls::anonymous(&config.ca)?)
            .timeout(TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ConfigError::new(&config.ca, error.to_string()))?;
        Ok(Self { http, url: config.url.clone(), key: config.key.clone(), size: AtomicU64::new(0) })
    }

    /// Name in messages.
    pub(super) fn name(&self) -> &str {
        self.key.name()
    }

    /// Its cosignature line over `checkpoint`, verified; `None` where it has seen a larger log already.
    pub(super) async fn submit(&self, client: &Client, checkpoint: &Checkpoint) -> Result<Option<String>, String> {
        // Once more where it says from which size it wants the proof.
        for _ in 0..2 {
            let old = self.size.load(Ordering::Relaxed);
            if old > checkpoint.size() {
                // What it says may be wrong: the next round asks afresh.
                self.size.store(0, Ordering::Relaxed);
                return Ok(None);
            }
            let proof = if (1..checkpoint.size()).contains(&old) {
                client.consistency(old, checkpoint.size()).await.map_err(|error| error.to_string())?
            } else {
                Vec::new()
            };
            let request = AddCheckpoint { old, proof, note: checkpoint.bare_note().to_owned() };
            let answer = self.post("add-checkpoint", request.to_string()).await?;
            match answer.status {
                200 => {
                    self.size.store(checkpoint.size(), Ordering::Relaxed);
                    return self.cosignature(checkpoint, &answer.body).map(Some);
                }
                409 if answer.content_type.starts_with("text/x.tlog.size") => {
                    let size = answer.body.trim_end_matches('\n').parse();
                    let size = size.map_err(|_| format!("{}: its size is no number", self.url))?;
                    if size == old {
                        return Err(format!("{} has cosigned another log of {size} entries", self.url));
                    }
                    self.size.store(size, Ordering::Relaxed);
                }
                status => {
                    let start: String = answer.body.chars().filter(|c| !c.is_control()).take(200).collect();
                    return Err(format!("{} does not cosign (HTTP status {status}): {start}", self.url));
                }
            }
        }
        // Others submit too; the next round asks again.
        Ok(None)
    }

    fn cosignature(&self, checkpoint: &Checkpoint, lines: &str) -> Result<String, String> {
        let found = self.key.newest(&format!("{}{lines}", checkpoint.bare_note()));
        let missing = || format!("{} answered no cosignature that verifies under {}", self.url, self.key);
        found.map(|cosignature| cosignature.line).ok_or_else(missing)
    }

    /// The newest note it cosigned of this log, where it shows that at all.
    pub(super) async fn newest(&self, origin: &str) -> Result<Option<String>, String> {
        let url = format!("{}/checkpoint/{}", self.url, origin_hash(origin));
        let answer = self.read(self.http.get(url).send().await).await?;
        Ok((answer.status == 200).then_some(answer.body))
    }

    async fn post(&self, path: &str, body: String) -> Result<Answer, String> {
        let request = self.http.post(format!("{}/{path}", self.url)).header(CONTENT_TYPE, "text/plain; charset=utf-8");
        self.read(request.body(body).send().await).await
    }

    async fn read(&self, response: reqwest::Result<Response>) -> Result<Answer, String> {
        let failed = |error: reqwest::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            format!("asking {}: {}: {cause}", self.url, error.without_url())
        };
        let mut response = response.map_err(failed)?;
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let (status, content_type) = (response.status().as_u16(), content_type.unwrap_or_default().to_owned());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LONGEST_REPLY {
                return Err(format!("{} answers more than {LONGEST_REPLY} bytes", self.url));
            }
            body.extend_from_slice(&chunk);
        }
        let body = String::from_utf8(body).map_err(|_| format!("{} does not answer UTF-8", self.url))?;
        Ok(Answer { status, content_type, body })
    }
}
