//! One sign request in the child: its items go to whichever session is free, its answer is given once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hsm_types::{KeyLabel, RawSignature, ToSign};

use super::Response;
use crate::{Device, Error};

pub(super) struct Batch {
    pub(super) id: u64,
    key: KeyLabel,
    inputs: Vec<ToSign>,
    outcome: Mutex<Outcome>,
}

struct Outcome {
    signatures: Vec<Option<RawSignature>>,
    missing: usize,
    failed: bool,
}

/// What signing one item came to.
pub(super) struct Signed {
    /// The answer of the whole batch, where this item decided it.
    pub(super) answer: Option<Result<Response, Error>>,
    /// Whether the session must not be used again.
    pub(super) session_ended: bool,
}

impl Batch {
    pub(super) fn new(id: u64, key: KeyLabel, inputs: Vec<ToSign>) -> Self {
        let outcome = Outcome { signatures: vec![None; inputs.len()], missing: inputs.len(), failed: false };
        Self { id, key, inputs, outcome: Mutex::new(outcome) }
    }

    pub(super) fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Signs one item, unless another has failed already. The first error answers, else the last signature does.
    pub(super) fn sign(&self, item: usize, device: &mut dyn Device) -> Signed {
        let Some(input) = self.inputs.get(item).filter(|_| !self.lock().failed) else {
            return Signed { answer: None, session_ended: false };
        };
        let result = device.sign(&self.key, input);
        let session_ended = result.as_ref().is_err_and(Error::ends_session);
        Signed { answer: self.lock().settle(item, result), session_ended }
    }

    fn lock(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outcome {
    fn settle(&mut self, item: usize, result: Result<RawSignature, Error>) -> Option<Result<Response, Error>> {
        if self.failed {
            return None;
        }
        match result {
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
            Ok(signature) => {
                *self.signatures.get_mut(item)? = Some(signature);
                self.missing -= 1;
                let done = self.missing == 0;
                done.then(|| Ok(Response::Signatures(self.signatures.iter().flatten().copied().collect())))
            }
        }
    }
}
