//! What is shown of the readings.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    labels::{CertificateLabel, LimitLabel, LimitLabels, StateLabel, TokenLabel, WatcherLabel, WitnessLabel},
    readings::{ApplianceState, LimitReading, LogReading, Readings, WaitingReading},
};

/// The gauges.
#[derive(Debug)]
pub(super) struct Gauges {
    state: Family<StateLabel, Gauge>,
    started: Gauge,
    policy_version: Gauge,
    frozen: Gauge,
    keys_unavailable: Gauge,
    tokens_up: Family<TokenLabel, Gauge>,
    log: LogGauges,
    mirror_failed: Gauge,
    mirror_behind: Gauge,
    disk_free: Gauge,
    ballast_missing: Gauge,
    witness_size: Family<WitnessLabel, Gauge>,
    witness_timestamp: Family<WitnessLabel, Gauge>,
    certificate_expiry: Family<CertificateLabel, Gauge>,
    client_certificate_expiry: Family<WatcherLabel, Gauge>,
    certificates_not_reloaded: Gauge,
    log_lines_lost: Counter,
    waiting: WaitingGauges,
}

#[derive(Debug)]
struct LogGauges {
    size: Gauge,
    checked: Gauge,
    not_whole: Gauge,
    not_writable: Gauge,
    checkpoint_size: Gauge,
    checkpoint_timestamp: Gauge,
    anchor_timestamp: Gauge,
    anchor_behind: Gauge,
}

#[derive(Debug)]
struct WaitingGauges {
    open_requests: Gauge,
    pending_requests: Gauge,
    oldest_pending: Gauge,
    policies: Gauge,
    wall_clock_stepped: Gauge,
    limit_max: Family<LimitLabels, Gauge<f64, AtomicU64>>,
    limit_remaining: Family<LimitLabels, Gauge<f64, AtomicU64>>,
    limit_window: Family<LimitLabel, Gauge>,
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn family<L: Clone + std::fmt::Debug + EncodeLabelSet + Eq + std::hash::Hash + Send + Sync + 'static>(
    registry: &mut Registry,
    name: &str,
    help: &str,
) -> Family<L, Gauge> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

fn lost(registry: &mut Registry) -> Counter {
    let lost = Counter::default();
    registry.register("stderr_lines_lost", "Lines of the program's log that nobody read in time", lost.clone());
    lost
}

impl Gauges {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let r = registry;
        Self {
            state: family(r, "state", "1 for the state it is in: operational, frozen or failed"),
            started: gauge(r, "process_start_time_seconds", "When this process began, in seconds since 1970"),
            policy_version: gauge(r, "policy_version", "Version of the policy in force"),
            frozen: gauge(r, "frozen", "Freezes in force"),
            keys_unavailable: gauge(r, "keys_unavailable", "Keys of the policy that no token can sign with now"),
            tokens_up: family(r, "token_up", "1 where the token can sign"),
            log: LogGauges::new(r),
            mirror_failed: gauge(r, "mirror_failed", "1 where a mirror of the log is configured and not written"),
            mirror_behind: gauge(r, "mirror_behind_bytes", "Bytes of the log that the mirror does not hold yet"),
            disk_free: gauge(r, "disk_free_bytes", "Free on the disk of the log"),
            ballast_missing: gauge(r, "ballast_missing", "1 where no ballast file keeps room for a full disk"),
            witness_size: family(
                r,
                "witness_cosigned_size",
                "Entries of the log that a witness cosigned last, 0 where it never did",
            ),
            witness_timestamp: family(
                r,
                "witness_last_cosigned_timestamp_seconds",
                "When a witness cosigned last, by its own clock, in seconds since 1970, 0 where it never did",
            ),
            certificate_expiry: family(
                r,
                "certificate_expiry_seconds",
                "When a file of the watcher listener ends, in seconds since 1970",
            ),
            client_certificate_expiry: family(
                r,
                "client_certificate_expiry_seconds",
                "When the certificate ends that a watcher came with in the last week, in seconds since 1970",
            ),
            certificates_not_reloaded: gauge(
                r,
                "certificates_not_reloaded",
                "1 where changed certificates could not be used and those read before are in force",
            ),
            log_lines_lost: lost(r),
            waiting: WaitingGauges::new(r),
        }
    }

    /// Shows these readings.
    pub(super) fn set(&self, readings: &Readings) {
        for state in ApplianceState::ALL {
            let label = StateLabel { state: state.name().to_owned() };
            self.state.get_or_create(&label).set(i64::from(state == readings.state));
        }
        self.started.set(readings.started.as_second());
        self.policy_version.set(number(readings.policy_version));
        self.frozen.set(count(readings.freezes));
        self.keys_unavailable.set(count(readings.keys_unavailable));
        for (token, up) in &readings.tokens {
            self.tokens_up.get_or_create(&TokenLabel { token: token.clone() }).set(i64::from(*up));
        }
        self.log.set(&readings.log);
        if let Some((up, behind_bytes)) = readings.mirror {
            self.mirror_failed.set(i64::from(!up));
            self.mirror_behind.set(number(behind_bytes));
        }
        self.disk_free.set(number(readings.disk_free_bytes));
        self.ballast_missing.set(i64::from(!readings.ballast_kept));
        for witness in &readings.witnesses {
            let label = WitnessLabel { witness: witness.name.clone() };
            self.witness_size.get_or_create(&label).set(number(witness.size));
            self.witness_timestamp.get_or_create(&label).set(number(witness.timestamp));
        }
        self.set_certificates(readings);
        self.log_lines_lost.inner().store(readings.log_lines_lost, Ordering::Relaxed);
        if let Some(waiting) = &readings.waiting {
            self.waiting.set(waiting);
        }
    }

    fn set_certificates(&self, readings: &Readings) {
        for (name, end) in &readings.certificates {
            let label = CertificateLabel { name: (*name).to_owned() };
            self.certificate_expiry.get_or_create(&label).set(end.as_second());
        }
        self.client_certificate_expiry.clear();
        for (watcher, end) in &readings.client_certificates {
            let label = WatcherLabel { watcher: watcher.clone() };
            self.client_certificate_expiry.get_or_create(&label).set(end.as_second());
        }
        self.certificates_not_reloaded.set(i64::from(readings.certificates_not_reloaded));
    }
}

