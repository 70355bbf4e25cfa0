//! All that the console page shows but for entries, made at most once a second however many look.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use appliance_wire::{Body, Scope};
use jiff::Timestamp;
use tokio::{sync::Mutex, time::timeout};

use super::{
    KeyStatus, LimitUses, Operations, PendingList, Readiness, Status, key_ends::key_statuses, limits::all_limits,
    officers::pending_list,
};
use crate::{
    metrics::history::{MINUTES, Minute},
    policy::Policy,
    state::{Bindings, State},
};

/// The appliance at a moment.
#[derive(Clone, Debug)]
pub struct Overview {
    /// When.
    pub made: Timestamp,
    /// What an operator sees at a glance.
    pub status: Status,
    /// As found within the last minute; none where the check has not ended.
    pub readiness: Option<Readiness>,
    /// Why the log's writer does not answer: then what it would know is missing here.
    pub log_silent: Option<String>,
    /// Freezes in force.
    pub frozen: Vec<Freeze>,
    /// What waits for officers: the first few requests, and the policy.
    pub pending: PendingList,
    /// What limits have seen.
    pub limits: LimitUses,
    /// Every key of the log.
    pub keys: Vec<KeyFacts>,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// The policy that waits.
    pub waiting_policy: Option<Arc<Policy>>,
    /// The last quarter of an hour.
    pub quarter: Minute,
    /// The last day, or as much of it as this process has seen.
    pub day: Minute,
}

/// A freeze in force.
#[derive(Clone, Debug)]
pub struct Freeze {
    /// What is frozen.
    pub what: Scope,
    /// Index of its entry; none where it is not recorded yet.
    pub entry: Option<u64>,
    /// By whom and why, where that could be read.
    pub by: Option<(String, String)>,
}

/// A key and where it is.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// As the log and the policy have it.
    pub status: KeyStatus,
    /// The tokens that hold it, as far as is known.
    pub tokens: Vec<String>,
    /// Why nothing can be signed with it now.
    pub not_ready: Option<String>,
}

/// What the writer is asked, in one question.
#[derive(Default)]
struct Durable {
    frozen: BTreeMap<Scope, u64>,
    pending: PendingList,
    limits: LimitUses,
    keys: Vec<KeyStatus>,
    waiting_policy: Option<Arc<Policy>>,
}

#[derive(Debug, Default)]
pub(super) struct LastOverview(Mutex<Option<(Instant, Arc<Overview>)>>);

const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// A look costs a token no more self-tests than this.
const READINESS_WITHIN: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(3);
const MOST_PENDING: usize = 20;
const MOST_FREEZES: usize = 50;
const QUARTER: u64 = 15;

impl Operations {
    /// The appliance, as it was at most a second ago.
    pub async fn overview(&self) -> Arc<Overview> {
        let mut last = self.overview.0.lock().await;
        if let Some((at, overview)) = &*last
            && at.elapsed() < AT_MOST_EVERY
        {
            return Arc::clone(overview);
        }
        let overview = Arc::new(self.look().await);
        *last = Some((Instant::now(), Arc::clone(&overview)));
        overview
    }

    /// Whether the console page is served.
    #[must_use]
    pub fn serves_console(&self) -> bool {
        self.config.serves_console
    }

    /// The verifier key of the log.
    #[must_use]
    pub fn log_key(&self) -> String {
        self.checkpoints.key().to_string()
    }

    async fn look(&self) -> Overview {
        let readiness = timeout(PATIENCE, self.readiness_within(READINESS_WITHIN)).await.ok();
        let (durable, log_silent) = match self.audit.query(durable).await {
            Ok(durable) => (durable, None),
            Err(refusal) => (Durable::default(), Some(refusal.problem.detail)),
        };
        let history = &self.metrics.history;
        let status = self.status().await;
        Overview {
            made: Timestamp::now(),
            frozen: status
                .frozen
                .iter()
                .take(MOST_FREEZES)
                .map(|scope| self.freeze_in_force(scope, &durable))
                .collect(),
            status,
            readiness,
            log_silent: log_silent.or_else(|| self.audit.broken()),
            pending: durable.pending,
            limits: durable.limits,
            keys: durable.keys.into_iter().map(|key| self.key_facts(key)).collect(),
            policy: self.audit.policy(),
            waiting_policy: durable.waiting_policy,
            quarter: history.sum(QUARTER),
            day: history.sum(MINUTES),
        }
    }

    /// The last day, as far as this process has seen it: (minutes ago, what happened), oldest first.
    #[must_use]
    pub fn last_day(&self) -> Vec<(u64, Minute)> {
        self.metrics.history.last(MINUTES)
    }

    fn freeze_in_force(&self, what: &Scope, durable: &Durable) -> Freeze {
        let entry = durable.frozen.get(what).copied();
        let recorded = entry.and_then(|index| self.audit.log().entry(index).ok());
        let by = match recorded.map(|entry| entry.body) {
            Some(Body::Frozen(frozen)) => Some((frozen.by, frozen.reason)),
            _ => self.freezes.unrecorded().remove(what),
        };
        Freeze { what: what.clone(), entry, by }
    }

    fn key_facts(&self, status: KeyStatus) -> KeyFacts {
        match status.name.parse() {
            Ok(label) => KeyFacts {
                tokens: self.tokens.homes(&label),
                not_ready: self.tokens.ready(&label).err().map(|failure| failure.reason),
                status,
            },
            Err(error) => KeyFacts { tokens: Vec::new(), not_ready: Some(format!("{error}")), status },
        }
    }
}

fn durable(state: &State, moment: crate::clock::Moment) -> Durable {
    Durable {
        frozen: state.frozen.clone(),
        pending: pending_list(state, moment.elapsed, MOST_PENDING),
        limits: all_limits(state, moment),
        keys: key_statuses(state, moment.elapsed),
        waiting_policy: state.waiting_policy.as_ref().map(|waiting| Arc::clone(&waiting.policy)),
    }
}
