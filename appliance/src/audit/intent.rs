//! The permits of the way: an [`Intent`] is an acceptance that is durable, [`VerifiedSignatures`] what it may become.

use std::sync::Arc;

use appliance_wire::{Accepted, RequestId};
use bytes::Bytes;
use hsm_types::{KeyLabel, ToSign, VerifiedSignature};
use tokio::sync::watch;

use crate::{refusal::Refusal, state::BindingKey};

/// A durable acceptance and the right to one attempt at signing it. Made by the writer alone, after its sync.
#[derive(Debug)]
pub struct Intent {
    pub(super) index: u64,
    pub(super) key: BindingKey,
    pub(super) accepted: Arc<Accepted>,
    pub(super) inputs: Vec<ToSign>,
    /// Whoever asks the same meanwhile waits here.
    pub(super) attempt: watch::Sender<Option<Attempt>>,
}

impl Intent {
    /// Index of the acceptance.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Who asked.
    #[must_use]
    pub fn watcher(&self) -> &str {
        &self.accepted.watcher
    }

    /// The request.
    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.accepted.request_id
    }

    /// The key to sign with.
    #[must_use]
    pub fn signing_key(&self) -> &KeyLabel {
        &self.accepted.key
    }

    /// What to sign, item by item.
    #[must_use]
    pub fn inputs(&self) -> &[ToSign] {
        &self.inputs
    }

    /// The child each item names, in order; none where it names the key itself.
    pub fn children(&self) -> impl Iterator<Item = Option<u32>> {
        self.accepted.items.iter().map(|item| item.key.child)
    }

    pub(super) fn finish(&self, attempt: Attempt) {
        self.attempt.send_replace(Some(attempt));
    }
}

/// What one attempt came to.
#[derive(Clone, Debug)]
pub enum Attempt {
    /// Recorded; the stored answer.
    Signed(Bytes),
    /// Not signed; may be tried again.
    Refused(Refusal),
}

/// One verified signature for each item of an intent, in order.
#[derive(Debug)]
pub struct VerifiedSignatures {
    signatures: Vec<(VerifiedSignature, Vec<u8>)>,
}

impl VerifiedSignatures {
    /// Pairs each signature with the public key (as in answers) it verified under.
    ///
    /// # Errors
    /// There are not as many as the intent has items.
    pub fn of(intent: &Intent, signatures: Vec<(VerifiedSignature, Vec<u8>)>) -> Result<Self, Failure> {
        if signatures.len() == intent.inputs.len() {
            return Ok(Self { signatures });
        }
        let reason = format!("the token gave {} signatures for {} items", signatures.len(), intent.inputs.len());
        Err(Failure { reason, outcome_unknown: true, retry_after_s: 5 })
    }

    pub(super) fn signatures(&self) -> &[(VerifiedSignature, Vec<u8>)] {
        &self.signatures
    }
}

/// An attempt that gave no signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// What failed, in the driver's words.
    pub reason: String,
    /// Whether the token may have signed all the same.
    pub outcome_unknown: bool,
    /// Seconds after which another attempt may help.
    pub retry_after_s: u64,
}

impl Failure {
    /// As the watcher gets it: accepted, so the same id will be tried again.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let detail = format!(
            "the token could not sign ({}): put the same request again after Retry-After, it is not charged twice",
            self.reason
        );
        Refusal::new(appliance_wire::ProblemCode::TokenUnavailable, detail).retry_after(self.retry_after_s)
    }
}
