//! What a ceremony says of the keys of a token, of whatever kind that is.

use hsm_types::{Algorithm, PublicKey};

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
pub(crate) const PAIRWISE_TEST: &[u8; 32] = b"chancery: pairwise test of a key";
