//! What a request is known to pay, before any rule is asked.
//!
//! `verified` keys have the transaction itself, read here with every digest recomputed; `declared` keys the watcher's
//! word, `blind` keys nothing.

use std::sync::Arc;

use appliance_wire::{
    Accepted, Evidence, ProblemCode, TransactionFacts, Transfer,
    transaction::{BadEvidence, UnsignedTransaction},
};
use hsm_types::{Digest, PublicKey, ToSign};

use crate::{
    command::SignCommand,
    policy::{Level, Policy},
    refusal::Refusal,
};

mod ethereum;
mod utxo;

/// The facts a decision is made on.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What the watcher says the request pays; nobody has checked it.
    pub transfer: Option<Transfer>,
    /// What the transaction says, of a `verified` key.
    pub transaction: Option<TransactionFacts>,
    /// The evidence itself, to be kept once it is accepted.
    pub evidence: Option<Arc<[u8]>>,
}

/// The public keys of one family, by child; none for the key itself.
pub type Family<'a> = &'a dyn Fn(Option<u32>) -> Result<PublicKey, String>;

impl Facts {
    /// The facts an acceptance was decided on.
    #[must_use]
    pub fn of(accepted: &Accepted) -> Self {
        Self { transfer: accepted.transfer.clone(), transaction: accepted.transaction.clone(), evidence: None }
    }
}

/// Establishes the facts of a request of `watcher`: CPU work, before the serial part.
///
/// # Errors
/// `evidence-required`, `evidence-invalid`, `digest-mismatch`, and `denied` for outputs no rule could name.
pub fn establish(policy: &Policy, watcher: &str, command: &SignCommand, family: Family<'_>) -> Result<Facts, Refusal> {
    let facts = Facts { transfer: command.request.transfer.clone(), ..Facts::default() };
    let Some(key) = policy.granted_key(watcher, &command.key) else {
        // The decision will say so, in the words for keys that are not granted.
        return Ok(facts);
    };
    match (&command.request.evidence, key.evidence) {
        (Some(evidence), Level::Verified) => {
            let bytes = evidence.bytes().map_err(|error| unreadable(&error))?;
            let transaction = UnsignedTransaction::read_bytes(&evidence.format, &bytes);
            let transaction = transaction.map_err(|error| unreadable(&error))?;
            let subject =
                Subject { policy, key, command, family, evidence, sha256: appliance_wire::sha256_hex(&bytes) };
            let transaction = match &transaction {
                UnsignedTransaction::Utxo(transaction) => utxo::facts(&subject, transaction)?,
                UnsignedTransaction::Evm(transaction) => ethereum::facts(&subject, transaction)?,
            };
            Ok(Facts { transaction: Some(transaction), evidence: Some(bytes.into()), ..facts })
        }
        (Some(_), Level::Declared | Level::Blind) => {
            Err(invalid("this key decides without evidence: leave it out, so that nobody takes it for checked"))
        }
        (None, Level::Declared | Level::Blind) if command.request.replaces.is_some() => {
            let detail =
                "replaces needs a `verified` key: only transactions the appliance reads itself can be compared";
            Err(Refusal::new(ProblemCode::EvidenceRequired, detail))
        }
        (None, _) => Ok(facts),
    }
}

/// One request with the evidence it brought.
struct Subject<'a> {
    policy: &'a Policy,
    key: &'a crate::policy::PolicyKey,
    command: &'a SignCommand,
    family: Family<'a>,
    evidence: &'a Evidence,
    sha256: String,
}

impl Subject<'_> {
    /// The public key item `place` names.
    fn public_key(&self, place: usize) -> Result<PublicKey, Refusal> {
        let item =
            self.command.request.items.get(place).ok_or_else(|| invalid(format!("items[{place}] is missing")))?;
        (self.family)(item.key.child)
            .map_err(|reason| Refusal::new(ProblemCode::UnknownKey, format!("items[{place}]: {reason}")))
    }

    /// The digest of item `place` must be the one that the transaction comes to.
    fn check_digest(&self, place: usize, recomputed: &Digest) -> Result<(), Refusal> {
        match self.command.inputs.get(place) {
            Some(ToSign::Digest(given)) if given == recomputed => Ok(()),
            Some(ToSign::Message(_)) => {
                let detail = format!("items[{place}]: {} signs a digest, not a message", self.key.name);
                Err(Refusal::new(ProblemCode::Malformed, detail))
            }
            Some(ToSign::Digest(_)) | None => {
                let detail = format!(
                    "items[{place}].digest is not the digest of the transaction in evidence, which is {recomputed}: an \
                     attack, or a watcher that computes it wrongly"
                );
                Err(Refusal::new(ProblemCode::DigestMismatch, detail))
            }
        }
    }
}

fn unreadable(error: &BadEvidence) -> Refusal {
    invalid(error.to_string())
}

fn invalid(detail: impl Into<String>) -> Refusal {
    Refusal::new(ProblemCode::EvidenceInvalid, detail)
}
