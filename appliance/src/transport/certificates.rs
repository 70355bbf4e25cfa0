//! The certificates of a listener while it runs: read at the start, again on demand and when a file changed. What cannot
//! be used is refused as a whole, and what was read before stays in force.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::{ServerConfig, pki_types::CertificateDer};

use super::{
    TransportError,
    tls::{self, Expiry, Loaded, Read, Stamps, TlsFiles},
};
use crate::{error_chain::chain, principal::Peer};

/// What a listener proves itself with and whom it admits.
pub struct Certificates {
    files: TlsFiles,
    in_force: RwLock<Arc<InForce>>,
    looked: Mutex<Looked>,
}

/// One reading of the files; each has a number of its own.
struct InForce {
    number: u64,
    loaded: Loaded,
}

/// What is known of the files on disk.
struct Looked {
    /// How they were when they were last read.
    read: Stamps,
    /// How they were at the last look.
    last: Stamps,
    /// Why what lies there is not in force.
    refused: Option<String>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// A file that cannot be used, with what to do about it.
    pub fn load(files: &TlsFiles) -> Result<Arc<Self>, TransportError> {
        let stamps = tls::stamps(files);
        let loaded = tls::load(files)?;
        Ok(Arc::new(Self {
            files: files.clone(),
            in_force: RwLock::new(Arc::new(InForce { number: 0, loaded })),
            looked: Mutex::new(Looked { read: stamps.clone(), last: stamps, refused: None }),
        }))
    }

    /// Reads the files again. Connections to come use what is in them; those that are open are held against it at
    /// their next request.
    ///
    /// # Errors
    /// Why they cannot be used; then nothing changes.
    pub fn reload(&self) -> Result<(), String> {
        let mut looked = self.looked();
        // Before the reading: a file that changes meanwhile is seen to have changed.
        looked.read = tls::stamps(&self.files);
        match tls::load(&self.files) {
            Ok(loaded) => {
                looked.refused = None;
                let mut in_force = self.in_force.write().unwrap_or_else(PoisonError::into_inner);
                let number = in_force.number + 1;
                *in_force = Arc::new(InForce { number, loaded });
                Ok(())
            }
            Err(error) => {
                let reason = chain(&error);
                looked.refused = Some(reason.clone());
                Err(reason)
            }
        }
    }

    /// Whether the files are other ones than were read, and the same as at the last look: two files that belong
    /// together are not replaced in one instant.
    #[must_use]
    pub fn have_settled_anew(&self) -> bool {
        let mut looked = self.looked();
        let now = tls::stamps(&self.files);
        let settled = now == looked.last && now != looked.read;
        looked.last = now;
        settled
    }

    /// Why what lies in the files is not in force.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.looked().refused.clone()
    }

    /// When what is in force ends.
    #[must_use]
    pub fn expiries(&self) -> Vec<Expiry> {
        self.in_force().loaded.expiries.clone()
    }

    /// What a handshake that begins now goes by.
    pub(super) fn handshake(self: &Arc<Self>) -> Handshake {
        Handshake { in_force: self.in_force(), certificates: Arc::clone(self) }
    }

    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What one handshake goes by.
pub(super) struct Handshake {
    in_force: Arc<InForce>,
    certificates: Arc<Certificates>,
}

impl Handshake {
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.in_force.loaded.config)
    }

    /// The peer of the handshake, whose `chain` was verified in it.
    pub(super) fn peer(self, chain: &[CertificateDer<'_>]) -> Option<Peer> {
        let read = Read::new(chain.first()?);
        let read = read.inspect_err(|error| tracing::warn!(%error, "unreadable client certificate")).ok()?;
        let certificate = ClientCertificate {
            chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
            good_by: AtomicU64::new(self.in_force.number),
            certificates: self.certificates,
        };
        Some(Peer {
            spki_sha256: read.spki_sha256,
            not_before: read.not_before,
            not_after: read.not_after,
            certificate: Arc::new(certificate),
        })
    }
}

/// The certificate a client came with, for as long as its connection lives.
pub struct ClientCertificate {
    /// Its own, then those it sent beneath a CA.
    chain: Vec<CertificateDer<'static>>,
    /// Number of the newest reading of the files by which it was good.
    good_by: AtomicU64,
    certificates: Arc<Certificates>,
}

impl ClientCertificate {
    /// Whether the CAs and revocation lists now in force admit it; verified once for each reading of the files.
    #[must_use]
    pub fn is_still_good(&self) -> bool {
        let in_force = self.certificates.in_force();
        if self.good_by.load(Ordering::Relaxed) == in_force.number {
            return true;
        }
        let good = in_force.loaded.admits(&self.chain);
        if good {
            self.good_by.store(in_force.number, Ordering::Relaxed);
        }
        good
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("good_by", &self.good_by).finish_non_exhaustive()
    }
}
