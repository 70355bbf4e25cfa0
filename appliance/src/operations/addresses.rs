//! Children of a key: allocated in order, for ever, and listed.

use appliance_wire::{Address, Addresses, AddressesAnswer, AddressesRequest, ProblemCode};
use hsm_types::{ChildKey, KeyLabel};

use super::Operations;
use crate::{
    audit::Allocated,
    policy::{Policy, PolicyKey},
    principal::{Peer, Principal},
    refusal::Refusal,
    state::{MOST_CHILDREN, address_of},
    tokens::Family,
};

/// The most children of one call.
const MOST_AT_ONCE: u32 = 1_000;

impl Operations {
    /// The children that follow `after`, allocated where they are not yet. The same body gives the same addresses, but
    /// for one without `after`, which goes on after the last.
    ///
    /// # Errors
    /// `unknown-key`, `malformed`, `frozen`, `rate-limited`, `audit-log-unavailable`.
    pub async fn allocate(&self, peer: &Peer, key: &str, asked: AddressesRequest) -> Result<AddressesAnswer, Refusal> {
        let principal = self.principal(peer)?;
        let mut parent = self.parent(&principal, key)?;
        self.freezes.check(principal.watcher(), &parent.key.name)?;
        if !(1..=MOST_AT_ONCE).contains(&asked.count) {
            return Err(malformed(format!("count is {}: ask for 1 to {MOST_AT_ONCE} children at once", asked.count)));
        }
        let mut allocated = self.allocated(&parent.key.name).await?;
        loop {
            let (first, end) = range(&asked, allocated)?;
            let children = parent.children(first, end)?;
            let fresh = children.iter().filter(|child| child.child >= allocated);
            let allocation = Addresses {
                key: parent.key.name.clone(),
                first: allocated,
                count: end.saturating_sub(allocated),
                addresses: fresh.filter_map(|child| child.address.clone()).collect(),
                watcher: principal.watcher().to_owned(),
            };
            if allocation.count == 0 {
                return Ok(AddressesAnswer { addresses: children, next: (end < allocated).then_some(end - 1) });
            }
            match self.audit.allocate(allocation, parent.policy.version).await? {
                Allocated::Done => return Ok(AddressesAnswer { addresses: children, next: None }),
                Allocated::Overtaken(now) => allocated = now,
            }
            parent = self.parent(&principal, key)?;
        }
    }

    /// Allocated children from the one after `after` on, or from the first.
    ///
    /// # Errors
    /// `unknown-key`.
    pub async fn addresses(&self, peer: &Peer, key: &str, after: Option<u32>) -> Result<AddressesAnswer, Refusal> {
        let principal = self.principal(peer)?;
        let parent = self.parent(&principal, key)?;
        let allocated = self.allocated(&parent.key.name).await?;
        let first = after.map_or(0, |after| after.saturating_add(1)).min(allocated);
        let end = first.saturating_add(MOST_AT_ONCE).min(allocated);
        let addresses = parent.children(first, end)?;
        Ok(AddressesAnswer { addresses, next: (end < allocated).then(|| end.saturating_sub(1)) })
    }

    async fn allocated(&self, key: &KeyLabel) -> Result<u32, Refusal> {
        let key = key.clone();
        self.audit.query(move |state, _| state.addresses.allocated(&key)).await
    }

    /// The key, where it is granted and has children.
    fn parent(&self, principal: &Principal, name: &str) -> Result<Parent, Refusal> {
        let policy = self.audit.policy();
        let unknown = || Refusal::new(ProblemCode::UnknownKey, format!("no key {name:?} is granted to this watcher"));
        let label: KeyLabel = name.parse().map_err(|_| unknown())?;
        let key = policy.granted_key(principal.watcher(), &label).ok_or_else(unknown)?.clone();
        let family = self.tokens.family(&label).ok_or_else(unknown)?;
        if !key.children {
            let detail = format!("key {name} has no children: the policy says so");
            return Err(Refusal::new(ProblemCode::UnknownKey, detail));
        }
        Ok(Parent { policy, key, family })
    }
}

/// A key whose children are asked for.
struct Parent {
    policy: std::sync::Arc<Policy>,
    key: PolicyKey,
    family: Family,
}

impl Parent {
    /// Children from `first` up to `end`. 1,000 take some 30 ms.
    fn children(&self, first: u32, end: u32) -> Result<Vec<Address>, Refusal> {
        let derive = || self.family.children(first..end);
        let children = if end - first > 10 { tokio::task::block_in_place(derive) } else { derive() };
        let children = children.map_err(|error| Refusal::new(ProblemCode::UnknownKey, error.to_string()))?;
        Ok(children.iter().map(|child| self.address(child)).collect())
    }

    fn address(&self, child: &ChildKey) -> Address {
        Address {
            key: format!("{}/{}", self.key.name, child.index()),
            child: child.index(),
            public_key: child.public_key().to_string(),
            address: address_of(&self.policy, &self.key, child.public_key()),
        }
    }
}

/// [first, end) of what is asked for.
fn range(asked: &AddressesRequest, allocated: u32) -> Result<(u32, u32), Refusal> {
    let first = asked.after.map_or(Some(allocated), |after| after.checked_add(1));
    let first = first.filter(|first| *first <= allocated).ok_or_else(|| {
        let last = allocated.checked_sub(1).map_or("none yet".to_owned(), |last| last.to_string());
        malformed(format!("children are allocated without gaps, and the last is {last}: give `after` up to that"))
    })?;
    let end = first.checked_add(asked.count).filter(|end| *end <= MOST_CHILDREN);
    let end = end.ok_or_else(|| malformed(format!("a key has at most {MOST_CHILDREN} children")))?;
    Ok((first, end))
}

fn malformed(detail: String) -> Refusal {
    Refusal::new(ProblemCode::Malformed, detail)
}
