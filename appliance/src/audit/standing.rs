//! What a bound request has come to, and the bytes a signed one answers.

use appliance_wire::{ItemSignature, RequestStatus, SignatureAnswer, Signed};
use bytes::Bytes;
use tokio::sync::watch;

use super::{
    intent::{Attempt, Failure, Intent},
    unreadable::Unreadable,
};
use crate::state::{Binding, Bindings, Outcome};

/// What the writer said to a request.
#[derive(Debug)]
pub enum Admission {
    /// Charged, bound and durable: the token may be asked once.
    Granted(Intent),
    /// Already decided.
    Bound(Standing),
    /// The same request is being signed: its outcome will do.
    InFlight(watch::Receiver<Option<Attempt>>),
}

/// What the writer answers to whoever asks for an attempt.
pub(super) enum Verdict {
    /// Said.
    Admission(Admission),
    /// It was granted, but the token's anchor had to cover it first and could not.
    Unanchored(Intent, Failure),
}

/// What the log knows of a request before anything of it is read.
#[derive(Debug)]
pub enum LookUp {
    /// Answered before, with this very content.
    Answered(Standing),
    /// Its id is bound, to this content or another.
    Bound,
    /// Nothing.
    New,
}

/// What became of an allocation of children.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Allocated {
    /// It is durable.
    Done,
    /// Another allocation, or a policy, came before: so many are allocated now.
    Overtaken(u32),
}

/// What a bound request has come to.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Not signed, or not yet; by this entry.
    Unsigned(RequestStatus, u64),
    /// The stored answer.
    Signed(Bytes),
}

/// Reads what a binding has come to.
pub(super) fn standing<B: Bindings<Error = Unreadable>>(log: &B, binding: &Binding) -> Result<Standing, Unreadable> {
    match binding.outcome {
        Outcome::Open | Outcome::Child(_) => Ok(Standing::Unsigned(RequestStatus::Accepted, binding.accepted)),
        Outcome::Waiting => Ok(Standing::Unsigned(RequestStatus::Pending, binding.accepted)),
        Outcome::Lapsed(index) => Ok(Standing::Unsigned(RequestStatus::Lapsed, index)),
        Outcome::Rejected(index) => Ok(Standing::Unsigned(RequestStatus::Rejected, index)),
        Outcome::Withdrawn(index) => Ok(Standing::Unsigned(RequestStatus::Withdrawn, index)),
        Outcome::Expired(index) => Ok(Standing::Unsigned(RequestStatus::Expired, index)),
        Outcome::Signed(index) => {
            let body = log.entry(index)?.body;
            let signed = body.signed();
            let signed =
                signed.ok_or_else(|| Unreadable::new(format!("entry {index} is not the signatures it is bound as")))?;
            stored_answer(index, signed).map(Standing::Signed)
        }
    }
}

/// The bytes a signed request answers, for ever: made from the entry alone.
pub(super) fn stored_answer(index: u64, signed: &Signed) -> Result<Bytes, Unreadable> {
    let answer = SignatureAnswer {
        request_id: signed.request_id.as_str().to_owned(),
        status: RequestStatus::Signed,
        signatures: Some(signed.signatures.iter().map(with_der).collect()),
        entry: Some(index),
        receipt: None,
    };
    let bytes = serde_json::to_vec(&answer).map_err(|error| Unreadable::new(error.to_string()))?;
    Ok(bytes.into())
}

/// Entries leave the DER form out: it follows from r and s.
fn with_der(signature: &ItemSignature) -> ItemSignature {
    let mut bytes = [0; 64];
    let ecdsa = signature.recovery_id.is_some() && hex::decode_to_slice(&signature.signature, &mut bytes).is_ok();
    ItemSignature { der: ecdsa.then(|| hex::encode(hsm_types::ecdsa_der(&bytes))), ..signature.clone() }
}
