//! A request id that is bound: to which request, as far as the log can tell.

use appliance_wire::{Body, Item, ItemSignature, SignatureRequest, sha256_hex};
use hsm_types::KeyLabel;

use super::{Binding, Bindings};

/// What a request id is bound to.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Where, and what became of it.
    pub binding: Binding,
    body: Body,
}

impl Bound {
    /// Reads the entry that binds.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read<B: Bindings>(log: &B, binding: Binding) -> Result<Self, B::Error> {
        Ok(Self { binding, body: log.entry(binding.accepted)?.body })
    }

    /// Whether it is this request of this watcher.
    #[must_use]
    pub fn is_request(&self, watcher: &str, request_id: &str) -> bool {
        let lost = self.body.lost_request().map(|lost| (&lost.watcher, &lost.request_id));
        let named = lost.or_else(|| self.body.asked_for().map(|accepted| (&accepted.watcher, &accepted.request_id)));
        named.is_some_and(|(by, id)| by == watcher && id.as_str() == request_id)
    }

    /// The key family it is signed with.
    #[must_use]
    pub fn key(&self) -> Option<&KeyLabel> {
        let signed = || self.body.signed()?.signatures.first().map(|signature| &signature.key.label);
        self.body.asked_for().map(|accepted| &accepted.key).or_else(signed)
    }

    /// Whether it was made for this content. Where only its signatures are proven: for exactly what they sign.
    #[must_use]
    pub fn is_for(&self, content: &str, request: &SignatureRequest) -> bool {
        match (self.body.asked_for(), self.body.signed()) {
            (Some(accepted), _) => accepted.content == content,
            (None, Some(signed)) => are_of(&request.items, &signed.signatures),
            (None, None) => false,
        }
    }
}

/// Whether these are signatures of exactly these items.
#[must_use]
pub fn are_of(items: &[Item], signatures: &[ItemSignature]) -> bool {
    items.len() == signatures.len() && items.iter().zip(signatures).all(|(item, signature)| is_of(item, signature))
}

fn is_of(item: &Item, signature: &ItemSignature) -> bool {
    let message = item.message.as_ref().map(|message| sha256_hex(&message.0));
    item.key == signature.key && item.digest == signature.digest && message == signature.message_sha256
}
