//! Requests at the writer: decided, bound, or taken up again.

use std::sync::Arc;

use appliance_wire::{Accepted, Asked, Body, Denied, Failed, Lapsed, ProblemCode, RequestId, SignatureRequest};
use hsm_types::ToSign;
use tokio::sync::watch;

use super::{Draft, Writer, unanchored::Room};
use crate::{
    admission::{self, Allowed, Application, Approval, Decision, Wants},
    audit::{
        intent::Intent,
        job::{Job, Reply},
        standing::{Admission, Verdict, standing},
        unreadable::Unreadable,
    },
    command::SignCommand,
    evidence::Facts,
    refusal::Refusal,
    state::{Binding, BindingKey, Bindings, Charge, Outcome, charges_of},
};

/// What came of a request that was not refused.
enum Decided {
    /// It may be recorded.
    Accepted(Box<Allowed>),
    /// It may be recorded as waiting.
    Pending(Box<Allowed>, Wants),
    /// Its id was bound before.
    Bound(Admission),
}

impl Writer {
    /// Decides a request. What must not be accepted before the token's anchor is written is kept until then.
    pub(super) fn admit(&mut self, draft: &mut Draft, job: Job) {
        let Job::Admit { watcher, command, facts, down, reply } = job else { return };
        let allowed = match self.decide(draft, &watcher, &command, &facts, down.as_ref()) {
            Ok(Decided::Accepted(allowed)) => allowed,
            Ok(Decided::Pending(allowed, wants)) => {
                let result = self.wait(draft, *allowed, wants, &facts);
                return self.settle_admission(draft, reply, result);
            }
            Ok(Decided::Bound(admission)) => return self.settle_admission(draft, reply, Ok(admission)),
            Err(refusal) => return self.settle_admission(draft, reply, Err(refusal)),
        };
        let (charges, room) = match self.room(&allowed.accepted) {
            Ok(found) => found,
            Err(refusal) => return self.settle_admission(draft, reply, Err(refusal)),
        };
        let result = match (room, self.unanchored.down()) {
            (Room::Enough, _) | (Room::OnlyThis, None) => {
                let granted = self.accept(draft, *allowed, command.inputs, &facts);
                if let Ok(Admission::Granted(intent)) = &granted {
                    self.unanchored.accept(intent.index, charges, room);
                }
                granted
            }
            (Room::AfterAnchor, None) => {
                return self.unanchored.hold(Job::Admit { watcher, command, facts, down, reply });
            }
            (Room::OnlyThis | Room::AfterAnchor, Some(refusal)) => Err(refusal.of_request(command.request_id.as_str())),
        };
        self.settle_admission(draft, reply, result);
    }

    fn decide(
        &mut self,
        draft: &mut Draft,
        watcher: &str,
        command: &SignCommand,
        facts: &Facts,
        down: Option<&Refusal>,
    ) -> Result<Decided, Refusal> {
        self.writable()?;
        let application = Application { watcher, command, facts, approval: None };
        let decision = admission::decide(&self.state, &draft.over(&self.log), &application, draft.moment);
        match decision.map_err(Refusal::log_unavailable)? {
            Decision::Refused(refusal) => {
                let asked = admission::asked(&self.state, &draft.over(&self.log), &application);
                let asked = asked.map_err(Refusal::log_unavailable)?;
                let denied = (command.request_id.clone(), command.content.clone(), asked);
                Err(self.denied(draft, watcher, denied, refusal))
            }
            Decision::Bound(binding) => self.again(draft, &binding, down).map(Decided::Bound),
            Decision::Accepted(allowed) => match down {
                Some(refusal) => Err(refusal.clone().of_request(command.request_id.as_str())),
                None => Ok(Decided::Accepted(allowed)),
            },
            Decision::Pending(allowed, wants) => Ok(Decided::Pending(allowed, wants)),
        }
    }

