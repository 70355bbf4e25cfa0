//! Requests that wait for officers, at the writer: begun, taken back, ended, and decided again once officers agree.

use appliance_wire::{Body, Lapsed, Pending, ProblemCode, RequestId, RequestStatus, Withdrawn};
use jiff::SignedDuration;

use super::{Draft, Writer, admit::command_of, settle, unanchored::Room};
use crate::{
    admission::{self, Allowed, Application, Approval, Decision, Wants},
    audit::{
        decided::Settled,
        job::Reply,
        standing::{Admission, Standing},
    },
    evidence::Facts,
    refusal::Refusal,
    state::{BindingKey, Bindings, Waiting},
};

impl Writer {
    /// Makes a request wait. It holds its id and what it uses up, and no budget.
    pub(super) fn wait(
        &mut self,
        draft: &mut Draft,
        allowed: Allowed,
        wants: Wants,
        facts: &Facts,
    ) -> Result<Admission, Refusal> {
        let watcher = &allowed.accepted.watcher;
        let waiting = self.state.pending.values().filter(|waiting| waiting.watcher == *watcher).count();
        if waiting >= MOST_WAITING {
            let detail = format!("{waiting} requests of this watcher wait for officers: have those decided first");
            return Err(Refusal::new(ProblemCode::RateLimited, detail).retry_after(60));
        }
        // What waits costs nothing, and each is an entry.
        if !self.refusals.may_record(watcher, draft.moment.elapsed) {
            let detail = "this watcher fills the log with what costs nothing: ask less often";
            return Err(Refusal::new(ProblemCode::RateLimited, detail).retry_after(5));
        }
        let expires_at = i64::try_from(wants.expires_ms).ok().map(SignedDuration::from_millis);
        let expires_at = expires_at.and_then(|wait| draft.moment.time.checked_add(wait).ok());
        let expires_at = expires_at.and_then(|end| end.round(jiff::Unit::Second).ok());
        let expires_at = expires_at.ok_or_else(|| Refusal::log_unavailable("a time that no calendar has"))?;
        self.withdraw_replaced(draft, &allowed)?;
        self.keep_evidence(draft, &allowed.accepted, facts)?;
        let Allowed { accepted, free_holds, .. } = allowed;
        let pending = Pending {
            request: Box::new(accepted),
            wanted: wants.wanted,
            waits_until: expires_at.to_string(),
            holds: free_holds,
        };
        let entry = self.push(draft, Body::Pending(pending))?;
        Ok(Admission::Bound(Standing::Unsigned(RequestStatus::Pending, entry.index)))
    }

    /// What waits and is replaced is withdrawn by that.
    pub(super) fn withdraw_replaced(&mut self, draft: &mut Draft, allowed: &Allowed) -> Result<(), Refusal> {
        let Some(pending) = allowed.withdraws else { return Ok(()) };
        let Some(waiting) = self.state.pending.get(&pending) else { return Ok(()) };
        let withdrawn = Withdrawn {
            watcher: waiting.watcher.clone(),
            request_id: waiting.request_id.clone(),
            pending,
            replaced_by: Some(allowed.accepted.request_id.clone()),
        };
        self.push(draft, Body::Withdrawn(withdrawn)).map(|_| ())
    }

    /// A watcher takes a request of its own back.
    pub(super) fn withdraw(&mut self, draft: &mut Draft, watcher: String, request_id: RequestId, reply: Reply<u64>) {
        let key = BindingKey::request(&watcher, request_id.as_str());
        let result = match draft.over(&self.log).binding(&key).map_err(Refusal::log_unavailable) {
            Err(unavailable) => Err(unavailable),
            Ok(None) => {
                let detail = format!("no request {request_id} of this watcher waits");
                Err(Refusal::new(ProblemCode::UnknownRequest, detail))
            }
            Ok(Some(binding)) if self.state.pending.contains_key(&binding.accepted) => {
                let (pending, replaced_by) = (binding.accepted, None);
                let withdrawn = Withdrawn { watcher, request_id, pending, replaced_by };
                self.push(draft, Body::Withdrawn(withdrawn)).map(|entry| entry.index)
            }
            Ok(Some(_)) => {
                let detail = format!("request {request_id} waits no more: GET it to see what it came to");
                Err(Refusal::new(ProblemCode::RequestConflict, detail).of_request(request_id.as_str()))
            }
        };
        settle(draft, reply, result);
    }

