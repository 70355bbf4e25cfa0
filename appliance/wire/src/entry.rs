//! Entries of the audit log: the only truth. What a request, a budget or a freeze is, is read from these.

use hsm_types::KeyLabel;
use serde::{Deserialize, Serialize};

use crate::{Decimal, Format, Item, ItemSignature, RequestId, Transfer};

mod approval;
mod key;
mod policy;
mod recovered;
mod token;
mod transaction;

pub use approval::{Approval, Approved, ClockEntry, OfficerSignature, Pending, Rejected, Released, Wanted, Withdrawn};
pub use key::{KeyChange, KeyEnd, KeyEntry};
pub use policy::{CUSTODIANS, PolicyEntry, PolicyStanding};
pub use recovered::{KnownLog, ProvenEntry, Recovered, RecoveredLog, RecoveredRequest};
pub use token::{DeviceLogRecord, LogToken, TokenEntry, TokenEvent};
pub use transaction::{CallFacts, Change, ChangeTo, Charged, TransactionFacts, TransactionOutput, Variant};

/// One entry; its canonical form (RFC 8785) is a leaf of the tree.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// Position in the log, from 0.
    pub index: u64,
    /// Wall time, RFC 3339 with microseconds, UTC. For people and for `hours`.
    pub time: String,
    /// Service time in milliseconds: what windows run on. Never goes back.
    pub elapsed: u64,
    /// Version of the policy that decided; 0 before the first.
    pub policy: u64,
    /// 16 random bytes, hexadecimal: a leaf hash gives nothing away.
    pub salt: String,
    /// From here on there may be what programs of formats before cannot read; in the first entry of a newer format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "an entry is read, looked at and dropped: one at a time")]
pub enum Body {
    /// The log begins.
    Genesis(Genesis),
    /// The appliance started.
    Boot(Boot),
    /// A policy was installed.
    Policy(PolicyEntry),
    /// A key was bound to its public key, for ever.
    Key(KeyEntry),
    /// Children of a key were allocated, for ever.
    Addresses(Addresses),
    /// A request was charged and bound.
    Accepted(Accepted),
    /// A request waits for officers.
    Pending(Pending),
    /// An officer agrees to it.
    Approved(Approved),
    /// An officer refuses it.
    Rejected(Rejected),
    /// Its watcher takes it back.
    Withdrawn(Withdrawn),
    /// Its signatures.
    Signed(Signed),
    /// The token failed after an acceptance; the request can be tried again.
    Failed(Failed),
    /// An accepted request is no longer allowed; its budget stays spent. Or one that waited ended without a decision.
    Lapsed(Lapsed),
    /// What a lapsed withdrawal holds is free again.
    Released(Released),
    /// A request was refused.
    Denied(Denied),
    /// What a token did: what its device wrote into its own log, or that it took the place of another.
    Token(TokenEntry),
    /// Officers accept the wall clock.
    Clock(ClockEntry),
    /// A freeze began.
    Frozen(Frozen),
    /// A freeze ended.
    Unfrozen(Unfrozen),
    /// The log goes on from an older copy.
    Recovered(Recovered),
}

impl Body {
    /// Every kind, as entries spell it.
    pub const KINDS: [&str; 20] = [
        "genesis",
        "boot",
        "policy",
        "accepted",
        "pending",
        "approved",
        "rejected",
        "withdrawn",
        "signed",
        "failed",
        "lapsed",
        "denied",
        "released",
        "key",
        "addresses",
        "frozen",
        "unfrozen",
        "clock",
        "token",
        "recovered",
    ];
}

/// Entry 0.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Genesis {
    /// Origin line of every checkpoint.
    pub origin: String,
    /// The C2SP verifier key of the log.
    pub log_key: String,
    /// Label of the log key in the token.
    pub log_key_label: KeyLabel,
    /// The token that holds it.
    pub token: String,
    /// `production` or `development`.
    pub profile: String,
    /// The key ceremony it begins with; there in profile `production`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceremony: Option<GenesisCeremony>,
}

/// The key ceremony a log begins with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GenesisCeremony {
    /// SHA-256 of its transcript.
    pub transcript_sha256: String,
    /// The key that custodians can make of their shares, as OpenSSH writes it: it renews officers who are too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_key: Option<String>,
}

