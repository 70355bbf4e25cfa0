//! The log as a watcher may read it: checkpoints and proofs, and entries of its own requests.

use appliance_wire::{Body, EntryAnswer, ProblemCode, ProofAnswer, Recovered, tree::Hash};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::Operations;
use crate::{principal::Peer, refusal::Refusal, state::Bindings};

impl Operations {
    /// The newest checkpoint, a signed note.
    ///
    /// # Errors
    /// None has been made yet.
    pub async fn checkpoint(&self, peer: &Peer) -> Result<String, Refusal> {
        self.principal(peer)?;
        match self.checkpoints.newest() {
            Some(checkpoint) => Ok(checkpoint.note().to_owned()),
            None => {
                let detail = "no checkpoint has been made yet: ask again in a second";
                Err(Refusal::new(ProblemCode::TokenUnavailable, detail).retry_after(1))
            }
        }
    }

    /// An entry of one of the caller's own requests. Whether others exist, it does not learn.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn entry(&self, peer: &Peer, index: u64) -> Result<EntryAnswer, Refusal> {
        let principal = self.principal(peer)?;
        let not_found = || {
            let detail = format!("entry {index} is none of this watcher's requests");
            Refusal::new(ProblemCode::NotFound, detail)
        };
        let log = self.audit.log();
        if index >= log.tip().size {
            return Err(not_found());
        }
        let entry = log.entry(index).map_err(Refusal::log_unavailable)?;
        if owner(&entry.body) != Some(principal.watcher()) {
            return Err(not_found());
        }
        let bytes = log.bytes(index).map_err(Refusal::log_unavailable)?;
        Ok(EntryAnswer { index, entry: STANDARD.encode(bytes) })
    }

    /// Proof that entry `index` is among the first `size`.
    ///
    /// # Errors
    /// `malformed` where there is no such proof.
    pub async fn inclusion_proof(&self, peer: &Peer, index: u64, size: u64) -> Result<ProofAnswer, Refusal> {
        self.principal(peer)?;
        let proof = self.audit.log().inclusion_proof(index, size).map_err(Refusal::log_unavailable)?;
        answer(proof, || format!("there is no inclusion proof of entry {index} at size {size}"))
    }

    /// Proof that the first `to` entries begin with the first `from`.
    ///
    /// # Errors
    /// `malformed` where there is no such proof.
    pub async fn consistency_proof(&self, peer: &Peer, from: u64, to: u64) -> Result<ProofAnswer, Refusal> {
        self.principal(peer)?;
        let proof = self.audit.log().consistency_proof(from, to).map_err(Refusal::log_unavailable)?;
        answer(proof, || format!("there is no consistency proof from size {from} to size {to}"))
    }
}

/// Whose request an entry is about, where it is about one.
pub(super) fn owner(body: &Body) -> Option<&str> {
    let watcher = match body {
        Body::Accepted(accepted) => &accepted.watcher,
        Body::Pending(pending) => &pending.request.watcher,
        Body::Approved(approved) => &approved.watcher,
        Body::Rejected(rejected) => &rejected.watcher,
        Body::Withdrawn(withdrawn) => &withdrawn.watcher,
        Body::Released(released) => &released.watcher,
        Body::Signed(signed) => &signed.watcher,
        Body::Failed(failed) => &failed.watcher,
        Body::Lapsed(lapsed) => &lapsed.watcher,
        Body::Denied(denied) => &denied.watcher,
        Body::Addresses(addresses) => &addresses.watcher,
        Body::Recovered(Recovered::Request(request)) => &request.watcher,
        Body::Genesis(_)
        | Body::Boot(_)
        | Body::Policy(_)
        | Body::Key(_)
        | Body::Clock(_)
        | Body::Token(_)
        | Body::Frozen(_)
        | Body::Unfrozen(_)
        | Body::Recovered(Recovered::Log(_)) => return None,
    };
    Some(watcher)
}

fn answer(proof: Option<Vec<Hash>>, missing: impl FnOnce() -> String) -> Result<ProofAnswer, Refusal> {
    let proof = proof.ok_or_else(|| Refusal::new(ProblemCode::Malformed, missing()))?;
    Ok(ProofAnswer { proof: proof.iter().map(|hash| STANDARD.encode(hash)).collect() })
}
