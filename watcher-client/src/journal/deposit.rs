//! A deposit: coins that came to one of our addresses.

use appliance_wire::Decimal;
use hsm_types::KeyPath;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chains::Block;

/// A deposit as the journal keeps it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Deposit {
    /// Unique on its chain and the same for ever: `txid:vout`, for a token `txhash:log-index`.
    pub id: String,
    /// The chain, by its name in the config.
    pub chain: String,
    /// The transaction.
    pub txid: String,
    /// The address it came to.
    pub address: String,
    /// Whose address that is in the token.
    #[schema(value_type = String)]
    pub key: KeyPath,
    /// The name under which the exchange was given the address, or the memo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
    /// Of what.
    pub asset: String,
    /// How much, in the asset's main unit.
    #[schema(value_type = String)]
    pub amount: Decimal,
    /// The data field the payer filled in, on chains that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
    /// Where it stands.
    pub state: DepositState,
    /// The block that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Block>,
    /// The number of the last event about it: the cursor behind it.
    pub cursor: u64,
}

/// Where a deposit stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DepositState {
    /// Seen, and not deep enough to be believed.
    Pending,
    /// So many blocks deep as the config demands: the customer may have it.
    Creditable,
    /// It is on the chain no more. What was credited for it has to be taken back.
    Removed,
}
