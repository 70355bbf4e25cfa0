//! The audit log as a watcher sees it: checkpoints, proofs, receipts.

use std::time::{Duration, Instant};

use appliance_wire::{
    Checkpoint, ProblemCode, ProofAnswer, Receipt, RequestId, SignatureAnswer, decode_hashes,
    tree::{Hash, root_before, verify_consistency},
};
use reqwest::Method;

use super::Client;
use crate::{
    Error, Proven, Standing,
    answer_check::check_entry,
    receipt_check::verify_receipt_under,
    retry::{self, Decision, Setback},
};

/// Checkpoints come at most one a second.
const RECEIPT_PAUSE: Duration = Duration::from_millis(300);

impl Client {
    /// The log's newest checkpoint: verified, consistent with the one remembered, and remembered where it is larger.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] where it is not the log remembered, or a shorter one; [`Error::Checkpoint`] where no log
    /// key signed it.
    pub async fn checkpoint(&self) -> Result<(Checkpoint, Standing), Error> {
        // Read before asking: what another task remembers meanwhile may be newer than what we are shown.
        let at_least = self.parts.last_checkpoint.size()?;
        let note = self.transport().exchange(Method::GET, "/v1/log/checkpoint", None).await?.text()?;
        self.accept(&note, at_least).await
    }

    /// The checkpoint remembered, where there is one.
    ///
    /// # Errors
    /// [`Error::StateDamaged`] and [`Error::State`].
    pub fn remembered_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        self.parts.last_checkpoint.remembered()
    }

    /// The proof that the log of `to` entries begins with the log of `from`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>, Error> {
        self.proof(&format!("/v1/log/proof/consistency?from={from}&to={to}")).await
    }

    /// Hands over a checkpoint's note with the cosignatures of witnesses in it. `false` where the signer takes none.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn hand_cosignatures(&self, note: &str) -> Result<bool, Error> {
        let reply = self.transport().post_text("/v1/log/cosignatures", note).await?;
        match reply.success() {
            Ok(_) => Ok(true),
            Err(Error::Refused(problem)) if problem.code() == Some(ProblemCode::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn proof(&self, path: &str) -> Result<Vec<Hash>, Error> {
        let answer: ProofAnswer = self.get(path).await?;
        let what = || format!("the proof of {path} is not base64 of 32-byte hashes");
        decode_hashes(&answer.proof).ok_or_else(|| Error::NotVerified { what: what() })
    }

    /// The consistency proof between two checkpoints. One that does not verify is made whole, to prove by itself that
    /// the larger log begins otherwise.
    async fn prove(&self, small: Checkpoint, large: Checkpoint) -> Result<Vec<Hash>, Error> {
        let (from, to) = (small.size(), large.size());
        let mut proof = self.consistency(from, to).await?;
        let holds = verify_consistency(from, to, &proof, small.root(), large.root()).is_ok();
        if !holds && from.is_power_of_two() {
            let inclusion = self.proof(&format!("/v1/log/proof/inclusion?index={from}&size={to}")).await;
            // Without it the alarm is the same, only without proof.
            if let Some(start) = inclusion.ok().and_then(|inclusion| root_before(from, to, &inclusion)) {
                proof.insert(0, start);
            }
        }
        Ok(proof)
    }

    /// Verifies a receipt under the configured log keys, and that it is of the log remembered.
    ///
    /// # Errors
    /// As [`crate::verify_receipt`] and [`Client::checkpoint`].
    pub async fn verify_receipt(&self, receipt: &Receipt) -> Result<Proven, Error> {
        let proven = verify_receipt_under(receipt, &self.parts.log_keys)?;
        self.accept(proven.checkpoint.note(), 0).await?;
        Ok(proven)
    }

    /// Waits until a checkpoint covers the request's entry and returns the verified receipt.
    ///
    /// # Errors
    /// [`Error::NoReceiptYet`] when `patience` is over; else as [`Client::status`].
    pub async fn wait_for_receipt(&self, id: &RequestId, patience: Duration) -> Result<Receipt, Error> {
        let deadline = Instant::now() + patience;
        let mut attempt = 0_u32;
        loop {
            let outcome = self.status(id).await;
            let pause = match &outcome {
                Ok(SignatureAnswer { receipt: Some(receipt), .. }) => return Ok(receipt.clone()),
                Ok(_) => Decision::Again(RECEIPT_PAUSE),
                Err(Error::Refused(problem)) => retry::decide(Setback::Problem(problem), attempt),
                Err(Error::Transport(broken)) => retry::decide(Setback::Transport(broken), attempt),
                Err(_) => Decision::GiveUp,
            };
            let pause = match pause {
                Decision::Again(pause) if Instant::now() + pause <= deadline => pause,
                Decision::Again(_) | Decision::GiveUp => {
                    let seconds = patience.as_secs();
                    return Err(match outcome {
                        Ok(_) => Error::NoReceiptYet { request_id: id.to_string(), seconds },
                        Err(error) => error,
                    });
                }
            };
            tokio::time::sleep(pause).await;
            attempt = attempt.saturating_add(1);
        }
    }

    /// Verifies the receipt of an answer that has one, and that it is the answer's.
    pub(super) async fn check_receipt(&self, answer: &SignatureAnswer) -> Result<(), Error> {
        let Some(receipt) = &answer.receipt else { return Ok(()) };
        let proven = self.verify_receipt(receipt).await?;
        if answer.signatures.is_some() { check_entry(&proven.entry, answer) } else { Ok(()) }
    }

    /// Verifies a checkpoint wherever it comes from, and that it is of the log remembered.
    pub(crate) async fn accept(&self, note: &str, at_least: u64) -> Result<(Checkpoint, Standing), Error> {
        self.parts.last_checkpoint.accept(note, at_least, |small, large| self.prove(small, large)).await
    }
}
