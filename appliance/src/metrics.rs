//! What is counted. Labels are few and fixed: no addresses, no digests, no request ids.

use std::time::Duration;

use appliance_wire::ProblemCode;
use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct CodeLabel {
    code: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct TokenLabel {
    token: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct WitnessLabel {
    witness: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct CertificateLabel {
    name: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct WatcherLabel {
    watcher: String,
}

/// The counters and their registry.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    signed: Counter,
    refusals: Family<CodeLabel, Counter>,
    unauthenticated: Counter,
    connections: Gauge,
    entries: Counter,
    syncs: Counter,
    signatures: Family<TokenLabel, Counter>,
    sign_seconds: Family<TokenLabel, Histogram>,
    wrong_signatures: Family<TokenLabel, Counter>,
    device_log_entries: Family<TokenLabel, Counter>,
    unexplained: Family<TokenLabel, Counter>,
    tokens_up: Family<TokenLabel, Gauge>,
    log_size: Gauge,
    checkpoint_size: Gauge,
    frozen: Gauge,
    mirror_failed: Gauge,
    mirror_behind: Gauge,
    disk_free: Gauge,
    ballast_missing: Gauge,
    log_checked: Gauge,
    log_not_whole: Gauge,
    witness_size: Family<WitnessLabel, Gauge>,
    witness_timestamp: Family<WitnessLabel, Gauge>,
    certificate_expiry: Family<CertificateLabel, Gauge>,
    client_certificate_expiry: Family<WatcherLabel, Gauge>,
    certificates_not_reloaded: Gauge,
    pending_requests: Gauge,
    waiting_policies: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram = || Histogram::new([0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0]);
        let mut metrics = Self {
            registry: Registry::with_prefix("chancery"),
            signed: Counter::default(),
            refusals: Family::default(),
            unauthenticated: Counter::default(),
            connections: Gauge::default(),
            entries: Counter::default(),
            syncs: Counter::default(),
            signatures: Family::default(),
            sign_seconds: Family::new_with_constructor(histogram),
            wrong_signatures: Family::default(),
            device_log_entries: Family::default(),
            unexplained: Family::default(),
            tokens_up: Family::default(),
            log_size: Gauge::default(),
            checkpoint_size: Gauge::default(),
            frozen: Gauge::default(),
            mirror_failed: Gauge::default(),
            mirror_behind: Gauge::default(),
            disk_free: Gauge::default(),
            ballast_missing: Gauge::default(),
            log_checked: Gauge::default(),
            log_not_whole: Gauge::default(),
            witness_size: Family::default(),
            witness_timestamp: Family::default(),
            certificate_expiry: Family::default(),
            client_certificate_expiry: Family::default(),
            certificates_not_reloaded: Gauge::default(),
            pending_requests: Gauge::default(),
            waiting_policies: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "requests_signed",
            "Requests answered with signatures, repeats included",
            self.signed.clone(),
        );
        registry.register("refusals", "Refusals by problem code", self.refusals.clone());
        let help = "Handshakes and requests without a known client certificate";
        registry.register("unauthenticated", help, self.unauthenticated.clone());
        registry.register("connections", "Open connections of the watcher listener", self.connections.clone());
        registry.register("log_entries", "Entries committed since the start", self.entries.clone());
        registry.register("log_syncs", "Syncs of the audit log since the start", self.syncs.clone());
        registry.register("token_signatures", "Signatures a token made", self.signatures.clone());
        registry.register("token_sign_seconds", "Time of one sign call, queueing included", self.sign_seconds.clone());
        let help = "Signatures of a token that did not verify and were discarded";
        registry.register("token_wrong_signatures", help, self.wrong_signatures.clone());
        let help = "Entries of a device's own log that were recorded in the audit log";
        registry.register("device_log_entries", help, self.device_log_entries.clone());
        let help = "Keys frozen because a device made signatures nobody can explain";
        registry.register("device_log_unexplained", help, self.unexplained.clone());
        registry.register("pending_requests", "Requests that wait for officers", self.pending_requests.clone());
        let help = "Policies that wait to come into force";
        registry.register("waiting_policies", help, self.waiting_policies.clone());
        registry.register("token_up", "1 where the token can sign", self.tokens_up.clone());
        registry.register("log_size", "Entries in the audit log", self.log_size.clone());
        registry.register("checkpoint_size", "Entries the newest checkpoint covers", self.checkpoint_size.clone());
        registry.register("frozen", "Freezes in force", self.frozen.clone());
        let help = "1 where a mirror of the log is configured and not written";
        registry.register("mirror_failed", help, self.mirror_failed.clone());
        let help = "Bytes of the log that the mirror does not hold yet";
        registry.register("mirror_behind_bytes", help, self.mirror_behind.clone());
        registry.register("disk_free_bytes", "Free on the disk of the log", self.disk_free.clone());
        let help = "1 where no ballast file keeps room for a full disk";
        registry.register("ballast_missing", help, self.ballast_missing.clone());
        let help = "Entries of the audit log found whole since the start";
        registry.register("log_checked", help, self.log_checked.clone());
        let help = "1 where the audit log was found not to be whole: nothing is signed";
        registry.register("log_not_whole", help, self.log_not_whole.clone());
        let help = "Entries of the log that a witness cosigned last, 0 where it never did";
        registry.register("witness_cosigned_size", help, self.witness_size.clone());
        let help = "When a witness cosigned last, by its own clock, in seconds since 1970, 0 where it never did";
        registry.register("witness_last_cosigned_timestamp_seconds", help, self.witness_timestamp.clone());
        let help = "When a file of the watcher listener ends, in seconds since 1970";
        registry.register("certificate_expiry_seconds", help, self.certificate_expiry.clone());
        let help = "When the certificate ends that a watcher came with in the last week, in seconds since 1970";
        registry.register("client_certificate_expiry_seconds", help, self.client_certificate_expiry.clone());
        let help = "1 where changed certificates could not be used and those read before are in force";
        registry.register("certificates_not_reloaded", help, self.certificates_not_reloaded.clone());
    }

    /// A request was answered with signatures.
    pub fn request_signed(&self) {
        self.signed.inc();
    }

    /// A request was refused.
    pub fn refused(&self, code: ProblemCode) {
        self.refusals.get_or_create(&CodeLabel { code: code.name().to_owned() }).inc();
    }

    /// Somebody unknown came.
    pub fn unauthenticated(&self) {
        self.unauthenticated.inc();
    }

    /// A connection began or ended.
    pub fn connection(&self, change: i64) {
        self.connections.inc_by(change);
    }

    /// A batch was synced.
    pub fn committed(&self, entries: u64) {
        self.entries.inc_by(entries);
        self.syncs.inc();
    }

    /// A token signed.
    pub fn token_signed(&self, token: &str, signatures: u64, took: Duration) {
        let label = TokenLabel { token: token.to_owned() };
        self.signatures.get_or_create(&label).inc_by(signatures);
        self.sign_seconds.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// A token's signature did not verify.
    pub fn wrong_signature(&self, token: &str) {
        self.wrong_signatures.get_or_create(&TokenLabel { token: token.to_owned() }).inc();
    }

    /// Entries of a device's own log were recorded.
    pub fn device_log_recorded(&self, token: &str, entries: u64) {
        self.device_log_entries.get_or_create(&TokenLabel { token: token.to_owned() }).inc_by(entries);
    }

    /// A device made signatures nobody can explain.
    pub fn unexplained_signatures(&self, token: &str) {
        self.unexplained.get_or_create(&TokenLabel { token: token.to_owned() }).inc();
    }

    /// What is looked at when somebody asks.
    pub fn gauges(&self, log_size: u64, checkpoint_size: u64, freezes: usize, tokens: &[(String, bool)]) {
        self.log_size.set(i64::try_from(log_size).unwrap_or(i64::MAX));
        self.checkpoint_size.set(i64::try_from(checkpoint_size).unwrap_or(i64::MAX));
        self.frozen.set(i64::try_from(freezes).unwrap_or(i64::MAX));
        for (token, up) in tokens {
            self.tokens_up.get_or_create(&TokenLabel { token: token.clone() }).set(i64::from(*up));
        }
    }

    /// How the mirror is, where there is one.
    pub fn mirror(&self, up: bool, behind_bytes: u64) {
        self.mirror_failed.set(i64::from(!up));
        self.mirror_behind.set(i64::try_from(behind_bytes).unwrap_or(i64::MAX));
    }

    /// So much waits for officers.
    pub fn waiting(&self, requests: usize, policies: usize) {
        self.pending_requests.set(i64::try_from(requests).unwrap_or(i64::MAX));
        self.waiting_policies.set(i64::try_from(policies).unwrap_or(i64::MAX));
    }

    /// How much room the log has.
    pub fn disk(&self, free_bytes: u64, ballast_kept: bool) {
        self.disk_free.set(i64::try_from(free_bytes).unwrap_or(i64::MAX));
        self.ballast_missing.set(i64::from(!ballast_kept));
    }

    /// How far the log was checked since the start, and whether it is as it must be.
    pub fn scrubbed(&self, checked: u64, whole: bool) {
        self.log_checked.set(i64::try_from(checked).unwrap_or(i64::MAX));
        self.log_not_whole.set(i64::from(!whole));
    }

    /// What a witness cosigned last, and when, in seconds since 1970.
    pub fn witness(&self, name: &str, size: Option<u64>, timestamp: Option<u64>) {
        let label = WitnessLabel { witness: name.to_owned() };
        let value = |number: Option<u64>| i64::try_from(number.unwrap_or(0)).unwrap_or(i64::MAX);
        self.witness_size.get_or_create(&label).set(value(size));
        self.witness_timestamp.get_or_create(&label).set(value(timestamp));
    }

    /// When certificates end: those of the listener by file, those of watchers, and whether changed files were refused.
    pub fn certificates<'a>(
        &self,
        files: impl Iterator<Item = (&'a str, Timestamp)>,
        clients: impl Iterator<Item = (&'a str, Timestamp)>,
        not_reloaded: bool,
    ) {
        for (name, end) in files {
            let label = CertificateLabel { name: name.to_owned() };
            self.certificate_expiry.get_or_create(&label).set(end.as_second());
        }
        self.client_certificate_expiry.clear();
        for (watcher, end) in clients {
            let label = WatcherLabel { watcher: watcher.to_owned() };
            self.client_certificate_expiry.get_or_create(&label).set(end.as_second());
        }
        self.certificates_not_reloaded.set(i64::from(not_reloaded));
    }

    /// OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
