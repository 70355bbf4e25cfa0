//! Readiness: proven, not assumed. A token signs a self-test, the log is synced; at most once in ten seconds.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Mutex;

use super::Operations;
use crate::policy::PolicyKey;

/// One thing that was proven, or was not.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// `audit log`, or `token NAME`.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Whether requests can be served.
#[derive(Clone, Debug, Serialize)]
pub struct Readiness {
    /// The log can be written, and every key of the policy is in a token that signs.
    pub ready: bool,
    /// `development` or `production`.
    pub profile: &'static str,
    /// Each.
    pub checks: Vec<Check>,
}

#[derive(Debug, Default)]
pub(super) struct LastCheck(Mutex<Option<(Instant, Readiness)>>);

const AT_MOST_EVERY: Duration = Duration::from_secs(10);

impl Operations {
    /// Whether requests can be served, as found at most ten seconds ago.
    pub async fn readiness(&self) -> Readiness {
        self.readiness_within(AT_MOST_EVERY).await
    }

    /// Whether requests can be served, as found at most so long ago.
    pub(super) async fn readiness_within(&self, age: Duration) -> Readiness {
        let mut last = self.readiness.0.lock().await;
        if let Some((at, readiness)) = &*last
            && at.elapsed() < age
        {
            return readiness.clone();
        }
        let readiness = self.check_readiness().await;
        *last = Some((Instant::now(), readiness.clone()));
        readiness
    }

    async fn check_readiness(&self) -> Readiness {
        let mut checks = Vec::new();
        let mut signing = Vec::new();
        for token in self.tokens.all() {
            let result = self.tokens.self_test(token).await;
            if result.is_ok() {
                signing.push(token.name());
            }
            checks.push(check(format!("token {}", token.name()), result));
        }
        // One token may be down where another holds its keys.
        let served = |key: &PolicyKey| self.tokens.homes(&key.name).iter().any(|home| signing.contains(&home.as_str()));
        let all_served = !signing.is_empty() && self.audit.policy().keys.iter().all(served);
        let log = self.audit.probe().await.map_err(|refusal| refusal.problem.detail.clone());
        // Those read before go on serving: it makes nothing unready.
        checks.push(check("certificates".to_owned(), self.certificates.check()));
        let ready = all_served && log.is_ok();
        checks.push(check("audit log".to_owned(), log));
        Readiness { ready, profile: self.config.profile.name(), checks }
    }
}

fn check(name: String, result: Result<(), String>) -> Check {
    Check { name, ok: result.is_ok(), detail: result.err() }
}
