//! Acts of officers again: who signed, under the policy then in force, for the text the log then came to.

use appliance_wire::{
    Body, Entry, KeyEnd, LogToken, OfficerSignature, PolicyEntry, PolicyStanding, Recovered, TokenEvent,
};
use hsm_types::KeyLabel;

use super::Auditor;
use crate::{
    clock::Moment,
    officers::{Act, ActRequest, Agreement, agreement, renewal},
    policy::{Policy, loosenings},
    refusal::Refusal,
};

impl Auditor {
    /// Asked before the entry is added to the tree: some acts name what was there.
    pub(super) fn check_officers(&self, entry: &Entry) -> Result<(), String> {
        let root = || hex::encode(self.frontier.root());
        let (request, signatures) = match &entry.body {
            Body::Policy(policy) => return self.check_policy(entry, policy),
            Body::Approved(approved) => {
                (ActRequest::Approve { pending: approved.pending }, std::slice::from_ref(&approved.signature))
            }
            Body::Rejected(rejected) => {
                (ActRequest::Reject { pending: rejected.pending }, std::slice::from_ref(&rejected.signature))
            }
            Body::Unfrozen(unfrozen) => {
                let (what, reason) = (unfrozen.what.clone(), unfrozen.reason.clone());
                (ActRequest::Unfreeze { what, reason }, &unfrozen.signatures[..])
            }
            Body::Clock(clock) => {
                let time = clock.said.parse().map_err(|_| "what the officers said is no time".to_owned())?;
                (ActRequest::Clock { time, credit_ms: clock.credited }, &clock.signatures[..])
            }
            Body::Released(released) => {
                let (watcher, request_id) = (released.watcher.clone(), released.request_id.as_str().to_owned());
                (ActRequest::Release { watcher, request_id }, &released.signatures[..])
            }
            Body::Key(key) => {
                let Some(change) = &key.change else { return Ok(()) };
                let request = match change.to {
                    KeyEnd::PendingDestroy(_) => {
                        ActRequest::DestroyKey { key: key.name.clone(), reason: change.reason.clone() }
                    }
                    KeyEnd::Kept => ActRequest::KeepKey { key: key.name.clone() },
                    KeyEnd::Destroyed => return self.check_destroyed(entry, &key.name),
                };
                (request, &change.signatures[..])
            }
            Body::Token(token) => {
                let TokenEvent::HoldsLog(home) = &token.event else { return Ok(()) };
                let LogToken { log_key, reason, signatures, .. } = home;
                let act = Act::replace_token(&token.token, &token.serial, log_key, (entry.index, &root()), reason);
                return self.check_quorum(entry, &act, signatures);
            }
            Body::Recovered(Recovered::Log(log)) => {
                let act = Act::recover(entry.index, &root(), &log.reason);
                return self.check_quorum(entry, &act, &log.signatures);
            }
            Body::Genesis(_)
            | Body::Boot(_)
            | Body::Addresses(_)
            | Body::Accepted(_)
            | Body::Pending(_)
            | Body::Withdrawn(_)
            | Body::Signed(_)
            | Body::Failed(_)
            | Body::Lapsed(_)
            | Body::Denied(_)
            | Body::Frozen(_)
            | Body::Recovered(Recovered::Request(_)) => return Ok(()),
        };
        let act = request.act(&self.state, &self.past).map_err(|refusal| refusal.problem.detail)?;
        self.check_quorum(entry, &act, signatures)
    }

    fn check_policy(&self, entry: &Entry, policy: &PolicyEntry) -> Result<(), String> {
        let Some(in_force) = self.state.policy.as_deref() else { return Ok(()) };
        let Some(quorum) = &in_force.quorum else { return Ok(()) };
        if policy.standing == PolicyStanding::Vetoed {
            let act = ActRequest::VetoPolicy { version: policy.version }.act(&self.state, &self.past);
            let act = act.map_err(|refusal| refusal.problem.detail)?;
            return self.check_quorum(entry, &act, &policy.signatures);
        }
        if let Some(waiting) = &self.state.waiting_policy
            && policy.standing.is_in_force()
            && policy.signatures.is_empty()
        {
            let is_due = waiting.policy.sha256 == policy.sha256 && entry.elapsed >= waiting.until;
            return is_due.then_some(()).ok_or_else(|| "it came into force before it was due".to_owned());
        }
        let candidate = Policy::parse(&policy.document).map_err(|mistakes| mistakes.to_string())?;
        let loosens = loosenings(in_force, &candidate);
        // Not word for word: another version may say it otherwise.
        if !loosens.is_empty() && policy.loosens.is_empty() {
            return Err("it loosens, and does not say what".to_owned());
        }
        let by_custodians = policy.is_by_custodians();
        if let PolicyStanding::WaitsUntil(until) = policy.standing {
            if until < entry.elapsed.saturating_add(quorum.loosen_delay_ms) {
                return Err("it waits for less than the delay".to_owned());
            }
        } else if by_custodians || !loosens.is_empty() {
            return Err("it loosens, and came into force without a delay".to_owned());
        }
        if by_custodians {
            let act = Act::renew(&self.state, in_force, &candidate, &loosens);
            return self.check_renewal(entry, &act, &policy.signatures);
        }
        let act = Act::install(&self.state, in_force, &candidate, &loosens);
        self.check_quorum(entry, &act, &policy.signatures)
    }

    fn check_renewal(&self, entry: &Entry, act: &Act, given: &[OfficerSignature]) -> Result<(), String> {
        let texts = self.texts(entry, act, given)?;
        let key = self.state.genesis.as_ref().and_then(|genesis| genesis.ceremony.as_ref());
        let key = key.and_then(|ceremony| ceremony.renewal_key.as_deref());
        let again = renewal(key, act, &texts, &armoured(given), Moment::of(entry)?);
        same(again.map(|one| vec![one]), given)
    }

    fn check_destroyed(&self, entry: &Entry, key: &KeyLabel) -> Result<(), String> {
        match self.state.key_ends.get(key) {
            Some(KeyEnd::PendingDestroy(from)) if entry.elapsed >= *from => Ok(()),
            _ => Err(format!("key {key} was destroyed before its time")),
        }
    }

    /// Texts in the entry that the act had then, under the origin of the log then: of the key before, where it gets another.
    fn texts(&self, entry: &Entry, act: &Act, given: &[OfficerSignature]) -> Result<Vec<String>, String> {
        let given = given.iter().map(|one| one.text.clone());
        Ok(act.among(&self.state.origin()?, Moment::of(entry)?.time, given))
    }

    fn check_quorum(&self, entry: &Entry, act: &Act, given: &[OfficerSignature]) -> Result<(), String> {
        let Some(policy) = self.state.policy.as_deref() else { return Ok(()) };
        let Some(quorum) = &policy.quorum else { return Ok(()) };
        let texts = self.texts(entry, act, given)?;
        let again = agreement(policy, act, &texts, &armoured(given), Moment::of(entry)?);
        let again = again.and_then(|again| again.at_least(quorum, act));
        same(again.map(Agreement::into_signatures), given)
    }
}

fn armoured(given: &[OfficerSignature]) -> Vec<String> {
    given.iter().map(|one| one.signature.clone()).collect()
}

fn same(again: Result<Vec<OfficerSignature>, Refusal>, given: &[OfficerSignature]) -> Result<(), String> {
    let again =
        again.map_err(|refusal| format!("what officers signed for it does not hold: {}", refusal.problem.detail))?;
    if again == given { Ok(()) } else { Err("it names other officers, keys or texts than were signed".to_owned()) }
}
