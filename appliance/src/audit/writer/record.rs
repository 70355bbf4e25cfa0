//! Outcomes and freezes at the writer.

use appliance_wire::{Body, Failed, Frozen, ItemSignature, Scope, Signed, sha256_hex};
use bytes::Bytes;
use hsm_types::ToSign;

use super::{Draft, Writer, settle};
use crate::{
    audit::{
        intent::{Attempt, Failure, Intent, VerifiedSignatures},
        job::Reply,
        standing::stored_answer,
    },
    refusal::Refusal,
};

impl Writer {
    /// Records the signatures. Whoever waits gets the stored answer after the sync, or a refusal and no signature.
    pub(super) fn signed(
        &mut self,
        draft: &mut Draft,
        intent: Intent,
        verified: &VerifiedSignatures,
        reply: Reply<Bytes>,
    ) {
        self.in_flight.remove(&intent.key);
        let signed = Signed {
            watcher: intent.watcher().to_owned(),
            request_id: intent.request_id().clone(),
            accepted: intent.index,
            signatures: item_signatures(&intent, verified),
        };
        let result = self.push(draft, Body::Signed(signed)).and_then(|entry| {
            let Body::Signed(signed) = &entry.body else {
                return Err(Refusal::log_unavailable("signatures were lost"));
            };
            stored_answer(entry.index, signed).map_err(Refusal::log_unavailable)
        });
        draft.waiters.push(Box::new(move |durable| {
            let result = durable.and(result);
            intent.finish(match result.clone() {
                Ok(answer) => Attempt::Signed(answer),
                Err(refusal) => Attempt::Refused(refusal),
            });
            let _ = reply.send(result);
        }));
    }

    pub(super) fn failed(&mut self, draft: &mut Draft, intent: Intent, failure: &Failure, reply: Reply<Refusal>) {
        self.in_flight.remove(&intent.key);
        let failed = Failed {
            watcher: intent.watcher().to_owned(),
            request_id: intent.request_id().clone(),
            accepted: intent.index,
            reason: failure.reason.clone(),
            outcome_unknown: failure.outcome_unknown,
        };
        let told = failure.refusal().of_request(intent.request_id().as_str());
        let pushed = self.push(draft, Body::Failed(failed));
        if pushed.is_ok() {
            self.settled.insert(intent.index);
        }
        let refusal = pushed.map_or_else(|unavailable| unavailable, |_| told);
        draft.waiters.push(Box::new(move |durable| {
            let refusal = durable.map_or_else(|unavailable| unavailable, |()| refusal);
            intent.finish(Attempt::Refused(refusal.clone()));
            let _ = reply.send(Ok(refusal));
        }));
    }

    pub(super) fn freeze(&mut self, draft: &mut Draft, what: Scope, by: String, reason: String, reply: Reply<()>) {
        let result = if self.state.frozen.contains_key(&what) {
            Ok(())
        } else {
            self.push(draft, Body::Frozen(Frozen { what, by, reason })).map(|_| ())
        };
        settle(draft, reply, result);
    }
}

fn item_signatures(intent: &Intent, verified: &VerifiedSignatures) -> Vec<ItemSignature> {
    let items = intent.accepted.items.iter().zip(&intent.inputs).zip(verified.signatures());
    items
        .map(|((item, input), (signature, public_key))| ItemSignature {
            key: item.key.clone(),
            digest: item.digest,
            message_sha256: match input {
                ToSign::Message(message) => Some(sha256_hex(message)),
                ToSign::Digest(_) => None,
            },
            signature: hex::encode(signature.to_bytes()),
            recovery_id: signature.recovery_id(),
            der: None,
            public_key: hex::encode(public_key),
        })
        .collect()
}