    /// What an acceptance counts for, and whether it may be made before the token's anchor is written.
    pub(super) fn room(&self, accepted: &Accepted) -> Result<(Vec<Charge>, Room), Refusal> {
        let policy = self.state.policy.as_ref().ok_or_else(|| Refusal::log_unavailable("it has no policy"))?;
        let charges = charges_of(policy, accepted).map_err(Refusal::log_unavailable)?;
        let room = self.unanchored.room(&charges, policy);
        Ok((charges, room))
    }

    pub(super) fn resume(&mut self, draft: &mut Draft, accepted: u64, reply: Reply<Verdict>) {
        let binding = Binding { accepted, outcome: Outcome::Open };
        let result = if self.state.open.contains_key(&accepted) {
            self.again(draft, &binding, None)
        } else {
            let detail = format!("acceptance {accepted} is not open");
            Err(Refusal::new(ProblemCode::UnknownRequest, detail))
        };
        self.settle_admission(draft, reply, result);
    }

    fn accept(
        &mut self,
        draft: &mut Draft,
        allowed: Allowed,
        inputs: Vec<ToSign>,
        facts: &Facts,
    ) -> Result<Admission, Refusal> {
        self.withdraw_replaced(draft, &allowed)?;
        self.keep_evidence(draft, &allowed.accepted, facts)?;
        let entry = self.push(draft, Body::Accepted(allowed.accepted))?;
        let Body::Accepted(accepted) = entry.body else {
            return Err(Refusal::log_unavailable("an acceptance was lost"));
        };
        Ok(Admission::Granted(self.intent(entry.index, accepted, inputs)))
    }

    /// What the entry names must be durable before it.
    pub(super) fn keep_evidence(
        &mut self,
        draft: &mut Draft,
        accepted: &Accepted,
        facts: &Facts,
    ) -> Result<(), Refusal> {
        if let (Some(transaction), Some(evidence)) = (&accepted.transaction, &facts.evidence) {
            // Many of them fit in one batch, and must fit on the disk together.
            let bytes: usize = draft.evidence.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() + evidence.len();
            self.journal.room(bytes as u64).map_err(Refusal::log_unavailable)?;
            draft.evidence.push((transaction.evidence_sha256.clone(), Arc::clone(evidence)));
        }
        Ok(())
    }

    /// A repeat: the stored outcome, the attempt under way, or another attempt where grant, rules, freeze and expiry
    /// still allow it. Budget is not looked at: it was spent at acceptance.
    fn again(&mut self, draft: &mut Draft, binding: &Binding, down: Option<&Refusal>) -> Result<Admission, Refusal> {
        if !admission::is_open(binding) {
            // The outcome may be of this very batch.
            return standing(&draft.over(&self.log), binding).map(Admission::Bound).map_err(Refusal::log_unavailable);
        }
        let accepted = self.accepted(draft, binding.accepted).map_err(Refusal::log_unavailable)?;
        let key = BindingKey::request(&accepted.watcher, accepted.request_id.as_str());
        if let Some(outcome) = self.in_flight.get(&key).filter(|outcome| outcome.has_changed().is_ok()) {
            return Ok(Admission::InFlight(outcome.clone()));
        }
        let unanchored = self.unanchored.down().filter(|_| self.unanchored.is_uncovered(binding.accepted));
        if let Some(refusal) = down.cloned().or(unanchored) {
            return Err(refusal.of_request(accepted.request_id.as_str()));
        }
        let command = command_of(&accepted)?;
        let facts = Facts::of(&accepted);
        let approval = accepted.approval.as_ref().map(Approval::given);
        let application = Application { watcher: &accepted.watcher, command: &command, facts: &facts, approval };
        let again = admission::still_allowed(&self.state, &draft.over(&self.log), &application, draft.moment);
        if let Err(refusal) = again.map_err(Refusal::log_unavailable)? {
            let lapsed = Lapsed {
                watcher: accepted.watcher,
                request_id: accepted.request_id,
                accepted: binding.accepted,
                reason: refusal.problem.detail.clone(),
                expired: false,
            };
            self.push(draft, Body::Lapsed(lapsed))?;
            return Err(refusal);
        }
        self.record_lost_attempt(draft, binding.accepted, &accepted)?;
        Ok(Admission::Granted(self.intent(binding.accepted, accepted, command.inputs)))
    }

