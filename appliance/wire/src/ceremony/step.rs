//! The steps of a ceremony: what was done, as facts. How it is done is not known here.

use hsm_types::{Algorithm, KeyLabel};
use serde::{Deserialize, Serialize};

use crate::{NotCanonical, canonical, sha256_hex};

/// One step. Its canonical form (RFC 8785) is what the next step's `previous` is the SHA-256 of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Position, from 1.
    pub number: u64,
    /// When it was done by the ceremony machine's clock: RFC 3339, whole seconds, UTC. Never goes back.
    pub time: String,
    /// SHA-256 of the step before, hexadecimal; 64 zeros in the first.
    pub previous: String,
    /// Whether this is practice, on tokens that are thrown away. No appliance of value begins with such a ceremony.
    pub rehearsal: bool,
    /// What was done.
    pub what: What,
}

/// What was done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum What {
    /// The ceremony began.
    Begun(Begun),
    /// A token was set up, or found set up as the plan says.
    Token(TokenReady),
    /// The backup secret was made and split at birth.
    Split(Split),
    /// A custodian typed his share back.
    Share(ShareConfirmed),
    /// An interruption came before every share was confirmed: the secret is made anew.
    SharesVoid(SharesVoid),
    /// A key was made.
    Key(KeyMade),
    /// The device's attestation of a key was validated.
    Attestation(Attested),
    /// A key was wrapped into a file.
    Backup(BackedUp),
    /// A backup was restored on a spare token, from shares typed back.
    Restore(Restored),
    /// The first policy.
    Policy(Policy),
    /// Further files that were written.
    Files(Files),
    /// The ceremony went on after an interruption.
    Resumed(Resumed),
    /// The ceremony ended; nothing comes after.
    Ended(Ended),
}

/// The ceremony's beginning.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// Name of the ceremony, for people.
    pub name: String,
    /// The `origin` of the appliance's configuration.
    pub origin: String,
    /// `production` or `development`.
    pub profile: String,
    /// SHA-256 of the plan's file.
    pub plan_sha256: String,
    /// Version of the program that ran it.
    pub program: String,
    /// SHA-256 of that program's file.
    pub program_sha256: String,
    /// Who is present.
    pub participants: Vec<Participant>,
    /// Who will hold shares of the backup secret; absent where the plan has no backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Custody>,
}

/// Somebody present.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// Name.
    pub name: String,
    /// `administrator`, `custodian`, `witness` or `auditor`.
    pub role: String,
}

/// Who holds shares, and how many of them are enough.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Custody {
    /// So many shares give the secret.
    pub threshold: u8,
    /// Names; the first holds share 1.
    pub custodians: Vec<String>,
}

/// Something read back from a device and what it had to be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Attribute or capability.
    pub name: String,
    /// What it must be.
    pub required: String,
    /// What the device says.
    pub found: String,
}

/// A token that is ready.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenReady {
    /// Its name in plan and configuration.
    pub name: String,
    /// `pkcs11` or `yubihsm`.
    pub driver: String,
    /// Its serial number.
    pub serial: String,
    /// Its PKCS#11 label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its model.
    pub model: String,
    /// Its firmware.
    pub firmware: String,
    /// Whether it is there only for what is restored.
    pub spare: bool,
    /// The authentication keys of a YubiHSM 2. The factory's own is deleted after they are in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<TokenRole>,
}

/// An authentication key of a YubiHSM 2.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRole {
    /// `administrator`, `signer`, `auditor` or `backup`.
    pub role: String,
    /// Object id.
    pub id: u16,
    /// Its capabilities, in Yubico's spelling.
    pub capabilities: Vec<String>,
}

/// A backup secret, split verifiably (Feldman) over P-256.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// 8 random bytes, hexadecimal, that every share of this secret carries.
    pub id: String,
    /// Who holds which share.
    pub custody: Custody,
    /// As many points as shares are needed, compressed SEC1, hexadecimal: a share is true where it agrees with them.
    pub commitments: Vec<String>,
    /// Fingerprint of the backup key that is derived from the secret, hexadecimal.
    pub backup_key: String,
    /// Public key, an OpenSSH line, of the renewal key that is derived from it, too.
    pub renewal_key: String,
}

/// A share that its custodian has.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ShareConfirmed {
    /// Of which split.
    pub id: String,
    /// Whose.
    pub custodian: String,
    /// Which, from 1.
    pub index: u8,
}

/// Shares that are worth nothing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SharesVoid {
    /// Of which split.
    pub id: String,
}

/// A key that was made in a token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyMade {
    /// Name of the token.
    pub token: String,
    /// Its label.
    pub label: KeyLabel,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its public key: compressed SEC1 or 32 bytes, hexadecimal.
    pub public_key: String,
    /// Chain code of a key with children, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_code: Option<String>,
    /// Whether it may leave wrapped.
    pub backup: bool,
    /// What was read back from the device.
    pub facts: Vec<Fact>,
}

/// A device's attestation of a key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Attested {
    /// Name of the token.
    pub token: String,
    /// The key.
    pub label: KeyLabel,
    /// The certificates' files, from the key's to the root's side.
    pub certificates: Vec<FileHash>,
    /// Up to whom it was validated, for people.
    pub validated: String,
}

/// A key wrapped into a file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackedUp {
    /// Name of the token it came from.
    pub token: String,
    /// The key.
    pub label: KeyLabel,
    /// The file.
    pub file: FileHash,
    /// Fingerprint of the backup key it is wrapped under, hexadecimal.
    pub backup_key: String,
}

/// A backup that was proven.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// Name of the spare token.
    pub token: String,
    /// The key.
    pub label: KeyLabel,
    /// The public key under which the replica signed, hexadecimal.
    pub public_key: String,
    /// Numbers of the shares that were typed.
    pub shares: Vec<u8>,
}

/// The first policy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// SHA-256 of the document.
    pub sha256: String,
}

/// Files that were written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Each of them.
    pub files: Vec<FileHash>,
}

/// A file and its content.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileHash {
    /// Path under the ceremony's directory.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// A ceremony that went on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Resumed {
    /// SHA-256 of the file of the program that goes on.
    pub program_sha256: String,
}

/// A ceremony's end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {}

impl Step {
    /// The step after `previous`, or the first. A clock that went back is held at the step before.
    ///
    /// # Errors
    /// See [`Self::hash`].
    pub fn after(previous: Option<&Self>, time: String, rehearsal: bool, what: What) -> Result<Self, NotCanonical> {
        let Some(before) = previous else {
            return Ok(Self { number: 1, time, previous: first_previous(), rehearsal, what });
        };
        let (number, hash) = (before.number.saturating_add(1), before.hash()?);
        Ok(Self { number, time: time.max(before.time.clone()), previous: hash, rehearsal, what })
    }

    /// SHA-256 of the canonical form, hexadecimal.
    ///
    /// # Errors
    /// A value JSON cannot express; no step has one.
    pub fn hash(&self) -> Result<String, NotCanonical> {
        Ok(sha256_hex(&canonical(self)?))
    }
}

/// What the first step says of the step before it.
pub(super) fn first_previous() -> String {
    "0".repeat(64)
}
