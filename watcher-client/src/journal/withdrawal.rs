//! A withdrawal: one payment, and every transaction that was made for it.

use std::{fmt, str::FromStr};

use appliance_wire::{Decimal, RequestId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chains::{Block, Draft, Order, Signed, Variation};

/// A withdrawal's name, given by the exchange: 1 to 100 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit. It is
/// also the request id of its first transaction; those in its place are `ID:1`, `ID:2` and so on.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct WithdrawalId(String);

impl WithdrawalId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The watcher's own: the `number`th sweep or top-up of a chain, `sweep:CHAIN:NUMBER`. No exchange can name one so.
    pub(super) fn own(purpose: Purpose, chain: &str, number: u64) -> Self {
        Self(format!("{}:{chain}:{number}", purpose.as_str()))
    }

    /// Whether it is one of the watcher's own: a sweep, a top-up.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.0.contains(':')
    }

    /// The request id of the transaction at this position.
    pub(super) fn request_id(&self, position: usize) -> Option<RequestId> {
        let text = if position == 0 { self.0.clone() } else { format!("{self}:{position}") };
        text.parse().ok()
    }
}

impl FromStr for WithdrawalId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = (1..=100).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            && text.starts_with(|first: char| first.is_ascii_alphanumeric());
        let why = "a withdrawal's id is 1 to 100 of A-Z a-z 0-9 . _ -, beginning with a letter or digit";
        if fits { Ok(Self(text.to_owned())) } else { Err(why.to_owned()) }
    }
}

/// Also reads the watcher's own: the journal holds both.
impl TryFrom<String> for WithdrawalId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some((purpose, _)) if Purpose::OWN.iter().any(|own| own.as_str() == purpose) => Ok(Self(text)),
            Some(_) | None => text.parse(),
        }
    }
}

impl From<WithdrawalId> for String {
    fn from(id: WithdrawalId) -> Self {
        id.0
    }
}

impl fmt::Display for WithdrawalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a withdrawal is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Somebody is paid.
    Payout,
    /// Deposits are brought from children to the key.
    Sweep,
    /// A child is given what its sweep of tokens will cost.
    TopUp,
}

impl Purpose {
    const OWN: [Self; 2] = [Self::Sweep, Self::TopUp];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Payout => "payout",
            Self::Sweep => "sweep",
            Self::TopUp => "top-up",
        }
    }
}

/// Where a withdrawal stands. The last three are for ever, but for a reorganisation deeper than the confirmations.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawalState {
    /// Wanted; a transaction may be drafted, none is signed.
    Created,
    /// A signed transaction exists.
    Signed,
    /// A node has it.
    Sent,
    /// It paid, so many blocks ago as the config demands.
    Confirmed,
    /// It pays nobody, and never will.
    Cancelled,
    /// It pays nobody, and never will: see why.
    Failed,
}

impl WithdrawalState {
    /// Whether nothing is left to be done.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Confirmed | Self::Cancelled | Self::Failed)
    }
}

/// A withdrawal as the journal keeps it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Withdrawal {
    /// Its name.
    pub id: WithdrawalId,
    /// The chain, by its name in the config.
    pub chain: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The payment.
    pub order: Order,
    /// Where it stands.
    pub state: WithdrawalState,
    /// Its transactions, each in place of all before it: at most one of them is ever mined.
    pub transactions: Vec<Transaction>,
    /// Request ids that are bound at the signer to transactions that were dropped since.
    #[serde(default)]
    pub spent_ids: usize,
    /// What somebody asked for and is not done yet.
    pub wish: Option<Wish>,
    /// Why it does not go on.
    pub waiting: Option<Waiting>,
    /// What happened, in order.
    pub history: Vec<Moment>,
}

impl Withdrawal {
    /// The transaction of the withdrawal that a block holds.
    #[must_use]
    pub fn mined(&self) -> Option<&Transaction> {
        self.transactions.iter().find(|transaction| transaction.mined.is_some())
    }

    /// Whether a cancellation was asked for, or made.
    pub(super) fn is_to_be_cancelled(&self) -> bool {
        let last = self.transactions.last().and_then(|transaction| transaction.variation);
        self.wish == Some(Wish::Cancel) || last == Some(Variation::Cancel)
    }

    /// Everything its transactions use.
    pub fn holds(&self) -> impl Iterator<Item = &str> {
        self.transactions.iter().flat_map(|transaction| transaction.draft.holds.iter().map(String::as_str))
    }
}

/// What was asked for after creation.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// A higher fee.
    Bump,
    /// That it pays nobody.
    Cancel,
}

impl From<Wish> for Variation {
    fn from(wish: Wish) -> Self {
        match wish {
            Wish::Bump => Self::Bump,
            Wish::Cancel => Self::Cancel,
        }
    }
}

/// One transaction of a withdrawal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Transaction {
    /// The id under which it is signed.
    pub request_id: RequestId,
    /// Why it is there beside the first; none for the first.
    pub variation: Option<Variation>,
    /// Unsigned.
    pub draft: Draft,
    /// Signed.
    pub signed: Option<Signed>,
    /// The entry of the signer's audit log that holds the signatures.
    pub entry: Option<u64>,
    /// Whether a node took it.
    pub sent: bool,
    /// The block that holds it.
    pub mined: Option<Mined>,
}

/// Where one transaction stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// Drafted.
    Created,
    /// Signed.
    Signed,
    /// A node has it.
    Sent,
    /// Mined, so many blocks ago as the config demands.
    Confirmed,
    /// Another one of the withdrawal was mined, or was made to be mined instead.
    Replaced,
    /// Mined, and it did not do what it should.
    Failed,
}

impl Withdrawal {
    /// Where the transaction at a position stands.
    #[must_use]
    pub fn state_of(&self, position: usize) -> Option<TransactionState> {
        let transaction = self.transactions.get(position)?;
        let other_mined = self.mined().is_some_and(|mined| mined.request_id != transaction.request_id);
        let later_signed = self.transactions.iter().skip(position + 1).any(|later| later.signed.is_some());
        Some(match &transaction.mined {
            Some(mined) if !mined.succeeded => TransactionState::Failed,
            Some(_) if self.state.is_settled() => TransactionState::Confirmed,
            Some(_) => TransactionState::Sent,
            None if other_mined || later_signed => TransactionState::Replaced,
            None if transaction.sent => TransactionState::Sent,
            None if transaction.signed.is_some() => TransactionState::Signed,
            None => TransactionState::Created,
        })
    }
}

/// That a block holds a transaction.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mined {
    /// The block.
    pub block: Block,
    /// Whether it did what it should.
    pub succeeded: bool,
}

/// Why a withdrawal does not go on, and when it is tried again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Waiting {
    /// For people: what is missing and what to do.
    pub why: String,
    /// The signer's code, where the signer is the reason: `limit-exceeded`, `pending`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When it is tried again, in milliseconds since 1970.
    pub again_at_ms: i64,
}

/// A step of a withdrawal, for its timeline.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Moment {
    /// RFC 3339.
    pub at: String,
    /// What happened, in words.
    pub what: String,
    /// The transaction it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub request_id: Option<RequestId>,
    /// What the chain knows that transaction by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// The entry of the signer's audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// What it cost at most, in the chain's native asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub fee: Option<Decimal>,
}
