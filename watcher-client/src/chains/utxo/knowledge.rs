//! Who knows our coins: a wallet of the node, or the blocks and the set of unspent outputs.

use bitcoin::{OutPoint, Transaction, Txid};
use serde::Deserialize;
use serde_json::json;

use super::{
    blocks::Blocks,
    coin::Coin,
    node::{NOT_FOUND, Node, unless},
    transaction,
    wallet::Wallet,
};
use crate::chains::{Block, Held, NodeError, Own, Whereabouts};

/// One of the two strategies.
#[derive(Debug)]
pub(super) enum Knowledge {
    Wallet(Box<Wallet>),
    Blocks(Box<Blocks>),
}

/// An unspent output that a block holds.
#[derive(Clone, Debug)]
pub(super) struct Unspent {
    pub(super) outpoint: OutPoint,
    pub(super) script: Vec<u8>,
    pub(super) sats: u64,
    /// Its own block counts as 1.
    pub(super) confirmations: u64,
}

/// An unspent output as `listunspent` and `scantxoutset` write it.
#[derive(Deserialize)]
pub(super) struct WrittenCoin {
    txid: String,
    vout: u32,
    #[serde(rename = "scriptPubKey")]
    script: String,
    amount: f64,
}

/// `getrawtransaction` and `gettransaction`, of which only this is read.
#[derive(Deserialize)]
struct Placed {
    blockhash: Option<String>,
    #[serde(default)]
    confirmations: i64,
}

#[derive(Deserialize)]
struct WithHex {
    hex: String,
}

impl WrittenCoin {
    pub(super) fn read(&self, node: &Node, method: &str, confirmations: u64) -> Result<Unspent, NodeError> {
        let bad = |what: String| node.rpc.unexpected(method, what);
        let txid = self.txid.parse().map_err(|error| bad(format!("{}: {error}", self.txid)))?;
        Ok(Unspent {
            outpoint: OutPoint::new(txid, self.vout),
            script: hex::decode(&self.script).map_err(|error| bad(error.to_string()))?,
            sats: node.sats(method, self.amount)?,
            confirmations,
        })
    }
}

impl Knowledge {
    /// Our coins that nothing of `held` spends. What others paid counts once it is as deep as a deposit must be: what
    /// goes to the key itself is our own change.
    pub(super) async fn coins(
        &self,
        node: &Node,
        own: &Own,
        held: &Held,
        confirmations: u64,
    ) -> Result<Vec<Coin>, NodeError> {
        let unspent = match self {
            Self::Wallet(wallet) => wallet.unspent().await?,
            Self::Blocks(blocks) => blocks.unspent(own).await?,
        };
        let free = unspent.into_iter().filter(|unspent| !held.contains(&unspent.outpoint.to_string()));
        let ours = free.filter_map(|unspent| {
            let owner = own.find(&node.chain.address_of_script(&unspent.script)?)?;
            let least = if owner == own.key() { 1 } else { confirmations };
            let coin = Coin::new(unspent.outpoint, unspent.sats, &unspent.script, owner)?;
            (unspent.confirmations >= least).then_some(coin)
        });
        Ok(ours.collect())
    }

    /// A transaction in full.
    pub(super) async fn transaction(&self, node: &Node, txid: Txid) -> Result<Transaction, NodeError> {
        let hex = match self {
            Self::Wallet(wallet) => {
                wallet.call::<WithHex>("gettransaction", json!([txid.to_string(), true])).await?.hex
            }
            Self::Blocks(_) => node.rpc.call("getrawtransaction", json!([txid.to_string()])).await?,
        };
        let bytes = hex::decode(&hex).ok().and_then(|bytes| transaction::read(&bytes));
        bytes
            .filter(|found| found.compute_txid() == txid)
            .ok_or_else(|| node.rpc.unexpected("getrawtransaction", format!("it is not transaction {txid}")))
    }

    pub(super) async fn look_up(&self, node: &Node, txid: &str) -> Result<Whereabouts, NodeError> {
        let placed: Result<Placed, _> = match self {
            Self::Wallet(wallet) => wallet.call("gettransaction", json!([txid, true])).await,
            Self::Blocks(_) => node.rpc.call("getrawtransaction", json!([txid, true])).await,
        };
        if let Some(Placed { blockhash: Some(hash), confirmations: 1.. }) = unless(NOT_FOUND, placed)? {
            // Looked at once more: the block may have left the best chain since.
            if let Some(header) = node.header(&hash).await?.filter(|header| header.confirmations > 0) {
                return Ok(Whereabouts::Mined { block: Block { height: header.height, hash }, succeeded: true });
            }
        }
        // A wallet also remembers what the mempool has dropped.
        Ok(if node.is_in_mempool(txid).await? { Whereabouts::Waiting } else { Whereabouts::Unknown })
    }
}
