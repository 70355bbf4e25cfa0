//! How many officers agreed when one of them did. Who they are is not told.

use std::collections::BTreeMap;

use appliance_wire::{Body, Event, EventApprovals, EventKind, Wanted};

use crate::{
    operations::Operations,
    principal::Principal,
    refusal::Refusal,
    state::{Bindings, Waiting},
};

impl Operations {
    /// Says in each approval how far the officers are with it, where that can be told of a request that waits, or was
    /// accepted. Of one that ended otherwise it matters no more.
    pub(super) async fn count_approvals(&self, principal: &Principal, events: &mut [Event]) -> Result<(), Refusal> {
        let watcher = principal.watcher().to_owned();
        let waiting: BTreeMap<u64, Waiting> = self
            .audit
            .query(move |state, _| {
                let own = state.pending.iter().filter(|(_, waiting)| waiting.watcher == watcher);
                own.map(|(index, waiting)| (*index, waiting.clone())).collect()
            })
            .await?;
        for event in events.iter_mut().filter(|event| event.kind == EventKind::Approved) {
            event.approvals = self.approvals(principal, event, &waiting)?.unwrap_or_default();
        }
        Ok(())
    }

    fn approvals(
        &self,
        principal: &Principal,
        event: &Event,
        waiting: &BTreeMap<u64, Waiting>,
    ) -> Result<Option<Vec<EventApprovals>>, Refusal> {
        let log = self.audit.log();
        let (Some(pending), Some(request_id)) = (event.pending, &event.request_id) else { return Ok(None) };
        let Body::Approved(approved) = log.entry(event.index).map_err(Refusal::log_unavailable)?.body else {
            return Ok(None);
        };
        if let Some(waiting) = waiting.get(&pending) {
            let agreed = waiting.approvals.iter().map(|given| given.officer.as_str());
            return Ok(Some(so_far(&waiting.wanted, agreed, &approved.signature.officer)));
        }
        let Some(bound) = self.audit.bound(principal.watcher(), request_id.as_str())? else { return Ok(None) };
        let accepted = log.entry(bound.binding.accepted).map_err(Refusal::log_unavailable)?.body;
        let approval = accepted.accepted().and_then(|accepted| accepted.approval.as_ref());
        let Some(approval) = approval.filter(|approval| approval.pending == pending) else { return Ok(None) };
        let Body::Pending(body) = log.entry(pending).map_err(Refusal::log_unavailable)?.body else { return Ok(None) };
        let agreed = approval.officers.iter().map(String::as_str);
        Ok(Some(so_far(&body.wanted, agreed, &approved.signature.officer)))
    }
}

/// Of those who agreed, in their order, the ones up to `officer`.
fn so_far<'a>(wanted: &[Wanted], agreed: impl Iterator<Item = &'a str>, officer: &str) -> Vec<EventApprovals> {
    let mut before = true;
    let agreed: Vec<&str> = agreed.take_while(|name| std::mem::replace(&mut before, *name != officer)).collect();
    let so_far = |wanted: &Wanted| EventApprovals {
        because: wanted.because.clone(),
        given: agreed.iter().filter(|name| wanted.of.iter().any(|of| of == *name)).count() as u64,
        wanted: wanted.approve,
    };
    wanted.iter().map(so_far).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_counts_those_it_asks_for_up_to_this_one() {
        let wanted = |because: &str, approve, of: &[&str]| Wanted {
            because: because.to_owned(),
            approve,
            of: of.iter().map(|name| (*name).to_owned()).collect(),
        };
        let wanted = [wanted("a", 2, &["alice", "bob"]), wanted("b", 1, &["carol"])];
        let given = |officer| {
            so_far(&wanted, ["alice", "carol", "bob"].into_iter(), officer)
                .iter()
                .map(|one| one.given)
                .collect::<Vec<_>>()
        };
        assert_eq!(given("alice"), [1, 0]);
        assert_eq!(given("carol"), [1, 1]);
        assert_eq!(given("bob"), [2, 1]);
    }
}
