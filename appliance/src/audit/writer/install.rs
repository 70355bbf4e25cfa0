//! A new policy at the writer: checked against the one in force, recorded whole, and everything counted anew under it.

use std::sync::{Arc, PoisonError};

use appliance_wire::{Body, OfficerSignature, PolicyEntry, PolicyStanding, ProblemCode};

use super::{Draft, Writer};
use crate::{
    audit::{
        decided::{Incoming, Install, Installed},
        job::Reply,
    },
    clock::Moment,
    officers::{Act, ActRequest, agreed, renewal},
    policy::{Policy, PolicyKey, loosenings},
    refusal::Refusal,
    state::{State, address_of},
};

impl Writer {
    pub(super) fn install(&mut self, install: Install, reply: Reply<Installed>) {
        let asked = if let Incoming::Signed(request, _) = &install.request { Some(request.clone()) } else { None };
        let result = self.try_install(install).map_err(|refusal| {
            let Some(request) = asked.filter(|_| refusal.code() == ProblemCode::Denied) else { return refusal };
            let mut draft = Draft::new(self.moment(), self.state.size);
            let refusal = self.act_denied(&mut draft, &request, refusal);
            self.commit(draft);
            refusal
        });
        let _ = reply.send(result);
    }

    fn try_install(&mut self, Install { request, keys }: Install) -> Result<Installed, Refusal> {
        self.unanchored.has_begun()?;
        let moment = self.moment();
        let (parsed, entry) = self.policy_entry(request, moment)?;
        self.may_follow(&parsed)?;
        let waited = self.state.waiting_policy.as_ref().map(|waiting| waiting.policy.version);
        let ends_waiting = waited.filter(|version| entry.standing.is_in_force() && *version != entry.version);
        let installed = Installed { standing: entry.standing, loosens: entry.loosens.clone(), ends_waiting };
        if !entry.standing.is_in_force() {
            self.commit_alone(moment, vec![Body::Policy(entry)])?;
            return Ok(installed);
        }
        let mut counted = State { policy: Some(Arc::new(parsed)), ..self.state.clone() };
        let unfit = |error| malformed(format!("what the log holds cannot be counted under it: {error}"));
        counted.recount(&*self.log).map_err(unfit)?;
        self.commit_alone(moment, [Body::Policy(entry)].into_iter().chain(keys.into_iter().map(Body::Key)).collect())?;
        self.state.counted(counted.usage);
        self.unanchored.must_reach(self.state.size);
        if let Some(policy) = &self.state.policy {
            *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(policy);
        }
        Ok(installed)
    }

    /// The entry of a policy: in force where it only tightens, where it has waited, or where there are no officers.
    fn policy_entry(&self, request: Incoming, moment: Moment) -> Result<(Policy, PolicyEntry), Refusal> {
        let (request, signatures) = match request {
            Incoming::Due => return self.due_policy(moment.elapsed),
            Incoming::Signed(request, signatures) => (request, signatures),
        };
        let (ActRequest::InstallPolicy { document } | ActRequest::RenewOfficers { document }) = &request else {
            return Err(Refusal::new(ProblemCode::Internal, "this is no policy"));
        };
        let parsed = Policy::parse(document).map_err(|mistakes| malformed(mistakes.to_string()))?;
        let in_force = self.state.policy.as_deref().ok_or_else(|| malformed("no policy is in force".to_owned()))?;
        let loosens = loosenings(in_force, &parsed);
        let mut entry = PolicyEntry {
            version: parsed.version,
            sha256: parsed.sha256.clone(),
            document: document.clone(),
            standing: PolicyStanding::InForce,
            loosens: loosens.iter().map(|loosening| loosening.what.clone()).collect(),
            signatures: Vec::new(),
        };
        let Some(quorum) = &in_force.quorum else { return Ok((parsed, entry)) };
        let is_renewal = matches!(request, ActRequest::RenewOfficers { .. });
        entry.signatures = if is_renewal {
            self.renewed(&Act::renew(&self.state, in_force, &parsed, &loosens), &signatures, moment)?
        } else {
            agreed(&self.state, &Act::install(&self.state, in_force, &parsed, &loosens), &signatures, moment)?
        };
        if is_renewal || !loosens.is_empty() {
            if let Some(waiting) = &self.state.waiting_policy {
                let version = waiting.policy.version;
                return Err(malformed(format!(
                    "policy version {version} waits already: veto it first, or let it come"
                )));
            }
            entry.standing = PolicyStanding::WaitsUntil(moment.elapsed.saturating_add(quorum.loosen_delay_ms));
        }
        Ok((parsed, entry))
    }

