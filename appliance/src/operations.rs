//! What the appliance does for those who ask, whatever transport they came by.
//!
//! `sign` is the way of a request; the rest reads the log or changes a freeze.

use std::sync::Arc;

use appliance_wire::ProblemCode;
use jiff::Timestamp;
use tokio_util::task::TaskTracker;

use crate::{
    audit::{Audit, Ballast, Mirror, free_bytes},
    config::Config,
    freezes::Freezes,
    metrics::Metrics,
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
mod events;
mod explain;
mod freeze;
mod key_ends;
mod keys;
mod limits;
mod log;
mod officers;
mod policy;
mod readiness;
mod requests;
mod sign;
mod status;

pub use anchoring::{Anchoring, FoundAnchor};
pub use certificates::{CertificatesStatus, ClientExpiry, FileExpiry};
pub use checkpoints::Checkpoints;
pub use cosignatures::{Cosignatures, WitnessStatus};
pub use events::EventStream;
pub use key_ends::KeyStatus;
pub use officers::{PendingList, PendingPolicy, PendingRequest};
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
    mirror: Option<Arc<Mirror>>,
    cosignatures: Option<Cosignatures>,
    certificates: certificates::KnownCertificates,
    event_readers: events::EventReaders,
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
            mirror,
            cosignatures,
            certificates: certificates::KnownCertificates::new(None),
            event_readers: events::EventReaders::default(),
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
    pub fn authenticate(&self, peer: &Peer) -> Result<(), Refusal> {
        self.principal(peer).map(|_| ())
    }

    fn principal(&self, peer: &Peer) -> Result<Principal, Refusal> {
        let principal = authenticate(&self.audit.policy(), peer, Timestamp::now().as_second())?;
        self.certificates.saw(&principal, peer);
        Ok(principal)
    }

    /// A handshake failed, or a request came without a known certificate.
    pub fn count_unauthenticated(&self) {
        self.metrics.unauthenticated();
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

    /// OpenMetrics text.
    #[must_use]
    pub fn metrics(&self) -> String {
        let tokens: Vec<(String, bool)> =
            self.tokens.all().map(|token| (token.name().to_owned(), token.info().is_some())).collect();
        let checkpoint = self.checkpoints.newest().map_or(0, |checkpoint| checkpoint.size());
        self.metrics.gauges(self.audit.log().tip().size, checkpoint, self.freezes.in_force().len(), &tokens);
        let state = &self.config.state_directory;
        self.metrics.disk(free_bytes(state).unwrap_or_default(), Ballast::of(state).is_kept());
        if let Some(mirror) = self.mirror.as_ref().map(|mirror| mirror.status()) {
            self.metrics.mirror(mirror.up, mirror.behind_bytes);
        }
        let scrub = self.audit.scrubbed();
        self.metrics.scrubbed(scrub.checked, scrub.finding.is_none());
        for witness in self.cosignatures.iter().flat_map(Cosignatures::status) {
            self.metrics.witness(&witness.name, witness.size, witness.timestamp);
        }
        self.set_certificate_metrics();
        self.metrics.text()
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
