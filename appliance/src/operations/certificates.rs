//! The certificates of the watcher listener as operators see them: when they end, and what was refused.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use service_manager::ServiceManager;
use tokio::{select, sync::Notify, time::sleep};

use super::Operations;
use crate::{
    principal::{Peer, Principal},
    transport::{Certificates, Expiry},
};

/// One file of the watcher listener.
#[derive(Clone, Debug, Serialize)]
pub struct FileExpiry {
    /// `server`, `client_ca` or `client_crl`.
    pub name: &'static str,
    /// Its file.
    pub file: PathBuf,
    /// The earliest end in it; of a revocation list when the next one is due.
    pub not_after: Timestamp,
    /// Whole days until then, negative afterwards.
    pub days_left: i64,
}

/// A certificate a watcher came with lately.
#[derive(Clone, Debug, Serialize)]
pub struct ClientExpiry {
    /// Whose.
    pub watcher: String,
    /// SHA-256 of its SubjectPublicKeyInfo, as the policy names it.
    pub public_key_sha256: String,
    /// Its end.
    pub not_after: Timestamp,
    /// Whole days until then, negative afterwards.
    pub days_left: i64,
}

/// The certificates in force, and those of the watchers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CertificatesStatus {
    /// Those of the appliance.
    pub files: Vec<FileExpiry>,
    /// Why what lies in the files now is not in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_reloaded: Option<String>,
    /// Those of watchers, as seen in the last week.
    pub clients: Vec<ClientExpiry>,
}

/// The certificates in force and the clients' of this process's life; one entry a key of a policy in it.
#[derive(Debug)]
pub(super) struct KnownCertificates {
    own: Option<Arc<Certificates>>,
    clients: Mutex<BTreeMap<[u8; 32], Seen>>,
}

#[derive(Clone, Debug)]
struct Seen {
    watcher: String,
    not_after: i64,
    last: Instant,
}

impl KnownCertificates {
    pub(super) fn new(own: Option<Arc<Certificates>>) -> Self {
        Self { own, clients: Mutex::default() }
    }

    /// A watcher came with this certificate.
    pub(super) fn saw(&self, principal: &Principal, peer: &Peer) {
        let (watcher, not_after, last) = (principal.watcher(), peer.not_after, Instant::now());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        match clients.get_mut(&peer.spki_sha256) {
            Some(seen) if seen.watcher == watcher => (seen.not_after, seen.last) = (not_after, last),
            _ => drop(clients.insert(peer.spki_sha256, Seen { watcher: watcher.to_owned(), not_after, last })),
        }
    }

    /// Why not everything is as the files say, or as a client needs it.
    pub(super) fn check(&self) -> Result<(), String> {
        let Some(own) = &self.own else { return Ok(()) };
        if let Some(reason) = own.refused() {
            return Err(format!("not reloaded, those read before are in force: {reason}"));
        }
        match own.expiries().into_iter().find(|expiry| expiry.at < Timestamp::now()) {
            Some(ended) => Err(format!("{} ended at {}: renew it", ended.file.display(), ended.at)),
            None => Ok(()),
        }
    }
}

impl Operations {
    /// Reads the certificates again when `asked`, which the manager hears of, and when their files changed; tells daily
    /// of those that end soon.
    pub async fn keep_certificates(self: Arc<Self>, asked: Arc<Notify>, manager: Arc<ServiceManager>) {
        let Some(own) = self.certificates.own.clone() else { return };
        let mut told: Option<Instant> = None;
        loop {
            if told.is_none_or(|at| at.elapsed() >= DAY) {
                self.tell_of_ends();
                told = Some(Instant::now());
            }
            let demanded = select! { () = asked.notified() => true, () = sleep(BETWEEN_LOOKS) => false };
            if demanded {
                manager.reloading();
            }
            let files = Arc::clone(&own);
            let reloading =
                tokio::task::spawn_blocking(move || (demanded || files.have_settled_anew()).then(|| files.reload()));
            match reloading.await {
                Ok(Some(Ok(()))) => {
                    tracing::info!("the certificates were read again and are in force");
                    told = None;
                }
                Ok(Some(Err(reason))) => {
                    tracing::error!(reason, "the certificates are not replaced: those read before stay in force");
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "looking at the certificates"),
            }
            if demanded {
                manager.ready(&self.in_a_sentence());
            }
        }
    }

    fn tell_of_ends(&self) {
        let status = self.certificates_status();
        for FileExpiry { name, file, not_after, days_left } in status.files {
            if days_left < SOON_DAYS {
                tracing::warn!(name, file = %file.display(), %not_after, days_left, "a certificate or list ends soon");
            }
        }
        for ClientExpiry { watcher, not_after, days_left, .. } in status.clients {
            if days_left < SOON_DAYS {
                tracing::warn!(watcher, %not_after, days_left, "a watcher's certificate ends soon");
            }
        }
    }

    pub(super) fn certificates_status(&self) -> CertificatesStatus {
        let now = Timestamp::now();
        let own = self.certificates.own.as_ref();
        let files = own.map(|own| own.expiries()).unwrap_or_default().into_iter().map(|Expiry { name, file, at }| {
            FileExpiry { name, file, not_after: at, days_left: days_between(now, at) }
        });
        let policy = self.audit.policy();
        let clients = self.certificates.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let of_policy = |key: &[u8; 32], seen: &Seen| {
            policy.watcher_of(key).is_some_and(|watcher| watcher.name.as_str() == seen.watcher)
        };
        let lately = clients.iter().filter(|(key, seen)| seen.last.elapsed() < LATELY && of_policy(key, seen));
        let clients = lately.map(|(key, seen)| {
            let not_after = Timestamp::from_second(seen.not_after).unwrap_or(Timestamp::MAX);
            ClientExpiry {
                watcher: seen.watcher.clone(),
                public_key_sha256: hex::encode(key),
                not_after,
                days_left: days_between(now, not_after),
            }
        });
        CertificatesStatus {
            files: files.collect(),
            not_reloaded: own.and_then(|own| own.refused()),
            clients: clients.collect(),
        }
    }
}

impl CertificatesStatus {
    /// For each watcher the earliest end of its certificates.
    pub(super) fn earliest_of_clients(&self) -> Vec<(String, Timestamp)> {
        let mut clients: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for client in &self.clients {
            let earliest = clients.entry(&client.watcher).or_insert(client.not_after);
            *earliest = client.not_after.min(*earliest);
        }
        clients.into_iter().map(|(watcher, end)| (watcher.to_owned(), end)).collect()
    }
}

fn days_between(now: Timestamp, then: Timestamp) -> i64 {
    let left: SignedDuration = then.duration_since(now);
    left.as_secs().div_euclid(86_400)
}

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const LATELY: Duration = Duration::from_secs(7 * 86_400);
const SOON_DAYS: i64 = 30;