    fn due_policy(&self, now: u64) -> Result<(Policy, PolicyEntry), Refusal> {
        let due = self.state.waiting_policy.as_ref().filter(|waiting| now >= waiting.until);
        let waiting = due.ok_or_else(|| malformed("no policy is due".to_owned()))?;
        let policy = (*waiting.policy).clone();
        let entry = PolicyEntry {
            version: policy.version,
            sha256: policy.sha256.clone(),
            document: policy.document.clone(),
            standing: PolicyStanding::InForce,
            loosens: waiting.loosens.clone(),
            signatures: Vec::new(),
        };
        Ok((policy, entry))
    }

    /// By the key of the custodians' shares, which the genesis names.
    fn renewed(&self, act: &Act, signatures: &[String], moment: Moment) -> Result<Vec<OfficerSignature>, Refusal> {
        let ceremony = self.state.genesis.as_ref().and_then(|genesis| genesis.ceremony.as_ref());
        let key = ceremony.and_then(|ceremony| ceremony.renewal_key.as_deref());
        let origin = self.state.origin().map_err(Refusal::log_unavailable)?;
        Ok(vec![renewal(key, act, &act.texts_in_time(&origin, moment.time), signatures, moment)?])
    }

    /// Makes entries durable as a batch of their own.
    fn commit_alone(&mut self, moment: Moment, bodies: Vec<Body>) -> Result<(), Refusal> {
        let mut draft = Draft::new(moment, self.state.size);
        for body in bodies {
            self.push(&mut draft, body)?;
        }
        let (outcome, committed) = std::sync::mpsc::sync_channel(1);
        draft.waiters.push(Box::new(move |durable| {
            let _ = outcome.send(durable);
        }));
        self.commit(draft);
        committed.recv().unwrap_or_else(|_| Err(Refusal::log_unavailable("the commit was lost")))
    }

    /// Versions only increase; an asset keeps its name and decimals, or amounts of before would mean something else.
    fn may_follow(&self, next: &Policy) -> Result<(), Refusal> {
        let Some(current) = &self.state.policy else { return Ok(()) };
        if next.version <= current.version {
            let detail = format!("version {} does not come after {}: raise `version`", next.version, current.version);
            return Err(malformed(detail));
        }
        if !current.officers.is_empty() && next.officers.is_empty() {
            return Err(malformed("a policy with officers is followed by one with officers".to_owned()));
        }
        for asset in &current.assets {
            let same = next.assets.iter().find(|other| other.chain == asset.chain && other.contract == asset.contract);
            let renamed = same.is_some_and(|other| other.name != asset.name || other.decimals != asset.decimals);
            let retaken = same.is_none() && next.asset(&asset.name).is_some();
            if renamed || retaken {
                return Err(malformed(format!("asset {} changed its name, chain, contract or decimals", asset.name)));
            }
        }
        self.addresses_stay(current, next)
    }

    /// Children are known by their addresses: a key that has some keeps their form and chain.
    fn addresses_stay(&self, current: &Policy, next: &Policy) -> Result<(), Refusal> {
        for key in next.keys.iter().filter(|key| self.state.addresses.allocated(&key.name) > 0) {
            let public_key = self
                .state
                .keys
                .get(&key.name)
                .and_then(|entry| crate::audit::read_public_key(entry.algorithm, &entry.public_key).ok());
            let address = |policy: &Policy, key: &PolicyKey| address_of(policy, key, public_key.as_ref()?);
            let before = current.key(&key.name).and_then(|before| address(current, before));
            if before.is_some() && before != address(next, key) {
                let detail =
                    format!("key {} has children, whose addresses would change: keep its chain and form", key.name);
                return Err(malformed(detail));
            }
        }
        Ok(())
    }
}

fn malformed(detail: String) -> Refusal {
    Refusal::new(ProblemCode::Malformed, detail)
}
