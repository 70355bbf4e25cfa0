//! Children at the writer: allocated in order, without gaps, for ever.

use appliance_wire::{Addresses, Body, ProblemCode};

use super::{Draft, Writer};
use crate::{admission::frozen_refusal, audit::standing::Allocated, policy::KeyState, refusal::Refusal};

impl Writer {
    pub(super) fn allocate(
        &mut self,
        draft: &mut Draft,
        allocation: Addresses,
        policy: u64,
    ) -> Result<Allocated, Refusal> {
        self.writable()?;
        self.unanchored.has_begun()?;
        if let Some(scope) = self.state.freeze_over(&allocation.watcher, &allocation.key) {
            return Err(frozen_refusal(scope));
        }
        let key = self.state.policy.as_ref().and_then(|policy| policy.key(&allocation.key));
        if key.is_none_or(|key| key.state != KeyState::Active) || self.state.key_ends.contains_key(&allocation.key) {
            let detail = format!("key {} gets no new addresses: it is on its way out of use", allocation.key);
            return Err(Refusal::new(ProblemCode::Denied, detail).rule("key"));
        }
        let next = self.state.addresses.allocated(&allocation.key);
        // Grant and addresses were looked at before, and an entry is verified under the policy in force.
        if allocation.first != next || policy != self.state.policy_version() {
            return Ok(Allocated::Overtaken(next));
        }
        if !self.allocations.may_record(&allocation.watcher, draft.moment.elapsed) {
            let detail = "this watcher allocates addresses too fast: take more at once, and wait";
            return Err(Refusal::new(ProblemCode::RateLimited, detail).retry_after(5));
        }
        self.push(draft, Body::Addresses(allocation))?;
        Ok(Allocated::Done)
    }
}

#[cfg(test)]
mod tests;
