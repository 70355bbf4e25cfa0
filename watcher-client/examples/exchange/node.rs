//! What the story needs of a node, whichever it is. Everything else about it is the watcher's business.

use std::path::Path;

use serde_json::Value;
use watcher_client::journal::TransactionView;

use super::{Result, rpc::Rpc};

/// A real node with a chain of its own, which mines when told to. Amounts are in base units.
pub(crate) trait Node: Sized {
    /// Its program.
    const PROGRAM: &'static str;
    /// The chain's name in `watcher.toml`.
    const CHAIN: &'static str;
    /// The key that pays.
    const KEY: &'static str;
    /// What is paid.
    const ASSET: &'static str;
    /// Its decimals.
    const DECIMALS: u8;

    /// Starts it on a free port, with the chain of the last run where there was one, and waits until it answers.
    async fn start(directory: &Path) -> Result<Self>;

    /// Its RPC.
    fn rpc(&self) -> &Rpc;

    /// Of its `[[chain]]` in `watcher.toml`: what goes with this kind of chain only.
    fn section(&self) -> String;

    /// An error where it has ended.
    fn check(&mut self) -> Result<()>;

    /// The height of the last block.
    async fn height(&self) -> Result<u64>;

    /// Mines so many blocks of what waits.
    async fn mine(&self, blocks: u32) -> Result<()>;

    /// A block is mined, and what waits is not in it: others offer more.
    async fn mine_dearer(&self) -> Result<()>;

    /// The last block is not of the chain any more.
    async fn reorganise(&self) -> Result<()>;

    /// The payer sends the same again, where the node has forgotten it.
    async fn repeat(&self, payment: &Payment) -> Result<()>;

    /// The node forgets a transaction that waits to be mined.
    async fn forget(&mut self, txid: &str) -> Result<()>;

    /// A customer pays from a wallet that is none of ours.
    async fn pay(&self, address: &str, units: u128) -> Result<Payment>;

    /// An address that is none of ours, and new.
    async fn stranger(&self) -> Result<String>;

    /// What lies on an address, in blocks.
    async fn balance(&self, address: &str) -> Result<u128>;

    /// What a mined transaction cost beside what it paid.
    async fn fee(&self, transaction: &TransactionView) -> Result<u128>;

    /// The bytes of a transaction as the node has it, in hexadecimal; none where it does not know it.
    async fn bytes(&self, txid: &str) -> Result<Option<String>>;

    /// Shell commands that have a block mined, and this address paid.
    fn commands(&self, address: &str) -> [String; 2];

    /// Ends it in order.
    async fn stop(self) -> Result<()>;

    /// Where it answers.
    fn url(&self) -> &str {
        self.rpc().url()
    }
}

/// A payment to us, as its payer knows it.
pub(crate) struct Payment {
    pub(crate) txid: String,
    /// In hexadecimal.
    pub(crate) bytes: String,
}

/// A number as Ethereum's nodes write it.
pub(crate) fn number(value: &Value) -> Result<u128> {
    let digits =
        value.as_str().and_then(|text| text.strip_prefix("0x")).ok_or_else(|| format!("{value} is no number"))?;
    Ok(u128::from_str_radix(digits, 16)?)
}
