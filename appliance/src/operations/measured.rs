//! What the monitoring is shown: the appliance read off at one moment, without asking a token anything.

use std::time::Duration;

use appliance_wire::{Amount, Scope};
use tokio::time::timeout;

use super::{Cosignatures, Operations, limits::named_scopes};
use crate::{
    audit::{Ballast, free_bytes},
    clock::Moment,
    log_writer::lines_lost,
    metrics::{ApplianceState, LimitReading, LogReading, Readings, WaitingReading, WitnessReading},
    policy::{Limit, Policy},
    state::State,
};

/// A log whose disk hangs must not take the metrics with it.
const PATIENCE: Duration = Duration::from_secs(2);

impl Operations {
    /// All metrics, as OpenMetrics text.
    pub async fn open_metrics(&self) -> String {
        self.metrics.open_metrics(&self.readings().await)
    }

    /// All metrics in Prometheus' older text format.
    pub async fn classic_metrics(&self) -> String {
        self.metrics.classic(&self.readings().await)
    }

    /// How the appliance is, in one word, as far as is known without asking a token.
    #[must_use]
    pub fn state(&self) -> ApplianceState {
        let scrub = self.audit.scrubbed();
        if scrub.finding.is_some() || self.audit.broken().is_some() || self.keys_unavailable() > 0 {
            ApplianceState::Failed
        } else if self.freezes.in_force().contains(&Scope::All) {
            ApplianceState::Frozen
        } else {
            ApplianceState::Operational
        }
    }

    fn keys_unavailable(&self) -> usize {
        self.audit.policy().keys.iter().filter(|key| self.tokens.ready(&key.name).is_err()).count()
    }

    async fn readings(&self) -> Readings {
        let directory = &self.config.state_directory;
        let certificates = self.certificates_status();
        let waiting = timeout(PATIENCE, self.audit.query(waiting)).await;
        Readings {
            state: self.state(),
            started: self.started,
            policy_version: self.audit.policy().version,
            freezes: self.freezes.in_force().len(),
            keys_unavailable: self.keys_unavailable(),
            tokens: self.tokens.all().map(|token| (token.name().to_owned(), token.info().is_some())).collect(),
            log: self.log_reading(),
            mirror: self.mirror.as_ref().map(|mirror| mirror.status()).map(|mirror| (mirror.up, mirror.behind_bytes)),
            disk_free_bytes: free_bytes(directory).unwrap_or_default(),
            ballast_kept: Ballast::of(directory).is_kept(),
            witnesses: self.witness_readings(),
            certificates: certificates.files.iter().map(|file| (file.name, file.not_after)).collect(),
            client_certificates: certificates.earliest_of_clients(),
            certificates_not_reloaded: certificates.not_reloaded.is_some(),
            log_lines_lost: lines_lost(),
            waiting: waiting.ok().and_then(Result::ok),
        }
    }

    fn log_reading(&self) -> LogReading {
        let (scrub, newest) = (self.audit.scrubbed(), self.checkpoints.newest());
        LogReading {
            size: self.audit.log().tip().size,
            checked: scrub.checked,
            is_whole: scrub.finding.is_none(),
            is_writable: self.audit.broken().is_none(),
            checkpoint_size: newest.as_ref().map_or(0, |checkpoint| checkpoint.size()),
            checkpoint_at: self.checkpoints.newest_at(),
            anchor_at: self.anchoring.written_at(),
            anchor_is_behind: self.audit.anchor_due().is_behind(),
        }
    }

    fn witness_readings(&self) -> Vec<WitnessReading> {
        let witnesses = self.cosignatures.iter().flat_map(Cosignatures::status);
        let reading = |witness: super::WitnessStatus| WitnessReading {
            size: witness.size.unwrap_or(0),
            timestamp: witness.timestamp.unwrap_or(0),
            name: witness.name,
        };
        witnesses.map(reading).collect()
    }
}

fn waiting(state: &State, moment: Moment) -> WaitingReading {
    let oldest = state.pending.values().map(|waiting| waiting.since).min();
    WaitingReading {
        open_requests: state.open.len(),
        pending_requests: state.pending.len(),
        oldest_pending_s: oldest.map_or(0, |since| moment.elapsed.saturating_sub(since) / 1_000),
        policies: usize::from(state.waiting_policy.is_some()),
        wall_clock_stepped: !moment.wall_trusted,
        limits: state.policy.as_deref().map(|policy| limits(state, policy, moment)).unwrap_or_default(),
    }
}

/// Limits per destination have no single sum, and a destination is no label.
fn limits(state: &State, policy: &Policy, moment: Moment) -> Vec<LimitReading> {
    let mut readings = Vec::new();
    for (place, limit) in policy.limits.iter().enumerate() {
        let Some(scopes) = named_scopes(policy, limit) else { continue };
        readings.extend(scopes.into_iter().map(|scope| {
            let (used, _) = state.usage.used(place, &scope, moment.elapsed);
            reading(policy, limit, scope, used)
        }));
    }
    readings
}

fn reading(policy: &Policy, limit: &Limit, scope: String, used: Amount) -> LimitReading {
    let decimals = policy.decimals_of(limit);
    // What the number loses of its last digits no chart shows.
    let units = |amount: Amount| amount.to_decimal(decimals).as_str().parse().unwrap_or(f64::NAN);
    LimitReading {
        limit: limit.name.clone(),
        scope,
        asset: limit.asset.clone().unwrap_or_else(|| "signatures".to_owned()),
        max: units(limit.most()),
        remaining: units(limit.most().checked_sub(used).unwrap_or(Amount::ZERO)),
        window_s: (!limit.is_lifetime()).then_some(limit.window_ms / 1_000),
    }
}
