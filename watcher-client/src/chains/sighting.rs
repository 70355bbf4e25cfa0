//! A payment to us, as a node shows it.

use appliance_wire::Amount;

use super::Block;

/// Coins that came to one of our addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sighting {
    /// Unique on its chain and the same for ever: `txid:vout`, for a token `txhash:log-index`.
    pub id: String,
    /// The transaction.
    pub txid: String,
    /// The address, in its one spelling.
    pub address: String,
    /// The asset, by its name in the config.
    pub asset: String,
    /// How much, in base units.
    pub amount: Amount,
    /// The data field the payer filled in, on chains that have one.
    pub memo: Option<String>,
    /// The block that holds it; none while it waits to be mined.
    pub block: Option<Block>,
}

/// What reading blocks gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scan {
    /// All of it.
    Found(Vec<Sighting>),
    /// The chain was reorganised meanwhile: begin again from the tip there is now.
    Moved,
}
