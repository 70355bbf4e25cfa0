//! Blocks, and where a transaction is among them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A block by its place and name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Block {
    /// The first block has height 0.
    pub height: u64,
    /// As the chain's explorers write it.
    pub hash: String,
}

/// The end of the best chain, as the node knows it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Tip {
    /// The last block.
    pub block: Block,
    /// When it was made, in seconds since 1970.
    pub time_s: u64,
    /// The height the node is reading towards, where it knows that it is behind.
    pub behind: Option<u64>,
}

/// Where a transaction is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "where", rename_all = "snake_case")]
pub enum Whereabouts {
    /// The node does not know it.
    Unknown,
    /// It waits to be mined.
    Waiting,
    /// A block of the best chain holds it.
    Mined {
        /// That block.
        block: Block,
        /// Whether it did what it should: on Ethereum a mined transaction may have failed and cost its fee only.
        succeeded: bool,
    },
}
