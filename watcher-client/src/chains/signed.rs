//! Signed transactions, ready to be sent.

use serde::{Deserialize, Serialize};

/// A signed transaction, as its node takes it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Signed {
    /// Hexadecimal, with `0x` on Ethereum's chains; base64 on Solana's.
    pub transaction: String,
    /// What the chain will know it by, computed here.
    pub txid: String,
}