impl LogGauges {
    fn new(r: &mut Registry) -> Self {
        Self {
            size: gauge(r, "log_size", "Entries in the audit log"),
            checked: gauge(r, "log_checked", "Entries of the audit log found whole since the start"),
            not_whole: gauge(r, "log_not_whole", "1 where the audit log was found not to be whole: nothing is signed"),
            not_writable: gauge(
                r,
                "log_not_writable",
                "1 where the audit log cannot be written any more: nothing is signed until a restart",
            ),
            checkpoint_size: gauge(r, "checkpoint_size", "Entries the newest checkpoint covers"),
            checkpoint_timestamp: gauge(
                r,
                "checkpoint_timestamp_seconds",
                "When the newest checkpoint was made, in seconds since 1970, 0 where there is none",
            ),
            anchor_timestamp: gauge(
                r,
                "anchor_timestamp_seconds",
                "When this process wrote the log's anchor into the token last, in seconds since 1970, 0 where it never did",
            ),
            anchor_behind: gauge(
                r,
                "anchor_behind",
                "1 where there are entries beyond the anchor that are worth writing it anew",
            ),
        }
    }

    fn set(&self, log: &LogReading) {
        let seconds = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_second);
        self.size.set(number(log.size));
        self.checked.set(number(log.checked));
        self.not_whole.set(i64::from(!log.is_whole));
        self.not_writable.set(i64::from(!log.is_writable));
        self.checkpoint_size.set(number(log.checkpoint_size));
        self.checkpoint_timestamp.set(seconds(log.checkpoint_at));
        self.anchor_timestamp.set(seconds(log.anchor_at));
        self.anchor_behind.set(i64::from(log.anchor_is_behind));
    }
}

impl WaitingGauges {
    fn new(r: &mut Registry) -> Self {
        let limits = |r: &mut Registry, name: &str, help: &str| {
            let family = Family::default();
            r.register(name, help, family.clone());
            family
        };
        Self {
            open_requests: gauge(r, "open_requests", "Accepted requests that are not signed yet"),
            pending_requests: gauge(r, "pending_requests", "Requests that wait for officers"),
            oldest_pending: gauge(
                r,
                "pending_oldest_seconds",
                "Since how long the oldest request waits for officers, 0 where none does",
            ),
            policies: gauge(r, "waiting_policies", "Policies that wait to come into force"),
            wall_clock_stepped: gauge(
                r,
                "wall_clock_stepped",
                "1 where the wall clock stepped and is not trusted: hours and expires_at refuse",
            ),
            limit_max: limits(r, "limit_max", "The most of a limit in its window, in main units of its asset"),
            limit_remaining: limits(r, "limit_remaining", "What a limit has left, in main units of its asset"),
            limit_window: family(r, "limit_window_seconds", "Length of a limit's window; not of those for ever"),
        }
    }

    /// A limit that is no more in the policy is no more shown.
    fn set(&self, waiting: &WaitingReading) {
        self.open_requests.set(count(waiting.open_requests));
        self.pending_requests.set(count(waiting.pending_requests));
        self.oldest_pending.set(number(waiting.oldest_pending_s));
        self.policies.set(count(waiting.policies));
        self.wall_clock_stepped.set(i64::from(waiting.wall_clock_stepped));
        self.limit_max.clear();
        self.limit_remaining.clear();
        self.limit_window.clear();
        for LimitReading { limit, scope, asset, max, remaining, window_s } in &waiting.limits {
            let labels = LimitLabels { limit: limit.clone(), scope: scope.clone(), asset: asset.clone() };
            self.limit_max.get_or_create(&labels).set(*max);
            self.limit_remaining.get_or_create(&labels).set(*remaining);
            if let Some(seconds) = window_s {
                self.limit_window.get_or_create(&LimitLabel { limit: limit.clone() }).set(number(*seconds));
            }
        }
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