/// A start of the appliance.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Boot {
    /// The kernel's boot id: service time goes on by the boot clock while it stays the same.
    pub boot_id: String,
    /// CLOCK_BOOTTIME at this entry, in milliseconds.
    pub boot_time: u64,
    /// Wall time less CLOCK_BOOTTIME, in milliseconds, as trusted in this boot of the machine.
    pub wall_offset: i64,
    /// SHA-256 of the program file.
    pub program_sha256: String,
    /// SHA-256 of `chancery.toml`.
    pub config_sha256: String,
    /// The tokens found.
    pub tokens: Vec<BootToken>,
    /// Bytes of an incomplete last line that were cut from `log.jsonl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_bytes: Option<u64>,
    /// Whether the token holds an anchor of this log. From then on a token without one is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anchored: bool,
    /// What this start counts against every limit, whatever it is for, in percent of it: as much as may be missing from
    /// the log since the token's anchor was written. Absent after a clean stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanchored_percent: Option<u8>,
}

/// A token as found at start.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BootToken {
    /// Its name in the config.
    pub name: String,
    /// Its serial number; absent where it did not open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// SHA-256 of the PKCS#11 module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_sha256: Option<String>,
}

/// An allocation of children.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Addresses {
    /// The key they are children of.
    pub key: KeyLabel,
    /// Index of the first; all before it were allocated before.
    pub first: u32,
    /// How many.
    pub count: u32,
    /// Their addresses, in order, where the key has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Who asked.
    pub watcher: String,
}

/// An acceptance: budget is spent here, and never given back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Accepted {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// SHA-256 of the request's canonical body.
    pub content: String,
    /// The key family.
    pub key: KeyLabel,
    /// Evidence level decided on; amounts of `declared` are the watcher's word.
    pub evidence: String,
    /// Whether the amounts below were read by the appliance itself.
    pub amounts_verified: bool,
    /// What is to be signed.
    pub items: Vec<Item>,
    /// The transfer as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// The transaction as the appliance read it (`verified`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<TransactionFacts>,
    /// The payments decided on, one a destination.
    pub payments: Vec<Payment>,
    /// What goes back to the family it is spent from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<Change>,
    /// The fee decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Fee>,
    /// The rules that matched.
    pub rules: Vec<String>,
    /// What it is a variant of, where it replaces another request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
    /// The request it replaces, where that was never accepted: it is a withdrawal of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<RequestId>,
    /// As given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Who approved it, where officers had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// What one destination gets.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Payment {
    /// The asset.
    pub asset: String,
    /// The destination, in the chain's normal form.
    pub destination: String,
    /// In the asset's main unit.
    pub amount: Decimal,
}

/// What the network gets.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fee {
    /// The chain's native asset.
    pub asset: String,
    /// In its main unit.
    pub amount: Decimal,
}

/// The signatures of an accepted request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Signed {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// Index of its acceptance.
    pub accepted: u64,
    /// One for each item; `der` is left out, it follows from the rest.
    pub signatures: Vec<ItemSignature>,
}

/// An attempt that gave no signatures.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failed {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// Index of its acceptance.
    pub accepted: u64,
    /// What failed, in the driver's words.
    pub reason: String,
    /// Whether the token may have made a signature nobody saw.
    pub outcome_unknown: bool,
}

/// The end of a request that may no longer be signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lapsed {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// Index of its acceptance, or of the entry that waited.
    pub accepted: u64,
    /// Why.
    pub reason: String,
    /// Whether it waited for officers until its time was over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
}

/// A refusal of an authenticated watcher.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Denied {
    /// Who asked.
    pub watcher: String,
    /// The request.
    pub request_id: RequestId,
    /// SHA-256 of the request's canonical body.
    pub content: String,
    /// The problem code.
    pub code: String,
    /// The rule or limit that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The sentence the watcher got.
    pub detail: String,
    /// What it would have paid, where that was known and short: so that another policy can be tried on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// What a refused request would have done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Asked {
    /// The key family.
    pub key: KeyLabel,
    /// How many signatures.
    pub items: u64,
    /// The payments, one a destination.
    pub payments: Vec<Payment>,
    /// The fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Fee>,
}

/// What a freeze covers.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(tag = "scope", content = "name", rename_all = "lowercase")]
pub enum Scope {
    /// The whole appliance.
    All,
    /// One key with its children.
    Key(String),
    /// One watcher.
    Watcher(String),
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("the appliance"),
            Self::Key(key) => write!(f, "key {key}"),
            Self::Watcher(watcher) => write!(f, "watcher {watcher}"),
        }
    }
}

/// A freeze.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Frozen {
    /// What is frozen.
    pub what: Scope,
    /// `admin`, or the watcher that froze itself.
    pub by: String,
    /// Why, in that person's words.
    pub reason: String,
}

/// The end of a freeze.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Unfrozen {
    /// What is free again.
    pub what: Scope,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What the officers signed; none in profile `development` without officers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<OfficerSignature>,
}
