//! Unsigned transactions as the journal keeps them.

use appliance_wire::{Decimal, Transfer};
use hsm_types::KeyPath;
use serde::{Deserialize, Serialize};

use super::NodeError;

/// An unsigned transaction, with all that is needed to have it signed later, elsewhere, by somebody without a node.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Draft {
    /// How `unsigned` is to be read.
    pub format: Format,
    /// The unsigned transaction in base64.
    pub unsigned: String,
    /// Who signs: for each input in order, or the one account.
    pub owners: Vec<KeyPath>,
    /// The outpoints it spends, or the account's nonce it uses: see [`Held`](super::Held).
    pub holds: Vec<String>,
    /// What arrives at the destination, in the asset's main unit; 0 for a cancellation.
    pub amount: Decimal,
    /// The most it costs, in the chain's native asset.
    pub fee: Decimal,
    /// What the signer is told it pays: its word for keys that are not `verified`, and the reference of the withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
}

/// Forms of an unsigned transaction.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// BIP 174.
    Psbt,
    /// The bytes whose Keccak-256 is signed (EIP-2718).
    Eip2718,
    /// A Solana message, which is signed as it is.
    Solana,
}

/// Why there is no unsigned transaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// The node gave no answer to build on.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Coins that can be spent now do not suffice; more may come, be confirmed or be let go of.
    #[error("{missing} {asset} too little can be spent now: {why}")]
    TooLittle {
        /// How much is missing, in the asset's main unit.
        missing: String,
        /// Of what.
        asset: String,
        /// What is there.
        why: String,
    },
    /// Another of our transactions has the only nonce there is; this one is drafted when that one is settled.
    #[error("{what} is in use by another of our transactions, which has to be settled first")]
    Busy {
        /// What there is only one of.
        what: String,
    },
    /// The network asks for more than the config allows.
    #[error("the fee would be {fee} {unit}, and `{key}` of the config allows {most}")]
    TooDear {
        /// What it would be.
        fee: String,
        /// In what it is counted.
        unit: &'static str,
        /// Which ceiling.
        key: &'static str,
        /// The ceiling.
        most: String,
    },
    /// This order can never be carried out on this chain.
    #[error("{0}")]
    Never(String),
}
