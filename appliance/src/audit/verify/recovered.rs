//! What a recovery bound again: each entry of the lost log under the log key, and the signatures in it.

use appliance_wire::{LogKey, Receipt, RecoveredRequest, Signed, canonical};
use base64::{Engine, engine::general_purpose::STANDARD};
use hsm_types::ToSign;

use super::{Auditor, keys::check_signature};
use crate::state::{BindingKey, Bindings, Outcome};

impl Auditor {
    pub(super) fn check_recovered(&mut self, index: u64, request: &RecoveredRequest) -> Result<(), String> {
        let home = self.state.log_home.as_ref().ok_or("there is no log key")?;
        let log_key = LogKey::parse(&home.log_key).map_err(|error| error.to_string())?;
        for proven in &request.proven {
            let leaf = canonical(&proven.entry).map_err(|error| error.to_string())?;
            let receipt = Receipt {
                index: proven.entry.index,
                entry: STANDARD.encode(leaf),
                proof: proven.proof.clone(),
                checkpoint: proven.checkpoint.clone(),
            };
            receipt.verify(&log_key).map_err(|error| format!("what it proves is not proven: {error}"))?;
        }
        let (watcher, request_id) = (&request.watcher, &request.request_id);
        let key = BindingKey::request(watcher, request_id.as_str());
        let bound = self.past.binding(&key).map_err(|error| error.to_string())?;
        let goes_on =
            |acceptance| bound.is_some_and(|bound| bound.accepted == acceptance && bound.outcome == Outcome::Open);
        if !request.acceptance.map_or(bound.is_none(), |at| goes_on(at) || (at == index && bound.is_none())) {
            return Err("its id was bound before, to something else".to_owned());
        }
        let of_request = |by: &String, id| by == watcher && id == request_id;
        let accepted = match request.acceptance {
            Some(at) if at < index => Some(self.acceptance(at)?),
            Some(_) | None => request.accepted().cloned(),
        };
        let accepted = accepted.as_ref();
        if accepted.is_some_and(|accepted| !of_request(&accepted.watcher, &accepted.request_id)) {
            return Err("it proves the acceptance of another request".to_owned());
        }
        match (request.signed(), accepted) {
            (Some(signed), _) if !of_request(&signed.watcher, &signed.request_id) => {
                Err("it proves signatures of another request".to_owned())
            }
            (Some(signed), Some(accepted)) => self.check_signatures_of(accepted, signed),
            (Some(signed), None) => self.check_lone_signatures(signed),
            (None, _) => Ok(()),
        }
    }

    /// Signatures whose request is lost: those over digests can be verified without it.
    fn check_lone_signatures(&mut self, signed: &Signed) -> Result<(), String> {
        for signature in &signed.signatures {
            let family = self.family(&signature.key.label)?;
            if let Some(digest) = signature.digest {
                check_signature(&family, &signature.key, &ToSign::Digest(digest), signature)?;
                self.signatures += 1;
            }
        }
        Ok(())
    }
}
