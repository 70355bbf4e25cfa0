//! What is to be paid, before any transaction is thought of.

use appliance_wire::{Amount, Decimal};
use hsm_types::KeyPath;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Money of a chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Asset {
    /// As the signer's policy names it.
    pub name: String,
    /// Of its main unit.
    pub decimals: u8,
    /// The token's contract in lower case; none for what the chain's fees are paid in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
}

/// One payment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// Whose coins.
    pub source: Source,
    /// To whom: an address of the chain in its one spelling.
    pub destination: String,
    /// Of what.
    pub asset: Asset,
    /// How much.
    pub quantity: Quantity,
    /// The data field of the payment (memo, destination tag), on chains that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
}

/// Whose coins are spent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The chain's key; where coins can be added up, those of its children, too.
    Key,
    /// One child alone.
    Child(KeyPath),
    /// All children, where their coins can be added up.
    Children,
}

/// How much is paid.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// So much, in the asset's main unit; the fee comes on top.
    Exactly(Decimal),
    /// All there is, less the fee where it is paid in the same asset.
    All,
}

impl Quantity {
    /// In base units of the asset; none for all there is, and for what the asset cannot hold.
    #[must_use]
    pub fn units(&self, asset: &Asset) -> Option<Amount> {
        match self {
            Self::Exactly(amount) => amount.to_amount(asset.decimals).ok(),
            Self::All => None,
        }
    }
}

/// What another transaction in place of one is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Variation {
    /// The same payment for a higher fee.
    Bump,
    /// No payment: the coins come back, the nonce is used up.
    Cancel,
}
