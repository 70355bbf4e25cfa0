//! Acts of officers: the text to sign, and the signatures handed in. The socket gives no right by itself.

use std::{sync::Arc, time::Duration};

use appliance_wire::{PolicyStanding, ProblemCode, Wanted};
use jiff::Timestamp;
use serde::Serialize;

use super::Operations;
use crate::{
    audit::Acted,
    config::Profile,
    officers::{ActRequest, ToSign},
    refusal::Refusal,
    state::{State, Waiting, WaitingPolicy},
};

/// All that waits for officers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PendingList {
    /// Requests, oldest first; at most as many as were asked for.
    pub requests: Vec<PendingRequest>,
    /// The policy that waits to come into force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PendingPolicy>,
}

/// A request that waits.
#[derive(Clone, Debug, Serialize)]
pub struct PendingRequest {
    /// Its number: the index of its entry.
    pub pending: u64,
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: String,
    /// With which key.
    pub key: String,
    /// Until when officers have time.
    pub expires_at: Timestamp,
    /// Who is asked, and why.
    pub wanted: Vec<Wanted>,
    /// Who agreed.
    pub approved_by: Vec<String>,
}

/// A policy that waits.
#[derive(Clone, Debug, Serialize)]
pub struct PendingPolicy {
    /// Its version.
    pub version: u64,
    /// SHA-256 of its document.
    pub sha256: String,
    /// What it loosens, in words.
    pub loosens: Vec<String>,
    /// Seconds of service time until it is in force.
    pub in_force_in_s: u64,
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A token is asked less often than the log.
const LOOKS_FOR_KEYS: u64 = 5;
const LONGEST_REASON: usize = 1_000;

impl Operations {
    /// The text of an act, as the log stands now.
    ///
    /// # Errors
    /// `malformed` where there is nothing it could be done to.
    pub async fn act_text(&self, request: ActRequest) -> Result<ToSign, Refusal> {
        check_reason(&request)?;
        let log = Arc::clone(self.audit.log());
        let made = self.audit.query(move |state, moment| {
            request.act(state, &*log)?.to_sign(state, moment.time).map_err(Refusal::log_unavailable)
        });
        made.await?
    }

    /// Does what officers signed. Where the policy has no officers, which only profile `development` admits, the socket
    /// alone is enough.
    ///
    /// # Errors
    /// `denied`, `malformed`, `audit-log-unavailable`.
    pub async fn act(
        self: &Arc<Self>,
        request: ActRequest,
        signatures: Vec<String>,
    ) -> Result<serde_json::Value, Refusal> {
        check_reason(&request)?;
        if self.audit.policy().officers.is_empty() && self.config.profile != Profile::Development {
            let detail = "the policy has no officers, and only profile development does without";
            return Err(Refusal::new(ProblemCode::Denied, detail).rule("officers"));
        }
        if matches!(request, ActRequest::InstallPolicy { .. } | ActRequest::RenewOfficers { .. }) {
            return self.install_policy(request, signatures).await;
        }
        let acted = self.audit.act(request.clone(), signatures).await?;
        self.follow_act(&request, &acted).await;
        serde_json::to_value(&acted).map_err(Refusal::log_unavailable)
    }

    /// What follows of an act at once.
    async fn follow_act(self: &Arc<Self>, request: &ActRequest, acted: &Acted) {
        tracing::warn!(done = acted.done, officers = ?acted.officers, "officers acted");
        match request {
            ActRequest::Unfreeze { what, .. } => self.freezes.end(what),
            ActRequest::Approve { .. } => {
                self.settle_waiting().await;
            }
            ActRequest::InstallPolicy { .. }
            | ActRequest::RenewOfficers { .. }
            | ActRequest::VetoPolicy { .. }
            | ActRequest::Reject { .. }
            | ActRequest::Clock { .. }
            | ActRequest::Release { .. }
            | ActRequest::DestroyKey { .. }
            | ActRequest::KeepKey { .. } => {}
        }
    }

    /// All that waits for officers.
    ///
    /// # Errors
    /// `audit-log-unavailable`.
    pub async fn pending(&self) -> Result<PendingList, Refusal> {
        self.audit.query(|state, moment| pending_list(state, moment.elapsed, usize::MAX)).await
    }

