//! What happens, counted as it happens.

use std::time::Duration;

use appliance_wire::ProblemCode;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    Metrics,
    labels::{CallLabel, CodeLabel, DenialLabels, ReasonLabel, RequestLabels, TokenErrorLabels, TokenLabel},
};

/// The label where nobody is known by that name: no watcher and no key can be called so.
pub const NO_NAME: &str = "-";

/// Why somebody came no further than the door.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthFailure {
    /// TLS was not spoken, or not as we accept it.
    Handshake,
    /// The handshake took too long.
    SlowHandshake,
    /// No certificate came, or one that is expired, revoked, or of another CA.
    Certificate,
    /// A certificate of our CA whose key no watcher of the policy has, or that is no longer good.
    UnknownWatcher,
    /// There are as many connections as there may be.
    TooManyConnections,
    /// This client key has as many as it may have.
    TooManyOfOneKey,
}

impl AuthFailure {
    const ALL: [Self; 6] = [
        Self::Handshake,
        Self::SlowHandshake,
        Self::Certificate,
        Self::UnknownWatcher,
        Self::TooManyConnections,
        Self::TooManyOfOneKey,
    ];

    /// The label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::SlowHandshake => "slow-handshake",
            Self::Certificate => "certificate",
            Self::UnknownWatcher => "unknown-watcher",
            Self::TooManyConnections => "too-many-connections",
            Self::TooManyOfOneKey => "too-many-of-one-key",
        }
    }
}

/// The counters.
#[derive(Debug)]
pub(super) struct Events {
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<CallLabel, Histogram>,
    refusals: Family<CodeLabel, Counter>,
    denials: Family<DenialLabels, Counter>,
    auth_failures: Family<ReasonLabel, Counter>,
    connections: Gauge,
    entries: Counter,
    syncs: Counter,
    signatures: Family<TokenLabel, Counter>,
    sign_seconds: Family<TokenLabel, Histogram>,
    token_errors: Family<TokenErrorLabels, Counter>,
    wrong_signatures: Family<TokenLabel, Counter>,
    device_log_entries: Family<TokenLabel, Counter>,
    unexplained: Family<TokenLabel, Counter>,
}

fn histogram() -> Histogram {
    Histogram::new([0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0])
}

impl Events {
    /// Registers them. Where the values of a label are known they begin at 0, so that the first event is an increase.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let events = Self {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            refusals: Family::default(),
            denials: Family::default(),
            auth_failures: Family::default(),
            connections: Gauge::default(),
            entries: Counter::default(),
            syncs: Counter::default(),
            signatures: Family::default(),
            sign_seconds: Family::new_with_constructor(histogram),
            token_errors: Family::default(),
            wrong_signatures: Family::default(),
            device_log_entries: Family::default(),
            unexplained: Family::default(),
        };
        events.register_requests(registry);
        events.register_log(registry);
        events.register_tokens(registry);
        for code in ProblemCode::ALL {
            drop(events.refusals.get_or_create(&CodeLabel { code: code.name().to_owned() }));
        }
        for reason in AuthFailure::ALL {
            drop(events.auth_failures.get_or_create(&ReasonLabel { reason: reason.name().to_owned() }));
        }
        events
    }

    fn register_requests(&self, registry: &mut Registry) {
        let help = "Requests for signatures, repeats included, by watcher, key and what they were answered";
        registry.register("requests", help, self.requests.clone());
        let help = "Time from a request's header to its answer, on the watcher listener";
        registry.register("request_duration_seconds", help, self.request_seconds.clone());
        registry.register("refusals", "Refusals of every listener by problem code", self.refusals.clone());
        let help = "Requests for signatures that a rule or a limit of the policy refused, by its name";
        registry.register("policy_denials", help, self.denials.clone());
        let help = "Connections and requests of the watcher listener that came no further than the door";
        registry.register("auth_failures", help, self.auth_failures.clone());
        registry.register("connections", "Open connections of the watcher listener", self.connections.clone());
    }

    fn register_log(&self, registry: &mut Registry) {
        registry.register("log_entries", "Entries committed since the start", self.entries.clone());
        registry.register("log_syncs", "Syncs of the audit log since the start", self.syncs.clone());
        let help = "Entries of a device's own log that were recorded in the audit log";
        registry.register("device_log_entries", help, self.device_log_entries.clone());
        let help = "Keys frozen because a device made signatures nobody can explain";
        registry.register("device_log_unexplained", help, self.unexplained.clone());
    }

    fn register_tokens(&self, registry: &mut Registry) {
        registry.register("token_signatures", "Signatures a token made", self.signatures.clone());
        let help = "Time of one sign call, queueing included";
        registry.register("token_sign_duration_seconds", help, self.sign_seconds.clone());
        let help = "Sign calls of a token that failed, self-tests included, by the device's code";
        registry.register("token_errors", help, self.token_errors.clone());
        let help = "Answers of a token with a signature that did not verify, or repeated a nonce: discarded";
        registry.register("token_wrong_signatures", help, self.wrong_signatures.clone());
    }
}

