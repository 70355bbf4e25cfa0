//! What the appliance does for those who ask, whatever transport they came by.
//!
//! `sign` is the way of a request; the rest reads the log or changes a freeze.

use std::{sync::Arc, time::Duration};

use appliance_wire::ProblemCode;
use hsm_types::KeyLabel;
use jiff::Timestamp;
use tokio_util::task::TaskTracker;

use crate::{
    audit::{Audit, Mirror},
    call_notes::CallNotes,
    config::Config,
    freezes::Freezes,
    metrics::{AuthFailure, Metrics, NO_NAME},
    principal::{Peer, Principal, authenticate},
    refusal::Refusal,
    tokens::Tokens,
    transport::Certificates,
};

mod addresses;
mod anchoring;
mod certificates;
mod checkpoints;
mod cosignatures;
mod entry_search;
mod events;
mod explain;
mod freeze;
mod key_ends;
mod keys;
mod limits;
mod log;
mod measured;
mod officers;
mod overview;
mod policy;
mod readiness;
mod requests;
mod sign;
mod status;

pub use anchoring::{AnchorStatus, Anchoring, FoundAnchor};
pub use certificates::{CertificatesStatus, ClientExpiry, FileExpiry};
pub use checkpoints::Checkpoints;
pub use cosignatures::{Cosignatures, WitnessStatus};
pub use entry_search::{EntrySearch, FoundEntries, FoundEntry, Proven};
pub use events::EventStream;
pub use key_ends::KeyStatus;
pub use limits::{LimitUse, LimitUses};
pub use officers::{PendingList, PendingPolicy, PendingRequest};
pub use overview::{Freeze, KeyFacts, Overview};
pub use policy::key_entries;
pub use readiness::{Check, Readiness};
pub use sign::SignReply;
pub use status::{Addresses, Status, TokenStatus};

/// The appliance at work.
#[derive(Debug)]
pub struct Operations {
    config: Arc<Config>,
    audit: Arc<Audit>,
    tokens: Tokens,
    freezes: Arc<Freezes>,
    metrics: Arc<Metrics>,
    checkpoints: Checkpoints,
    anchoring: Anchoring,
    addresses: Addresses,
    readiness: readiness::LastCheck,
    overview: overview::LastOverview,
    searching: entry_search::OneAtATime,
    mirror: Option<Arc<Mirror>>,
    cosignatures: Option<Cosignatures>,
    certificates: certificates::KnownCertificates,
    event_readers: events::EventReaders,
    started: Timestamp,
    /// Requests run here and not in their connection: a caller who leaves cuts nothing in two.
    requests: TaskTracker,
}

impl Operations {
    /// Puts the parts together; `in_token` is what of the log is kept in a token, or signed there.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        audit: Arc<Audit>,
        tokens: Tokens,
        freezes: Arc<Freezes>,
        metrics: Arc<Metrics>,
        in_token: (Checkpoints, Anchoring),
        addresses: Addresses,
    ) -> Self {
        let (readiness, requests) = (readiness::LastCheck::default(), TaskTracker::new());
        let (checkpoints, anchoring) = in_token;
        let (mirror, cosignatures) = (None, None);
        Self {
            config,
            audit,
            tokens,
            freezes,
            metrics,
            checkpoints,
            anchoring,
            addresses,
            readiness,
            overview: overview::LastOverview::default(),
            searching: entry_search::OneAtATime::default(),
            mirror,
            cosignatures,
            certificates: certificates::KnownCertificates::new(None),
            event_readers: events::EventReaders::default(),
            started: Timestamp::now(),
            requests,
        }
    }

    /// With what writes the second copy of the log.
    #[must_use]
    pub fn with_mirror(self, mirror: Option<Mirror>) -> Self {
        Self { mirror: mirror.map(Arc::new), ..self }
    }

    /// With what keeps the witnesses' cosignatures.
    #[must_use]
    pub fn with_cosignatures(self, cosignatures: Cosignatures) -> Self {
        Self { cosignatures: Some(cosignatures), ..self }
    }

    /// With what its watcher listener proves itself.
    #[must_use]
    pub fn with_certificates(self, certificates: Arc<Certificates>) -> Self {
        Self { certificates: certificates::KnownCertificates::new(Some(certificates)), ..self }
    }

    /// Whether this peer is a watcher of the policy: asked before its body is read, and again for the request itself.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub fn authenticate(&self, peer: &Peer) -> Result<Principal, Refusal> {
        self.principal(peer)
    }

    /// The key of this name, where it is granted.
    #[must_use]
    pub fn granted(&self, principal: &Principal, key: &str) -> Option<KeyLabel> {
        let key = key.parse().ok()?;
        self.audit.policy().granted_key(principal.watcher(), &key).map(|key| key.name.clone())
    }

    fn principal(&self, peer: &Peer) -> Result<Principal, Refusal> {
        let principal = authenticate(&self.audit.policy(), peer, Timestamp::now().as_second())?;
        self.certificates.saw(&principal, peer);
        Ok(principal)
    }

    /// Somebody came no further than the door.
    pub fn count_turned_away(&self, why: AuthFailure) {
        self.metrics.turned_away(why);
    }

    /// A connection was opened.
    pub fn connection_opened(&self) {
        self.metrics.connection(1);
    }

    /// A connection was closed.
    pub fn connection_closed(&self) {
        self.metrics.connection(-1);
    }

    /// A request was refused.
    pub fn count_refusal(&self, code: ProblemCode) {
        self.metrics.refused(code);
    }

    /// A call of the watcher listener was answered.
    pub fn count_call(&self, call: &str, took: Duration) {
        self.metrics.call_took(call, took);
    }

    /// A request for signatures was answered; `rule` is the rule or limit of the policy that refused it.
    pub fn count_request(&self, notes: &CallNotes, outcome: &str, rule: Option<&str>) {
        let (watcher, key) = (notes.watcher().unwrap_or(NO_NAME), notes.key().unwrap_or(NO_NAME));
        self.metrics.request_answered(watcher, key, outcome);
        if let Some(rule) = rule {
            self.metrics.denied(rule, key);
        }
    }

    /// Takes no more requests, and waits for those under way. They may need the anchor still.
    pub async fn finish_requests(&self) {
        self.requests.close();
        self.requests.wait().await;
    }

    /// Ends the rest in order: the log, then its anchor in the token.
    pub async fn stop(&self) {
        self.tokens.empty_device_logs().await;
        self.audit.stop().await;
        if let Some(mirror) = self.mirror.clone() {
            let _ = tokio::task::spawn_blocking(move || mirror.stop()).await;
        }
        self.close_anchor().await;
    }

    /// Why the log must not be gone on with, where that was found only while serving.
    #[must_use]
    pub fn refused_by_anchor(&self) -> Option<String> {
        self.anchoring.refused()
    }
}
