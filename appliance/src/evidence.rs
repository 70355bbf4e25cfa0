//! What a request is known to pay, before any rule is asked.
//!
//! `declared` keys have the watcher's word, `blind` keys nothing. Decoders that read a transaction join here.

use appliance_wire::{ProblemCode, Transfer};

use crate::{command::SignCommand, refusal::Refusal};

/// The facts a decision is made on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the watcher says the request pays; nobody has checked it.
    pub transfer: Option<Transfer>,
}

/// Establishes the facts of a request.
///
/// # Errors
/// `evidence-required` for `replaces`, which needs transactions the appliance can compare; `evidence-invalid` for
/// evidence no key of this version reads.
pub fn establish(command: &SignCommand) -> Result<Facts, Refusal> {
    if command.request.replaces.is_some() {
        let detail = "replaces needs a `verified` key: only transactions the appliance reads itself can be compared";
        return Err(Refusal::new(ProblemCode::EvidenceRequired, detail));
    }
    if command.request.evidence.is_some() {
        let detail = "this key decides without evidence: leave it out, so that nobody takes it for checked";
        return Err(Refusal::new(ProblemCode::EvidenceInvalid, detail));
    }
    Ok(Facts { transfer: command.request.transfer.clone() })
}
