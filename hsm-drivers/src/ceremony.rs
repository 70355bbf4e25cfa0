//! What a ceremony says of the keys of a token, of whatever kind that is, and how their backups are written.

mod backup_key;
mod seal;
mod wrapped_key;

use hsm_types::{Algorithm, Digest, KeyLabel, PublicKey, RawSignature, ToSign, VerifiedSignature, Verifier};

pub use self::{
    backup_key::BackupKey,
    wrapped_key::{BadWrappedKey, WrappedKey, Wrapping},
};

use crate::{Disposition, Error};

/// One private key of a token, fit to serve or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyListing {
    /// `CKA_LABEL`, or the label of the object, whatever it is: a foreign key need not have a
    /// [`KeyLabel`].
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

/// The signature, verified; `what` completes the sentence "... of key": `pairwise test`.
///
/// # Errors
/// It is no signature of the key.
pub(crate) fn verified(
    what: &str,
    label: &KeyLabel,
    public_key: &PublicKey,
    input: &ToSign,
    signature: &RawSignature,
) -> Result<VerifiedSignature, Error> {
    Verifier::new(public_key.clone()).verify(input, signature).map_err(|not_valid| Error::Call {
        attempted: format!("{what} of key \"{label}\""),
        cause: not_valid.to_string(),
        disposition: Disposition::Broken,
    })
}

/// What is done with a whole key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Replication,
    Backup,
    Restore,
    Destruction,
}

/// Why it was not begun, a clause in words.
pub(crate) fn not_begun(act: Act, label: &KeyLabel, cause: impl Into<String>) -> Error {
    let name = match act {
        Act::Replication => "replication",
        Act::Backup => "backup",
        Act::Restore => "restore",
        Act::Destruction => "destruction",
    };
    Error::Call {
        attempted: format!("{name} of key \"{label}\""),
        cause: cause.into(),
        disposition: Disposition::NotSent,
    }
}

/// What is destroyed must be what was meant: the key of this public key, which `found` says.
pub(crate) fn refuse_another(label: &KeyLabel, meant: &PublicKey, found: Option<&PublicKey>) -> Result<(), Error> {
    let found = match found {
        Some(found) if found == meant => return Ok(()),
        Some(found) => format!("its public key is {found}, not {meant}"),
        None => "its public key cannot be read, so nobody knows which key it is".to_owned(),
    };
    Err(not_begun(Act::Destruction, label, found))
}
