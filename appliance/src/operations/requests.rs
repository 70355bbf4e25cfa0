//! Where a request stands, with its receipt, and taking up what was left unfinished.

use std::{sync::Arc, time::Duration};

use appliance_wire::{ProblemCode, Receipt, RequestStatus, SignatureAnswer};

use super::Operations;
use crate::{
    audit::{Admission, Standing},
    principal::Peer,
    refusal::Refusal,
};

const LOOK_FOR_TOKENS_EVERY: Duration = Duration::from_secs(1);

impl Operations {
    /// State and result of one of the caller's requests.
    ///
    /// # Errors
    /// `unknown-request`, `frozen`.
    pub async fn request(&self, peer: &Peer, request_id: &str) -> Result<SignatureAnswer, Refusal> {
        let principal = self.principal(peer)?;
        let Some(bound) = self.audit.bound(principal.watcher(), request_id)? else {
            let detail = format!("no request {request_id:?} of this watcher was accepted: put it to have it decided");
            return Err(Refusal::new(ProblemCode::UnknownRequest, detail));
        };
        let key = bound.key().ok_or_else(|| Refusal::log_unavailable("the entry that binds it names no key"))?;
        self.freezes.check(principal.watcher(), key)?;
        let mut answer: SignatureAnswer = match self.audit.standing(&bound.binding)? {
            Standing::Signed(stored) => serde_json::from_slice(&stored).map_err(Refusal::log_unavailable)?,
            Standing::Unsigned(status, entry) => unsigned(request_id, status, entry),
        };
        answer.receipt = answer.entry.map(|entry| self.receipt(entry)).transpose()?.flatten();
        Ok(answer)
    }

    /// The caller takes a request back that waits for officers.
    ///
    /// # Errors
    /// `unknown-request`; `request-conflict` where it waits no more.
    pub async fn withdraw(&self, peer: &Peer, request_id: &str) -> Result<SignatureAnswer, Refusal> {
        let watcher = self.principal(peer)?.watcher().to_owned();
        let id = request_id
            .parse()
            .map_err(|error| Refusal::new(ProblemCode::Malformed, format!("the request id is {error}")))?;
        let entry = self.audit.withdraw(watcher, id).await?;
        Ok(unsigned(request_id, RequestStatus::Withdrawn, entry))
    }

    /// Proof that an entry is in the log, once a checkpoint covers it.
    pub(super) fn receipt(&self, index: u64) -> Result<Option<Receipt>, Refusal> {
        let Some(checkpoint) = self.checkpoints.newest().filter(|checkpoint| checkpoint.size() > index) else {
            return Ok(None);
        };
        let log = self.audit.log();
        let entry = log.bytes(index).map_err(Refusal::log_unavailable)?;
        let proof = log.inclusion_proof(index, checkpoint.size()).map_err(Refusal::log_unavailable)?;
        Ok(proof.map(|proof| Receipt::new(index, &entry, &proof, &checkpoint)))
    }

    /// Takes unfinished requests up at the start, and whenever a token has come back.
    pub async fn keep_resuming(self: Arc<Self>) {
        let mut seen = Vec::new();
        loop {
            let workers: Vec<Option<u32>> = self.tokens.all().map(|token| token.worker_pid()).collect();
            if workers != seen && workers.iter().any(Option::is_some) {
                self.resume_open().await;
            }
            seen = workers;
            tokio::time::sleep(LOOK_FOR_TOKENS_EVERY).await;
        }
    }

    /// Takes up, in the background, every accepted request nobody is signing: after a start, and when a token returns.
    pub async fn resume_open(self: &Arc<Self>) {
        let open = self.audit.query(|state, _| state.open.clone()).await;
        for (accepted, unfinished) in open.unwrap_or_default() {
            if self.tokens.ready(&unfinished.key).is_err() {
                continue; // nothing is recorded of an attempt that cannot begin
            }
            self.take_up(accepted);
        }
    }

    /// Takes up, in the background, an accepted request nobody is signing.
    pub(super) fn take_up(self: &Arc<Self>, accepted: u64) {
        let operations = Arc::clone(self);
        self.requests.spawn(async move {
            match operations.audit.resume(accepted).await {
                Ok(Admission::Granted(intent)) => {
                    if let Err(refusal) = operations.attempt(intent).await {
                        tracing::warn!(accepted, detail = refusal.problem.detail, "an accepted request waits");
                    }
                }
                Ok(_) => {}
                Err(refusal) => tracing::warn!(accepted, detail = refusal.problem.detail, "not taken up again"),
            }
        });
    }
}

fn unsigned(request_id: &str, status: RequestStatus, entry: u64) -> SignatureAnswer {
    SignatureAnswer { request_id: request_id.to_owned(), status, signatures: None, entry: Some(entry), receipt: None }
}