impl Metrics {
    /// These are the tokens: what is counted of them begins at 0.
    pub fn tokens<'a>(&self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            let label = TokenLabel { token: name.to_owned() };
            let events = &self.events;
            let all = [&events.signatures, &events.wrong_signatures, &events.device_log_entries, &events.unexplained];
            for family in all {
                drop(family.get_or_create(&label));
            }
        }
    }

    /// A request for signatures was answered: `signed` or where else it stands, or the code of its refusal. Names are those
    /// of the policy, or [`NO_NAME`].
    pub fn request_answered(&self, watcher: &str, key: &str, outcome: &str) {
        self.history.answered(outcome);
        let (watcher, key, outcome) = (watcher.to_owned(), key.to_owned(), outcome.to_owned());
        self.events.requests.get_or_create(&RequestLabels { watcher, key, outcome }).inc();
    }

    /// A rule or a limit of the policy refused a request for signatures.
    pub fn denied(&self, rule: &str, key: &str) {
        self.events.denials.get_or_create(&DenialLabels { rule: rule.to_owned(), key: key.to_owned() }).inc();
    }

    /// A call of the watcher listener was answered; `call` is one of the listener's own.
    pub fn call_took(&self, call: &str, took: Duration) {
        self.events.request_seconds.get_or_create(&CallLabel { call: call.to_owned() }).observe(took.as_secs_f64());
    }

    /// A request of any listener was refused.
    pub fn refused(&self, code: ProblemCode) {
        self.events.refusals.get_or_create(&CodeLabel { code: code.name().to_owned() }).inc();
    }

    /// Somebody came no further than the door.
    pub fn turned_away(&self, why: AuthFailure) {
        self.events.auth_failures.get_or_create(&ReasonLabel { reason: why.name().to_owned() }).inc();
    }

    /// A connection began or ended.
    pub fn connection(&self, change: i64) {
        self.events.connections.inc_by(change);
    }

    /// A batch was synced.
    pub fn committed(&self, entries: u64) {
        self.events.entries.inc_by(entries);
        self.events.syncs.inc();
    }

    /// A token signed.
    pub fn token_signed(&self, token: &str, signatures: u64, took: Duration) {
        self.history.token_signed(token, took);
        let label = TokenLabel { token: token.to_owned() };
        self.events.signatures.get_or_create(&label).inc_by(signatures);
        self.events.sign_seconds.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// A sign call failed with one of the codes there are.
    pub fn token_failed(&self, token: &str, code: &str) {
        let labels = TokenErrorLabels { token: token.to_owned(), code: code.to_owned() };
        self.events.token_errors.get_or_create(&labels).inc();
    }

    /// A token's signature did not verify, or repeated a nonce.
    pub fn wrong_signature(&self, token: &str) {
        self.events.wrong_signatures.get_or_create(&TokenLabel { token: token.to_owned() }).inc();
    }

    /// Entries of a device's own log were recorded.
    pub fn device_log_recorded(&self, token: &str, entries: u64) {
        self.events.device_log_entries.get_or_create(&TokenLabel { token: token.to_owned() }).inc_by(entries);
    }

    /// A device made signatures nobody can explain.
    pub fn unexplained_signatures(&self, token: &str) {
        self.events.unexplained.get_or_create(&TokenLabel { token: token.to_owned() }).inc();
    }
}
