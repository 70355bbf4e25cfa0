//! A new policy at the writer: checked against the one in force, recorded whole, and everything counted anew under it.

use std::sync::{Arc, PoisonError};

use appliance_wire::{Body, KeyEntry, PolicyEntry, ProblemCode};

use super::{Draft, Writer};
use crate::{
    audit::job::Reply,
    policy::{Policy, PolicyKey},
    refusal::Refusal,
    state::{State, address_of},
};

impl Writer {
    pub(super) fn install(&mut self, policy: PolicyEntry, keys: Vec<KeyEntry>, reply: Reply<()>) {
        let result = self.try_install(policy, keys);
        let _ = reply.send(result);
    }

    fn try_install(&mut self, policy: PolicyEntry, keys: Vec<KeyEntry>) -> Result<(), Refusal> {
        self.unanchored.has_begun()?;
        let parsed = Policy::parse(&policy.document).map_err(|mistakes| malformed(mistakes.to_string()))?;
        self.may_follow(&parsed)?;
        let mut counted = State { policy: Some(Arc::new(parsed)), ..self.state.clone() };
        let unfit = |error| malformed(format!("what the log holds cannot be counted under it: {error}"));
        counted.recount(&*self.log).map_err(unfit)?;
        let mut draft = Draft::new(self.moment(), self.state.size);
        self.push(&mut draft, Body::Policy(policy))?;
        for key in keys {
            self.push(&mut draft, Body::Key(key))?;
        }
        let (outcome, committed) = std::sync::mpsc::sync_channel(1);
        draft.waiters.push(Box::new(move |durable| {
            let _ = outcome.send(durable);
        }));
        self.commit(draft);
        committed.recv().unwrap_or_else(|_| Err(Refusal::log_unavailable("the commit was lost")))?;
        self.state.counted(counted.usage);
        self.unanchored.must_reach(self.state.size);
        if let Some(policy) = &self.state.policy {
            *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(policy);
        }
        Ok(())
    }

    /// Versions only increase; an asset keeps its name and decimals, or amounts of before would mean something else.
    fn may_follow(&self, next: &Policy) -> Result<(), Refusal> {
        let Some(current) = &self.state.policy else { return Ok(()) };
        if next.version <= current.version {
            let detail = format!("version {} does not come after {}: raise `version`", next.version, current.version);
            return Err(malformed(detail));
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
