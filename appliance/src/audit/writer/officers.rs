//! Acts of officers at the writer: who signed is checked against the policy in force, and the act recorded with it.

use appliance_wire::{
    Approved, Body, ClockEntry, KeyChange, KeyEnd, KeyEntry, OfficerSignature, PolicyEntry, PolicyStanding,
    ProblemCode, Rejected, Released, RequestId, Unfrozen, sha256_hex,
};
use hsm_types::KeyLabel;
use jiff::Timestamp;

use super::{Draft, Writer, settle};
use crate::{
    admission::Decision,
    audit::{decided::Acted, job::Reply},
    officers::{ActRequest, agreed},
    refusal::Refusal,
    state::{Given, State},
};

impl Writer {
    pub(super) fn act(&mut self, draft: &mut Draft, request: &ActRequest, signatures: &[String], reply: Reply<Acted>) {
        let acted = self.try_act(draft, request, signatures);
        let result = acted.map_err(|refusal| self.act_denied(draft, request, refusal));
        settle(draft, reply, result);
    }

    fn try_act(&mut self, draft: &mut Draft, request: &ActRequest, signatures: &[String]) -> Result<Acted, Refusal> {
        self.unanchored.has_begun()?;
        let act = request.act(&self.state, &draft.over(&self.log))?;
        let agreed = agreed(&self.state, &act, signatures, draft.moment)?;
        let officers: Vec<String> = agreed.iter().map(|signature| signature.officer.clone()).collect();
        let bodies = self.bodies(draft, request, agreed)?;
        let mut entry = 0;
        for body in bodies {
            entry = self.push(draft, body)?.index;
        }
        // What officers decided is not lost with a rollback.
        self.unanchored.must_reach(self.state.size);
        Ok(Acted { entry, done: act.title, officers })
    }

    /// What the act adds to the log.
    fn bodies(
        &mut self,
        draft: &mut Draft,
        request: &ActRequest,
        signatures: Vec<OfficerSignature>,
    ) -> Result<Vec<Body>, Refusal> {
        let by = || signatures.iter().map(|signature| signature.officer.as_str()).collect::<Vec<_>>().join(", ");
        let by = if signatures.is_empty() { "admin socket".to_owned() } else { by() };
        Ok(match request {
            ActRequest::Approve { pending } => self.approvals(draft, *pending, signatures)?,
            ActRequest::Reject { pending } => {
                let waiting = self.state.pending.get(pending).ok_or_else(gone)?;
                let (watcher, request_id) = (waiting.watcher.clone(), waiting.request_id.clone());
                let signature = signatures.into_iter().next().ok_or_else(no_officers)?;
                vec![Body::Rejected(Rejected { watcher, request_id, pending: *pending, signature })]
            }
            ActRequest::Unfreeze { what, reason } => {
                vec![Body::Unfrozen(Unfrozen { what: what.clone(), by, reason: reason.clone(), signatures })]
            }
            ActRequest::Clock { time, credit_ms } => vec![self.accept_clock(draft, *time, *credit_ms, signatures)?],
            ActRequest::Release { watcher, request_id } => {
                let accepted = crate::officers::lapsed(&draft.over(&self.log), watcher, request_id)?;
                let (watcher, request_id) = (watcher.clone(), read_id(request_id)?);
                vec![Body::Released(Released { watcher, request_id, accepted, signatures })]
            }
            ActRequest::DestroyKey { key, reason } => {
                let policy = self.state.policy.as_ref();
                let delay = policy.and_then(|policy| policy.quorum).map_or(0, |quorum| quorum.loosen_delay_ms);
                let to = KeyEnd::PendingDestroy(draft.moment.elapsed.saturating_add(delay));
                vec![key_change(&self.state, key, KeyChange { to, reason: reason.clone(), signatures })?]
            }
            ActRequest::KeepKey { key } => {
                let change = KeyChange { to: KeyEnd::Kept, reason: String::new(), signatures };
                vec![key_change(&self.state, key, change)?]
            }
            ActRequest::VetoPolicy { version } => {
                let waiting = self.state.waiting_policy.as_ref().ok_or_else(gone)?;
                vec![Body::Policy(PolicyEntry {
                    version: *version,
                    sha256: waiting.policy.sha256.clone(),
                    document: String::new(),
                    standing: PolicyStanding::Vetoed,
                    loosens: Vec::new(),
                    signatures,
                })]
            }
            ActRequest::InstallPolicy { .. } | ActRequest::RenewOfficers { .. } => {
                return Err(Refusal::new(ProblemCode::Internal, "a policy comes in another way"));
            }
        })
    }

