//! Freezes, which take no signature. One holds from the moment it is asked for, also where the log cannot record it.

use appliance_wire::{ProblemCode, Scope};

use super::Operations;
use crate::{principal::Peer, refusal::Refusal};

const LONGEST_REASON: usize = 1_000;

impl Operations {
    /// A watcher freezes itself.
    ///
    /// # Errors
    /// `audit-log-unavailable`: the freeze holds until the next restart all the same.
    pub async fn freeze_self(&self, peer: &Peer, reason: String) -> Result<(), Refusal> {
        let watcher = self.principal(peer)?.watcher().to_owned();
        self.freeze_by(Scope::Watcher(watcher.clone()), format!("watcher {watcher}"), reason).await
    }

    /// The admin socket freezes a key, a watcher or everything.
    ///
    /// # Errors
    /// `malformed` where there is no such key or watcher; `audit-log-unavailable`.
    pub async fn freeze(&self, what: Scope, reason: String) -> Result<(), Refusal> {
        self.check_scope(&what)?;
        self.freeze_by(what, "admin socket".to_owned(), reason).await
    }

    pub(super) async fn freeze_by(&self, what: Scope, by: String, reason: String) -> Result<(), Refusal> {
        self.freezes.begin(what.clone());
        tracing::warn!(%what, by, "frozen");
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        self.audit.record_frozen(what.clone(), by.clone(), reason.clone()).await.map_err(|refusal| {
            self.freezes.owe(what, by, reason);
            let detail = format!("frozen, but only in memory so far: {}", refusal.problem.detail);
            Refusal::new(ProblemCode::AuditLogUnavailable, detail).retry_after(5)
        })
    }

    fn check_scope(&self, what: &Scope) -> Result<(), Refusal> {
        let policy = self.audit.policy();
        let known = match what {
            Scope::All => true,
            Scope::Key(name) => policy.keys.iter().any(|key| key.name.as_str() == name),
            Scope::Watcher(name) => policy.watchers.iter().any(|watcher| watcher.name == *name),
        };
        if known {
            return Ok(());
        }
        let detail = format!("the policy has no {what}: freeze one it names, or everything");
        Err(Refusal::new(ProblemCode::Malformed, detail))
    }
}
