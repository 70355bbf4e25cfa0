//! What a ceremony says of the keys of a token, of whatever kind that is.

use hsm_types::{Algorithm, Digest, KeyLabel, PublicKey, RawSignature, ToSign, Verifier};

use crate::{Disposition, Error};

/// One private key of a token, fit to serve or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyListing {
    /// `CKA_LABEL`, or the label of the object, whatever it is: a foreign key need not have a
    /// [`KeyLabel`](hsm_types::KeyLabel).
    pub label: String,
    /// None: on no curve that is served.
    pub algorithm: Option<Algorithm>,
    /// None: see the findings.
    pub public_key: Option<PublicKey>,
    /// Whether it has a chain code and so may have children.
    pub children: bool,
    /// Whether it was made with a backup, so that it can be replicated into another token; a replica is one, too.
    pub backup: bool,
    /// Every reason why the key may not serve; none for a good one.
    pub findings: Vec<String>,
}

/// A key that is in both tokens now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replica {
    /// The public key of both.
    pub public_key: PublicKey,
    /// Whether this call made it; else it was there, and was proved again.
    pub made: bool,
}

/// Signed once by every new key. As a digest it is plain text, so no transaction hashes to it.
const PAIRWISE_TEST: &[u8; 32] = b"chancery: pairwise test of a key";

/// What a new key signs once, to show that its two halves belong together.
pub(crate) fn pairwise_test(public_key: &PublicKey) -> ToSign {
    if public_key.algorithm().signs_digests() {
        ToSign::Digest(Digest(*PAIRWISE_TEST))
    } else {
        ToSign::Message(PAIRWISE_TEST.to_vec())
    }
}

/// Verifies what it signed.
///
/// # Errors
/// It is no signature of the key.
pub(crate) fn check_pairwise_test(
    label: &KeyLabel,
    public_key: &PublicKey,
    signature: &RawSignature,
) -> Result<(), Error> {
    let verified = Verifier::new(public_key.clone()).verify(&pairwise_test(public_key), signature);
    verified.map(|_| ()).map_err(|not_valid| Error::Call {
        attempted: format!("pairwise test of key \"{label}\""),
        cause: not_valid.to_string(),
        disposition: Disposition::Broken,
    })
}

/// Why a replication was not begun.
pub(crate) fn not_replicated(label: &KeyLabel, cause: &str) -> Error {
    Error::Call {
        attempted: format!("replication of key \"{label}\""),
        cause: cause.to_owned(),
        disposition: Disposition::NotSent,
    }
}
