//! What an operator sees at a glance.

use std::net::SocketAddr;

use appliance_wire::Scope;
use serde::Serialize;

use super::{AnchorStatus, CertificatesStatus, Cosignatures, Operations, WitnessStatus};
use crate::{
    audit::{Ballast, MirrorStatus, ScrubStatus, free_bytes},
    tokens::TokenState,
};

/// One token.
#[derive(Clone, Debug, Serialize)]
pub struct TokenStatus {
    /// Its name in the config.
    pub name: String,
    /// `opening`, `up`, `down` or `sealed`.
    pub state: &'static str,
    /// Why it does not sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Process id of its worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<u32>,
    /// Keys it may not serve with, and why.
    pub unfit_keys: Vec<String>,
    /// Rights its worker has and should not, each a clause.
    pub worker_caveats: Vec<String>,
}

/// Where the listeners really are: a configured port 0 is any free one.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Addresses {
    /// The watcher listener.
    pub watcher: Option<SocketAddr>,
    /// The monitor listener.
    pub monitor: Option<SocketAddr>,
}

/// The appliance.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// `operational`, `frozen` or `failed`.
    pub state: &'static str,
    /// `development` or `production`.
    pub profile: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// Verifier key of the log: what watchers put into `log_keys`.
    pub log_key: Option<String>,
    /// Entries in the log.
    pub entries: u64,
    /// Entries the newest checkpoint covers.
    pub checkpoint: Option<u64>,
    /// How far the anchor in the token reaches.
    pub anchor: AnchorStatus,
    /// How far the log was checked since the start.
    pub scrub: ScrubStatus,
    /// The second copy of the log, where one is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<MirrorStatus>,
    /// Bytes free on the disk of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_free_bytes: Option<u64>,
    /// Whether the ballast file keeps room for a full disk.
    pub ballast_kept: bool,
    /// The configured witnesses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<WitnessStatus>,
    /// The policy in force.
    pub policy_version: u64,
    /// SHA-256 of its document.
    pub policy_sha256: String,
    /// Accepted requests not signed yet.
    pub open_requests: usize,
    /// Requests that wait for officers.
    pub pending_requests: usize,
    /// Version of the policy that waits to come into force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_policy: Option<u64>,
    /// Service time in milliseconds.
    pub elapsed: u64,
    /// False after an unexplained step of the wall clock: `hours` and `expires_at` then refuse.
    pub wall_clock_trusted: bool,
    /// Where it listens.
    pub listeners: Addresses,
    /// When the certificates of the watcher listener and of its watchers end.
    pub certificates: CertificatesStatus,
    /// Freezes in force.
    pub frozen: Vec<Scope>,
    /// Every token.
    pub tokens: Vec<TokenStatus>,
}

impl Operations {
    /// The same in a sentence that anybody on the machine may read: without names of keys and watchers.
    #[must_use]
    pub fn in_a_sentence(&self) -> String {
        let frozen = self.freezes.in_force();
        let mut clauses = vec![match self.addresses.watcher {
            _ if frozen.contains(&Scope::All) => "frozen: nothing is signed".to_owned(),
            Some(address) => format!("serving watchers at {address}"),
            None => "serving".to_owned(),
        }];
        match frozen.len() {
            0 => {}
            1 => clauses.push("1 freeze in force".to_owned()),
            several => clauses.push(format!("{several} freezes in force")),
        }
        for token in self.tokens.all() {
            let TokenStatus { name, state, .. } = token_status(token.name(), &token.state());
            if state != "up" {
                clauses.push(format!("token {name} is {state}"));
            }
        }
        if self.certificates_status().not_reloaded.is_some() {
            clauses.push("certificates not reloaded".to_owned());
        }
        clauses.join("; ")
    }

    /// Whether whoever decides and records answers: it waits for as long as that takes.
    pub async fn is_answered(&self) -> bool {
        self.audit.query(|_, _| ()).await.is_ok()
    }

    /// What an operator sees at a glance.
    pub async fn status(&self) -> Status {
        let state = self.audit.query(|state, moment| {
            let log_key = state.log_home.as_ref().map(|home| home.log_key.clone());
            let policy = state.waiting_policy.as_ref().map(|waiting| waiting.policy.version);
            (log_key, (state.open.len(), state.pending.len(), policy), moment)
        });
        let state = state.await.ok();
        let policy = self.audit.policy();
        Status {
            state: self.state().name(),
            mirror: self.mirror.as_ref().map(|mirror| mirror.status()),
            disk_free_bytes: free_bytes(&self.config.state_directory).ok(),
            ballast_kept: Ballast::of(&self.config.state_directory).is_kept(),
            witnesses: self.cosignatures.iter().flat_map(Cosignatures::status).collect(),
            profile: self.config.profile.name(),
            version: env!("CARGO_PKG_VERSION"),
            entries: self.audit.log().tip().size,
            checkpoint: self.checkpoints.newest().map(|checkpoint| checkpoint.size()),
            anchor: self.anchoring.status(self.audit.anchor_due().is_behind()),
            scrub: self.audit.scrubbed(),
            policy_version: policy.version,
            policy_sha256: policy.sha256.clone(),
            open_requests: state.as_ref().map_or(0, |(_, (open, ..), _)| *open),
            pending_requests: state.as_ref().map_or(0, |(_, (_, pending, _), _)| *pending),
            waiting_policy: state.as_ref().and_then(|(_, (.., policy), _)| *policy),
            elapsed: state.as_ref().map_or(0, |(_, _, moment)| moment.elapsed),
            wall_clock_trusted: state.as_ref().is_some_and(|(_, _, moment)| moment.wall_trusted),
            log_key: state.and_then(|(log_key, _, _)| log_key),
            listeners: self.addresses.clone(),
            certificates: self.certificates_status(),
            frozen: self.freezes.in_force(),
            tokens: self.tokens.all().map(|token| token_status(token.name(), &token.state())).collect(),
        }
    }
}

fn token_status(name: &str, state: &TokenState) -> TokenStatus {
    let blank = |state, reason| TokenStatus {
        name: name.to_owned(),
        state,
        reason,
        model: None,
        serial: None,
        worker: None,
        unfit_keys: Vec::new(),
        worker_caveats: Vec::new(),
    };
    match state {
        TokenState::Opening => blank("opening", None),
        TokenState::Down { reason } => blank("down", Some(reason.clone())),
        TokenState::Sealed { reason } => blank("sealed", Some(reason.clone())),
        TokenState::Up(up) => TokenStatus {
            model: Some(up.info.model.clone()),
            serial: Some(up.info.serial.clone()),
            worker: Some(up.pid()),
            unfit_keys: up.unfit().iter().map(|(key, reason)| format!("{key}: {reason}")).collect(),
            worker_caveats: up.caveats().to_vec(),
            ..blank("up", None)
        },
    }
}
