//! Every decision again: the policy then in force must accept the request, on facts that its evidence still comes to.

use appliance_wire::{Accepted, Entry, Evidence, Lapsed, Pending};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::Auditor;
use crate::{
    admission::{self, Application, Approval, Decision},
    audit::writer::command_of,
    clock::Moment,
    command::SignCommand,
    evidence::{self, Facts},
};

impl Auditor {
    pub(super) fn decide_again(&mut self, entry: &Entry, accepted: &Accepted) -> Result<(), String> {
        let command = command_of(accepted).map_err(|refusal| refusal.problem.detail)?;
        self.read_evidence_again(accepted, &command)?;
        let facts = Facts::of(accepted);
        let officers = self.officers_who_agreed(accepted)?;
        let approval = accepted.approval.as_ref().map(|approval| Approval {
            pending: approval.pending,
            since: self.state.pending.get(&approval.pending).map(|waiting| waiting.since),
            officers: &officers,
        });
        let application = Application { watcher: &accepted.watcher, command: &command, facts: &facts, approval };
        let moment = Moment::of(entry)?;
        let decision = admission::decide(&self.state, &self.past, &application, moment);
        self.decisions += 1;
        match decision.map_err(|error| error.to_string())? {
            Decision::Accepted(again) if again.accepted == *accepted => Ok(()),
            Decision::Accepted(_) => Err("decided again, it comes to other facts or rules".to_owned()),
            Decision::Pending(_, wants) => {
                let because = wants.wanted.first().map_or("a rule", |wanted| wanted.because.as_str());
                Err(format!("decided again, it takes officers who did not agree ({because})"))
            }
            Decision::Bound(binding) => Err(format!("its id was bound before, by entry {}", binding.accepted)),
            Decision::Refused(refusal) => Err(format!("decided again, it is refused: {}", refusal.problem.detail)),
        }
    }

    /// What waits was allowed but for the officers' agreement.
    pub(super) fn decide_waiting_again(&mut self, entry: &Entry, pending: &Pending) -> Result<(), String> {
        let accepted = &*pending.request;
        let command = command_of(accepted).map_err(|refusal| refusal.problem.detail)?;
        self.read_evidence_again(accepted, &command)?;
        let facts = Facts::of(accepted);
        let application = Application { watcher: &accepted.watcher, command: &command, facts: &facts, approval: None };
        let decision = admission::decide(&self.state, &self.past, &application, Moment::of(entry)?);
        self.decisions += 1;
        match decision.map_err(|error| error.to_string())? {
            Decision::Pending(again, wants) if again.accepted == *accepted && wants.wanted == pending.wanted => Ok(()),
            Decision::Pending(..) => {
                Err("decided again, it asks for other officers, or comes to other facts".to_owned())
            }
            Decision::Accepted(_) => Err("decided again, it takes no officers".to_owned()),
            Decision::Bound(binding) => Err(format!("its id was bound before, by entry {}", binding.accepted)),
            Decision::Refused(refusal) => Err(format!("decided again, it is refused: {}", refusal.problem.detail)),
        }
    }

    /// The officers an acceptance names, who must be those who agreed.
    fn officers_who_agreed(&self, accepted: &Accepted) -> Result<Vec<String>, String> {
        let Some(approval) = &accepted.approval else { return Ok(Vec::new()) };
        let waiting = self.state.pending.get(&approval.pending);
        let waiting = waiting.ok_or_else(|| format!("entry {} is nothing that waits", approval.pending))?;
        let policy = self.state.policy.as_deref().ok_or("no policy is in force")?;
        let officers = waiting.officers(policy);
        let same = officers == approval.officers
            && (&waiting.watcher, &waiting.request_id) == (&accepted.watcher, &accepted.request_id);
        same.then_some(officers).ok_or_else(|| "it names other officers than agreed, or another request".to_owned())
    }

    /// What waited ends: its time over, or decided again and refused.
    pub(super) fn check_end(&self, entry: &Entry, lapsed: &Lapsed) -> Result<(), String> {
        let Some(waiting) = self.state.pending.get(&lapsed.accepted) else { return Ok(()) };
        if (&waiting.watcher, &waiting.request_id) != (&lapsed.watcher, &lapsed.request_id) {
            return Err(format!("it ends another request than entry {} made wait", lapsed.accepted));
        }
        if lapsed.expired && Moment::of(entry)?.time < waiting.expires_at {
            return Err("it says that time was over, and there was some".to_owned());
        }
        Ok(())
    }

    /// The evidence of a `verified` request must still be what it was, and come to the facts decided on.
    fn read_evidence_again(&mut self, accepted: &Accepted, command: &SignCommand) -> Result<(), String> {
        let Some(transaction) = &accepted.transaction else { return Ok(()) };
        let Some(bytes) = self.evidence.read(&transaction.evidence_sha256)? else {
            self.evidence_missing += 1;
            return Ok(());
        };
        let mut command = command.clone();
        let data = STANDARD.encode(bytes);
        command.request.evidence = Some(Evidence { format: transaction.format.clone(), data });
        let content = command.request.content().map_err(|error| error.to_string())?;
        if content != accepted.content {
            return Err("its content is not that of its items, transfer and evidence".to_owned());
        }
        let policy = self.state.policy.clone().ok_or("no policy is in force")?;
        let family = self.family(&accepted.key)?;
        let public_key = |child| family.public_key(child).map_err(|error| error.to_string());
        let facts = evidence::establish(&policy, &accepted.watcher, &command, &public_key);
        let facts = facts.map_err(|refusal| format!("its evidence is refused now: {}", refusal.problem.detail))?;
        if facts.transaction.as_ref() != Some(transaction) {
            return Err("its evidence comes to other facts than those recorded".to_owned());
        }
        self.evidence_read += 1;
        Ok(())
    }
}