    /// Ends what waited too long, and decides again what enough officers agreed to.
    pub(super) fn settle_waiting(&mut self, draft: &mut Draft) -> Result<Settled, Refusal> {
        self.writable()?;
        let moment = draft.moment;
        let policy_is_due = self.state.waiting_policy.as_ref().is_some_and(|waiting| moment.elapsed >= waiting.until);
        let mut settled = Settled { accepted: Vec::new(), policy_is_due };
        for (pending, waiting) in self.state.pending.clone() {
            if moment.wall_trusted && moment.time >= waiting.expires_at {
                self.end(draft, pending, &waiting, "its time was over before enough officers agreed".to_owned(), true)?;
            } else if !waiting.approvals.is_empty() {
                settled.accepted.extend(self.decide_waiting(draft, pending, &waiting)?);
            }
        }
        Ok(settled)
    }

    /// Rules and limits decide again, now.
    fn decide_waiting(&mut self, draft: &mut Draft, pending: u64, waiting: &Waiting) -> Result<Option<u64>, Refusal> {
        let allowed = match self.look_at_waiting(draft, pending, waiting)? {
            Decision::Accepted(allowed) => allowed,
            // A freeze ends nothing: what it covers waits on.
            Decision::Refused(refusal) if refusal.code() == ProblemCode::Frozen => return Ok(None),
            Decision::Refused(refusal) => {
                self.end(draft, pending, waiting, refusal.problem.detail, false)?;
                return Ok(None);
            }
            Decision::Pending(..) | Decision::Bound(_) => return Ok(None),
        };
        let (charges, room) = self.room(&allowed.accepted)?;
        match (room, self.unanchored.down()) {
            (Room::Enough, _) | (Room::OnlyThis, None) => {}
            (Room::AfterAnchor, None) => {
                // What waits is looked at again soon, once the anchor is written.
                self.unanchored.want();
                return Ok(None);
            }
            (Room::OnlyThis | Room::AfterAnchor, Some(_)) => return Ok(None),
        }
        let entry = self.push(draft, Body::Accepted(allowed.accepted))?;
        self.unanchored.accept(entry.index, charges, room);
        // No attempt went before: the first needs no entry that says so.
        self.settled.insert(entry.index);
        Ok(Some(entry.index))
    }

    /// What would be decided now of what waits, with the officers who agreed so far.
    pub(super) fn look_at_waiting(&self, draft: &Draft, pending: u64, waiting: &Waiting) -> Result<Decision, Refusal> {
        let entry = draft.over(&self.log).entry(pending).map_err(Refusal::log_unavailable)?;
        let Body::Pending(body) = entry.body else {
            return Err(Refusal::log_unavailable(format!("entry {pending} is nothing that waits")));
        };
        let command = command_of(&body.request)?;
        let facts = Facts::of(&body.request);
        let policy = self.state.policy.as_ref().ok_or_else(|| Refusal::log_unavailable("it has no policy"))?;
        let officers = waiting.officers(policy);
        let approval = Approval { pending, since: Some(waiting.since), officers: &officers };
        let application =
            Application { watcher: &waiting.watcher, command: &command, facts: &facts, approval: Some(approval) };
        admission::decide(&self.state, &draft.over(&self.log), &application, draft.moment)
            .map_err(Refusal::log_unavailable)
    }

    fn end(
        &mut self,
        draft: &mut Draft,
        pending: u64,
        waiting: &Waiting,
        reason: String,
        expired: bool,
    ) -> Result<(), Refusal> {
        let (watcher, request_id) = (waiting.watcher.clone(), waiting.request_id.clone());
        let lapsed = Lapsed { watcher, request_id, accepted: pending, reason, expired };
        self.push(draft, Body::Lapsed(lapsed)).map(|_| ())
    }
}

/// Of one watcher.
const MOST_WAITING: usize = 100;