    /// Of the attempt before this one nothing is known, where the appliance ended under it: it may have made signatures,
    /// as this one may. Each is in the log before it begins, so that a device that says what it signed is believed.
    fn record_lost_attempt(&mut self, draft: &mut Draft, index: u64, accepted: &Accepted) -> Result<(), Refusal> {
        if self.settled.remove(&index) {
            return Ok(());
        }
        let failed = Failed {
            watcher: accepted.watcher.clone(),
            request_id: accepted.request_id.clone(),
            accepted: index,
            reason: "the attempt before ended without a recorded outcome".to_owned(),
            outcome_unknown: true,
        };
        self.push(draft, Body::Failed(failed)).map(|_| ())
    }

    fn intent(&mut self, index: u64, accepted: Accepted, inputs: Vec<ToSign>) -> Intent {
        let key = BindingKey::request(&accepted.watcher, accepted.request_id.as_str());
        let (attempt, outcome) = watch::channel(None);
        self.in_flight.insert(key, outcome);
        Intent { index, key, accepted: Arc::new(accepted), inputs, attempt }
    }

    fn accepted(&self, draft: &Draft, index: u64) -> Result<Accepted, Unreadable> {
        let accepted = draft.over(&self.log).entry(index)?.body.accepted().cloned();
        accepted.ok_or_else(|| Unreadable::new(format!("entry {index} is no acceptance")))
    }

    /// Records a refusal, unless this watcher has filled the log with them enough.
    pub(super) fn denied(
        &mut self,
        draft: &mut Draft,
        watcher: &str,
        (request_id, content, asked): (RequestId, String, Option<Asked>),
        refusal: Refusal,
    ) -> Refusal {
        let refusal = refusal.of_request(request_id.as_str());
        if matches!(refusal.code(), ProblemCode::Malformed | ProblemCode::TooLarge) {
            return refusal;
        }
        if !self.refusals.may_record(watcher, draft.moment.elapsed) {
            let detail = "this watcher was refused too often: mend it, then ask again";
            return Refusal::new(ProblemCode::RateLimited, detail).retry_after(5).of_request(request_id.as_str());
        }
        let denied = Denied {
            watcher: watcher.to_owned(),
            request_id,
            content,
            code: refusal.code().name().to_owned(),
            rule: refusal.problem.rule.clone().or_else(|| refusal.problem.limit.clone()),
            detail: brief(&refusal.problem.detail),
            asked,
        };
        match self.writable().and_then(|()| self.push(draft, Body::Denied(denied))) {
            Ok(_) => refusal,
            Err(unavailable) => unavailable,
        }
    }
}

/// A refusal costs nothing to make, so what it writes is bounded.
fn brief(detail: &str) -> String {
    detail.chars().take(LONGEST_DETAIL).collect()
}

const LONGEST_DETAIL: usize = 1_000;

/// The command an acceptance was made of.
pub(in crate::audit) fn command_of(accepted: &Accepted) -> Result<SignCommand, Refusal> {
    let request = SignatureRequest {
        items: accepted.items.clone(),
        transfer: accepted.transfer.clone(),
        evidence: None,
        replaces: None,
        expires_at: accepted.expires_at.clone(),
    };
    let body = serde_json::to_vec(&request).map_err(Refusal::log_unavailable)?;
    let mut command = SignCommand::decode(accepted.request_id.as_str(), &body)?;
    if accepted.transaction.is_some() {
        // The evidence is kept elsewhere, so the content cannot be computed here.
        command.content.clone_from(&accepted.content);
        let replaced = accepted.variant.as_ref().map(|variant| &variant.replaces);
        command.request.replaces = replaced.or(accepted.replaces.as_ref()).cloned();
    }
    Ok(command)
}
