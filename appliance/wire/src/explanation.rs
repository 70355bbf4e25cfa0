//! Answer of `POST /v1/signatures/{request_id}/explain`: what would happen now, and why.

use serde::{Deserialize, Serialize};

use crate::Problem;

/// What a `PUT` of the same body would come to now. It binds, spends and signs nothing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The request.
    pub request_id: String,
    /// What would happen.
    pub outcome: ExplainedOutcome,
    /// What the `PUT` would answer, where it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Whether the appliance read payments and fee itself; else they are the watcher's word.
    pub amounts_verified: bool,
    /// Each destination with the rules asked about it, in order, up to the one that decides. A request that pays nobody
    /// is one line without destination.
    pub payments: Vec<ExplainedPayment>,
    /// What goes back to the family it is spent from, and is no payment.
    pub change: Vec<ExplainedAmount>,
    /// What the network gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<ExplainedAmount>,
    /// Every limit it would count for.
    pub limits: Vec<ExplainedLimit>,
    /// What the transaction uses up, and who holds it.
    pub holds: Vec<ExplainedHold>,
}

/// What would happen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ExplainedOutcome {
    /// It would be accepted and signed.
    Sign,
    /// It would wait for officers.
    Approve,
    /// It was put before: its state stands.
    Bound,
    /// It would be refused.
    Refuse,
}

/// An amount of an asset.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainedAmount {
    /// The asset.
    pub asset: String,
    /// In its main unit.
    pub amount: String,
    /// Who gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

/// One destination and the rules.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainedPayment {
    /// What it gets; absent where the request pays nobody, or nobody knows what it pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<ExplainedAmount>,
    /// The key of ours that the destination belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<String>,
    /// The rules asked.
    pub rules: Vec<ExplainedRule>,
}

/// One rule.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainedRule {
    /// Its name.
    pub rule: String,
    /// Whether it matches, and so decides.
    pub matches: bool,
    /// Why not; or what it decides.
    pub reason: String,
}

/// One limit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainedLimit {
    /// Its name.
    pub limit: String,
    /// The key, watcher or destination with a sum of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// The asset; absent where signatures are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// The most in its window.
    pub max: String,
    /// What is used of it.
    pub used: String,
    /// What the request would add.
    pub adds: String,
    /// Whether that fits.
    pub fits: bool,
}

/// An outpoint, or an account's nonce.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainedHold {
    /// `txid:vout`, or `evm:1/0xaccount/nonce`.
    pub hold: String,
    /// Whether the request could have it.
    pub free: bool,
}
