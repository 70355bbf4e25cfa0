//! What an acceptance says of the transaction that it was decided on.

use serde::{Deserialize, Serialize};

use crate::{Decimal, RequestId};

/// An unsigned transaction as the appliance read it: what is decided on, and enough to decide again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TransactionFacts {
    /// `bitcoin-regtest`, `evm:1`: the name of its chain.
    pub chain: String,
    /// Format of the evidence.
    pub format: String,
    /// SHA-256 of the evidence, under which it is kept.
    pub evidence_sha256: String,
    /// What it uses up, and what is held for its withdrawal: outpoints `txid:vout`, or one `evm:1/0xaccount/nonce`.
    pub holds: Vec<String>,
    /// Every output, in order; tokens and wei of a call likewise.
    pub outputs: Vec<TransactionOutput>,
    /// In base units of the chain's native asset.
    pub fee: Decimal,
    /// Which output may be change.
    pub change_to: ChangeTo,
    /// Call data other than an ERC-20 `transfer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallFacts>,
}

/// One output.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TransactionOutput {
    /// The address, in the chain's normal form.
    pub destination: String,
    /// In base units.
    pub amount: Decimal,
    /// The token's contract, where it is no native asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
}

/// Whom an output must pay to be change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "to", content = "address", rename_all = "lowercase")]
pub enum ChangeTo {
    /// The family: every input is spent by one key alone.
    Family,
    /// The one multi-signature address that every input is spent from.
    Address(String),
    /// Nobody: inputs are spent from several scripts of which others have keys, too.
    Nobody,
}

/// What a contract is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CallFacts {
    /// The contract.
    pub contract: String,
    /// The data, hexadecimal.
    pub data: String,
}

/// An output that is change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Change {
    /// The asset.
    pub asset: String,
    /// The address.
    pub destination: String,
    /// In the asset's main unit.
    pub amount: Decimal,
}

/// The place of a request among the variants of its withdrawal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Variant {
    /// The accepted variant it names.
    pub replaces: RequestId,
    /// Index of the first variant's acceptance: the withdrawal.
    pub first: u64,
    /// What every variant up to this one uses up: at least one thing.
    pub pivots: Vec<String>,
    /// What the variants before it were charged.
    pub charged_before: Charged,
}

/// What a withdrawal was charged: the largest of its variants.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Charged {
    /// The largest fee of a variant.
    pub fee: Decimal,
    /// The largest sum of a variant in the fee's asset: payments and fee.
    pub native: Decimal,
}