    /// Looks, as long as it runs, whether something that waited is due: its time over, its delay passed, its policy to
    /// come into force.
    pub async fn keep_settling(self: Arc<Self>) {
        let mut complaint = None;
        for look in 1_u64.. {
            tokio::time::sleep(LOOK_EVERY).await;
            let found = self.settle_waiting().await;
            if found != complaint
                && let Some(reason) = &found
            {
                tracing::error!(reason, "what waits cannot go on");
            }
            complaint = found;
            self.record_freezes().await;
            if look.is_multiple_of(LOOKS_FOR_KEYS) {
                self.look_for_destroyed_keys().await;
            }
        }
    }

    /// Freezes hold at once, also where the log could not record them; here they are recorded as soon as it can.
    async fn record_freezes(&self) {
        for (scope, (by, reason)) in self.freezes.unrecorded() {
            // Where it still cannot, the next look will try again.
            if self.audit.record_frozen(scope.clone(), by, reason).await.is_ok() {
                self.freezes.recorded(&scope);
            }
        }
    }

    /// Decides again what waits, and signs what is accepted by that. Returns why something could not go on.
    async fn settle_waiting(self: &Arc<Self>) -> Option<String> {
        let waiting = |state: &State| (state.pending.len(), usize::from(state.waiting_policy.is_some()));
        let Ok((requests, policies)) = self.audit.query(move |state, _| waiting(state)).await else { return None };
        if (requests, policies) == (0, 0) {
            return None;
        }
        let settled = match self.audit.settle().await {
            Ok(settled) => settled,
            Err(refusal) => return Some(refusal.problem.detail),
        };
        settled.accepted.into_iter().for_each(|accepted| self.take_up(accepted));
        if !settled.policy_is_due {
            return None;
        }
        match self.install_due_policy().await {
            Ok(version) => {
                tracing::warn!(version, "the policy that waited is in force");
                None
            }
            Err(refusal) => {
                Some(format!("the policy that waits is due, and cannot come in: {}", refusal.problem.detail))
            }
        }
    }
}

pub(super) fn pending_list(state: &State, elapsed: u64, most: usize) -> PendingList {
    let request = |(pending, waiting): (&u64, &Waiting)| PendingRequest {
        pending: *pending,
        watcher: waiting.watcher.clone(),
        request_id: waiting.request_id.as_str().to_owned(),
        key: waiting.key.to_string(),
        expires_at: waiting.expires_at,
        wanted: waiting.wanted.clone(),
        approved_by: waiting.approvals.iter().map(|given| given.officer.clone()).collect(),
    };
    let policy = |waiting: &WaitingPolicy| PendingPolicy {
        version: waiting.policy.version,
        sha256: waiting.policy.sha256.clone(),
        loosens: waiting.loosens.clone(),
        in_force_in_s: waiting.until.saturating_sub(elapsed).div_ceil(1_000),
    };
    PendingList {
        requests: state.pending.iter().take(most).map(request).collect(),
        policy: state.waiting_policy.as_ref().map(policy),
    }
}

fn check_reason(request: &ActRequest) -> Result<(), Refusal> {
    let (ActRequest::Unfreeze { reason, .. } | ActRequest::DestroyKey { reason, .. }) = request else { return Ok(()) };
    if reason.chars().count() <= LONGEST_REASON && !reason.chars().any(char::is_control) {
        return Ok(());
    }
    let detail = format!("a reason is one line of at most {LONGEST_REASON} characters");
    Err(Refusal::new(ProblemCode::Malformed, detail))
}

/// What an installed policy is told as.
pub(super) fn standing_in_words(standing: PolicyStanding, elapsed: u64) -> (&'static str, Option<u64>) {
    match standing {
        PolicyStanding::InForce => ("in-force", None),
        PolicyStanding::WaitsUntil(until) => ("waiting", Some(until.saturating_sub(elapsed).div_ceil(1_000))),
        PolicyStanding::Vetoed => ("vetoed", None),
    }
}
