//! Every decision again: the policy then in force must accept the request, on facts that its evidence still comes to.

use appliance_wire::{Accepted, Entry, Evidence};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::Auditor;
use crate::{
    admission::{self, Application, Decision},
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
        let application = Application { watcher: &accepted.watcher, command: &command, facts: &facts };
        let time = entry.time.parse().map_err(|_| "its time is no RFC 3339".to_owned())?;
        let moment = Moment { time, elapsed: entry.elapsed, wall_trusted: true };
        let decision = admission::decide(&self.state, &self.past, &application, moment);
        self.decisions += 1;
        match decision.map_err(|error| error.to_string())? {
            Decision::Accepted(again) if *again == *accepted => Ok(()),
            Decision::Accepted(_) => Err("decided again, it comes to other facts or rules".to_owned()),
            Decision::Bound(binding) => Err(format!("its id was bound before, by entry {}", binding.accepted)),
            Decision::Refused(refusal) => Err(format!("decided again, it is refused: {}", refusal.problem.detail)),
        }
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
