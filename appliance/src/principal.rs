//! Who asks. A [`Principal`] exists only where a client certificate's key was found in the policy.

use std::sync::Arc;

use appliance_wire::ProblemCode;

use crate::{policy::Policy, refusal::Refusal, transport::ClientCertificate};

/// What TLS proved about the caller: it holds the private key of this certificate, which our CA issued.
#[derive(Clone, Debug)]
pub struct Peer {
    /// SHA-256 of the certificate's SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// Start of the certificate's validity, Unix seconds.
    pub not_before: i64,
    /// End of the certificate's validity, Unix seconds.
    pub not_after: i64,
    /// The certificate itself: it may have been revoked since.
    pub certificate: Arc<ClientCertificate>,
}

/// An authenticated watcher.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    watcher: Arc<str>,
}

impl Principal {
    /// Its name in the policy.
    #[must_use]
    pub fn watcher(&self) -> &str {
        &self.watcher
    }
}

/// Finds the watcher with this certificate's key. Asked anew for every request, so that a key taken out of the policy,
/// a certificate that expires or is revoked, and a CA that is no longer configured end open connections too.
///
/// # Errors
/// `unauthenticated`.
pub fn authenticate(policy: &Policy, peer: &Peer, now_s: i64) -> Result<Principal, Refusal> {
    if !(peer.not_before..=peer.not_after).contains(&now_s) {
        let detail = "the client certificate has expired or is not valid yet: have a new one issued";
        return Err(Refusal::new(ProblemCode::Unauthenticated, detail));
    }
    if !peer.certificate.is_still_good() {
        let detail = "the client certificate was revoked, or its CA is no longer the appliance's: have a new one issued, \
                      over a new key";
        return Err(Refusal::new(ProblemCode::Unauthenticated, detail));
    }
    let watcher = policy.watcher_of(&peer.spki_sha256).ok_or_else(|| {
        let detail = format!(
            "no watcher of the policy has a certificate with public key SHA-256 {}: add it to public_keys_sha256 and \
             install the policy, or use the right certificate",
            hex::encode(peer.spki_sha256)
        );
        Refusal::new(ProblemCode::Unauthenticated, detail)
    })?;
    Ok(Principal { watcher: watcher.name.as_str().into() })
}
