//! Children at the writer: allocated in order, without gaps, for ever.

use appliance_wire::{Addresses, Body, ProblemCode};

use super::{Draft, Writer};
use crate::{admission::frozen_refusal, audit::standing::Allocated, refusal::Refusal};

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