    /// A key whose time has come is in no token any more.
    pub(super) fn destroyed(&mut self, draft: &mut Draft, key: &KeyLabel) -> Result<(), Refusal> {
        match self.state.key_ends.get(key) {
            Some(KeyEnd::PendingDestroy(from)) if draft.moment.elapsed >= *from => {}
            _ => return Err(denied(format!("key {key} is not due to be destroyed"))),
        }
        let change = KeyChange { to: KeyEnd::Destroyed, reason: String::new(), signatures: Vec::new() };
        let body = key_change(&self.state, key, change)?;
        self.push(draft, body).map(|_| ())
    }

    /// Each must be asked for now, and not have agreed before. What is frozen takes no approval.
    fn approvals(&self, draft: &Draft, pending: u64, signatures: Vec<OfficerSignature>) -> Result<Vec<Body>, Refusal> {
        let waiting = self.state.pending.get(&pending).ok_or_else(gone)?;
        if signatures.is_empty() {
            return Err(no_officers());
        }
        let wanted = match self.look_at_waiting(draft, pending, waiting)? {
            Decision::Pending(_, wants) => wants.wanted,
            Decision::Accepted(_) | Decision::Bound(_) => {
                return Err(denied("enough officers agreed already: it is about to be signed".to_owned()));
            }
            Decision::Refused(refusal) => return Err(refusal),
        };
        let approved = |signature: OfficerSignature| {
            let OfficerSignature { officer, key, .. } = &signature;
            if !wanted.iter().any(|wanted| wanted.of.contains(officer)) {
                return Err(denied(format!("{officer} is not one of those who are asked to approve this")));
            }
            if let Some(before) = waiting.given(&Given { officer: officer.clone(), key: key.clone() }) {
                return Err(denied(before));
            }
            let (watcher, request_id) = (waiting.watcher.clone(), waiting.request_id.clone());
            Ok(Body::Approved(Approved { watcher, request_id, pending, signature }))
        };
        signatures.into_iter().map(approved).collect()
    }

    /// The officers say what time it is; the wall clock must say the same, but for the time a text travels.
    fn accept_clock(
        &mut self,
        draft: &mut Draft,
        said: Timestamp,
        credit_ms: u64,
        signatures: Vec<OfficerSignature>,
    ) -> Result<Body, Refusal> {
        let off = draft.moment.time.duration_since(said).abs();
        if off > FARTHEST_OFF {
            let now = draft.moment.time;
            return Err(denied(format!(
                "the wall clock says {now}, the officers {said}: set the clock, or say the time now"
            )));
        }
        if credit_ms > MOST_CREDIT_MS {
            return Err(denied("at most 366 days are credited at once".to_owned()));
        }
        let boot = self.clock.accept(credit_ms);
        draft.moment = self.moment();
        Ok(Body::Clock(ClockEntry {
            boot_id: boot.boot_id,
            boot_time: boot.boot_time,
            wall_offset: boot.wall_offset,
            said: said.to_string(),
            credited: credit_ms,
            signatures,
        }))
    }

    /// A refused act is recorded as a refused request is, as long as nobody fills the log with them.
    pub(super) fn act_denied(&mut self, draft: &mut Draft, request: &ActRequest, refusal: Refusal) -> Refusal {
        let json = serde_json::to_value(request).unwrap_or_default();
        let Ok(name) = json["act"].as_str().unwrap_or("act").parse::<RequestId>() else { return refusal };
        let content = sha256_hex(json.to_string().as_bytes());
        self.denied(draft, ADMIN_SOCKET, (name, content, None), refusal)
    }
}

fn key_change(state: &State, key: &KeyLabel, change: KeyChange) -> Result<Body, Refusal> {
    let bound = state.keys.get(key).ok_or_else(gone)?;
    Ok(Body::Key(KeyEntry { change: Some(change), ..bound.clone() }))
}

fn read_id(text: &str) -> Result<RequestId, Refusal> {
    text.parse().map_err(|error| Refusal::new(ProblemCode::Malformed, format!("the request id is {error}")))
}

fn gone() -> Refusal {
    Refusal::new(ProblemCode::Malformed, "nothing waits there any more")
}

fn no_officers() -> Refusal {
    denied("the policy has no officers who could decide".to_owned())
}

fn denied(detail: String) -> Refusal {
    Refusal::new(ProblemCode::Denied, detail).rule("officers")
}

/// Who asked, in entries of refused acts.
pub(in crate::audit) const ADMIN_SOCKET: &str = "admin socket";
const FARTHEST_OFF: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
const MOST_CREDIT_MS: u64 = 366 * 24 * 3_600_000;
