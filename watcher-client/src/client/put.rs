//! Putting one request until there is an answer: the same id, the same bytes, again and again.

use std::time::Instant;

use appliance_wire::{RequestId, RequestStatus, SignatureAnswer, SignatureRequest};
use rand::Rng;
use reqwest::Method;

use super::Client;
use crate::{
    Error,
    retry::{self, Decision, Setback},
};

/// An answer and what its header said.
struct Answered {
    answer: SignatureAnswer,
    retry_after_s: Option<u64>,
}

impl Client {
    /// Puts the request until it is answered finally, cannot be, or the deadline is near.
    pub(super) async fn put_until(
        &self,
        deadline: Instant,
        id: &RequestId,
        request: &SignatureRequest,
    ) -> Result<SignatureAnswer, Error> {
        let body = serde_json::to_vec(request).map_err(|error| Error::NotVerified { what: error.to_string() })?;
        let path = format!("/v1/signatures/{id}");
        let mut attempt = 0_u32;
        loop {
            let outcome = self.put(&path, &body, request).await;
            let (setback, what) = match &outcome {
                Ok(Answered { answer, retry_after_s }) if answer.status == RequestStatus::Accepted => {
                    (Setback::Accepted(*retry_after_s), "accepted, not signed yet".to_owned())
                }
                Err(error @ Error::Refused(problem)) => (Setback::Problem(problem), error.to_string()),
                Err(error @ Error::Transport(broken)) => (Setback::Transport(broken), error.to_string()),
                Ok(_) | Err(_) => return outcome.map(|answered| answered.answer),
            };
            let Decision::Again(pause) = retry::decide(setback, attempt) else {
                return outcome.map(|answered| answered.answer);
            };
            let pause = retry::with_jitter(pause, rand::thread_rng().r#gen());
            if Instant::now() + pause > deadline {
                return outcome.map(|answered| answered.answer);
            }
            if let Some(on_retry) = self.parts.options.on_retry {
                on_retry(&what, pause);
            }
            tokio::time::sleep(pause).await;
            attempt = attempt.saturating_add(1);
        }
    }

    /// One attempt. Keys are learnt before, so that a signature is never the first sight of its key.
    async fn put(&self, path: &str, body: &[u8], request: &SignatureRequest) -> Result<Answered, Error> {
        self.learn_keys(request.items.iter().map(|item| &item.key)).await?;
        let reply = self.transport().exchange(Method::PUT, path, Some(body.to_vec())).await?;
        Ok(Answered { answer: reply.json()?, retry_after_s: reply.retry_after_s })
    }
}
