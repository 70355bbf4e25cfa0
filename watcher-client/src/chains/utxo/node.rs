//! Calls that need neither wallet nor index, and what the node's codes mean.

use std::collections::BTreeMap;

use appliance_wire::Chain;
use bitcoin::{Amount, OutPoint};
use serde::Deserialize;
use serde_json::json;

use super::fee::{Rate, Rates};
use crate::chains::{Block, NodeError, Tip, rpc::Rpc};

/// No such block, transaction or address (`RPC_INVALID_ADDRESS_OR_KEY`).
pub(super) const NOT_FOUND: i64 = -5;
/// A parameter out of range, or a scan that runs already (`RPC_INVALID_PARAMETER`).
pub(super) const INVALID_PARAMETER: i64 = -8;
/// The node is too old for it, or built or started without it (`RPC_METHOD_NOT_FOUND`).
pub(super) const NO_SUCH_METHOD: i64 = -32601;

/// Blocks within which a withdrawal should be mined.
const TARGET_BLOCKS: u32 = 6;

/// A full node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) rpc: Rpc,
    /// The same for calls that take minutes.
    pub(super) long: Rpc,
    pub(super) chain: Chain,
    /// What its coins are called in the config.
    pub(super) asset: String,
}

/// A block's header, as far as it is read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Header {
    /// Below 1 where it is not of the best chain.
    pub(super) confirmations: i64,
    pub(super) height: u64,
    time: u64,
    previousblockhash: Option<String>,
}

#[derive(Deserialize)]
struct ChainInfo {
    headers: u64,
    bestblockhash: String,
    initialblockdownload: bool,
}

#[derive(Deserialize)]
struct Index {
    synced: bool,
}

#[derive(Deserialize)]
struct Estimate {
    feerate: Option<f64>,
}

#[derive(Deserialize)]
struct MempoolInfo {
    mempoolminfee: f64,
    minrelaytxfee: f64,
}

#[derive(Deserialize)]
struct NetworkInfo {
    incrementalfee: f64,
}

#[derive(Deserialize)]
struct Output {
    confirmations: u64,
    coinbase: bool,
}

/// What was answered, and nothing where the node refused with this code.
pub(super) fn unless<T>(code: i64, answer: Result<T, NodeError>) -> Result<Option<T>, NodeError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == Some(code) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Node {
    pub(super) async fn tip(&self) -> Result<Tip, NodeError> {
        let info: ChainInfo = self.rpc.call("getblockchaininfo", json!([])).await?;
        let header = self.header(&info.bestblockhash).await?;
        let header = header.ok_or_else(|| self.rpc.unexpected("getblockheader", "it does not know its last block"))?;
        // A node of a private chain says that it is reading the chain for the first time as long as its tip is old.
        let is_private = matches!(self.chain, Chain::BitcoinRegtest | Chain::LitecoinRegtest);
        let is_behind = info.headers > header.height || (info.initialblockdownload && !is_private);
        let behind = is_behind.then_some(info.headers.max(header.height));
        Ok(Tip { block: Block { height: header.height, hash: info.bestblockhash }, time_s: header.time, behind })
    }

    /// The hash of the block at a height of the best chain.
    pub(super) async fn hash_at(&self, height: u64) -> Result<Option<String>, NodeError> {
        unless(INVALID_PARAMETER, self.rpc.call("getblockhash", json!([height])).await)
    }

    pub(super) async fn header(&self, hash: &str) -> Result<Option<Header>, NodeError> {
        unless(NOT_FOUND, self.rpc.call("getblockheader", json!([hash])).await)
    }

    /// The blocks after `after` up to and with `to`, found from parent to parent, by height; none where `to` is not of
    /// the best chain, or `after` not its ancestor.
    pub(super) async fn blocks_between(
        &self,
        after: &Block,
        to: &Block,
    ) -> Result<Option<BTreeMap<u64, String>>, NodeError> {
        let mut blocks = BTreeMap::new();
        let mut hash = to.hash.clone();
        for height in (after.height + 1..=to.height).rev() {
            let Some(header) = self.header(&hash).await? else { return Ok(None) };
            if header.height != height || (height == to.height && header.confirmations < 1) {
                return Ok(None);
            }
            let Some(parent) = header.previousblockhash else { return Ok(None) };
            blocks.insert(height, std::mem::replace(&mut hash, parent));
        }
        Ok((hash == after.hash).then_some(blocks))
    }

    pub(super) async fn is_in_mempool(&self, txid: &str) -> Result<bool, NodeError> {
        let entry = self.rpc.call("getmempoolentry", json!([txid])).await;
        unless(NOT_FOUND, entry.map(|_: serde_json::Value| ())).map(|found| found.is_some())
    }

    /// Whether an output is in a block, old enough where it is newly made money, and spent by nothing, not even by what
    /// waits to be mined.
    pub(super) async fn is_spendable(&self, outpoint: OutPoint) -> Result<bool, NodeError> {
        /// Blocks before a coinbase may be spent (consensus, `COINBASE_MATURITY`).
        const COINBASE_MATURITY: u64 = 100;
        let params = json!([outpoint.txid.to_string(), outpoint.vout, true]);
        let output: Option<Output> = self.rpc.call("gettxout", params).await?;
        Ok(output.is_some_and(|output| output.confirmations > if output.coinbase { COINBASE_MATURITY - 1 } else { 0 }))
    }

    /// What the network asks for a transaction now.
    pub(super) async fn rates(&self) -> Result<Rates, NodeError> {
        let estimate: Estimate = self.rpc.call("estimatesmartfee", json!([TARGET_BLOCKS])).await?;
        let mempool: MempoolInfo = self.rpc.call("getmempoolinfo", json!([])).await?;
        let network: NetworkInfo = self.rpc.call("getnetworkinfo", json!([])).await?;
        let rate = |coins: f64| Ok::<_, NodeError>(Rate(self.sats("estimatesmartfee", coins)?));
        let relayed = rate(mempool.mempoolminfee)?.max(rate(mempool.minrelaytxfee)?);
        // A node that has seen too few blocks has no estimate.
        let estimate = estimate.feerate.map(rate).transpose()?.unwrap_or(relayed);
        Ok(Rates { wanted: estimate.max(relayed), incremental: rate(network.incrementalfee)? })
    }

    /// Base units of an amount that the node wrote in coins. Its decimals come through a float unharmed: it has room for
    /// 67 million coins of eight decimals, and its shortest form is the one the node wrote.
    pub(super) fn sats(&self, method: &str, coins: f64) -> Result<u64, NodeError> {
        let amount =
            Amount::from_btc(coins).map_err(|error| self.rpc.unexpected(method, format!("{coins}: {error}")))?;
        Ok(amount.to_sat())
    }

    /// Whether transactions can be looked up by their id, wherever they are.
    pub(super) async fn check_index(&self) -> Result<(), NodeError> {
        let indexes = self.rpc.call("getindexinfo", json!(["txindex"])).await;
        let indexes: BTreeMap<String, Index> = unless(NO_SUCH_METHOD, indexes)?
            .ok_or_else(|| self.rpc.unfit("it is older than Bitcoin Core 0.21, which is the least that serves"))?;
        match indexes.get("txindex") {
            None => Err(self.rpc.unfit(
                "it has no index of transactions: write `txindex=1` into its config and start it again, or set \
                 `strategy = \"wallet\"`",
            )),
            Some(Index { synced: false }) => Err(self.rpc.unfit(
                "it is still making its index of transactions: wait until `getindexinfo` says that it is synced",
            )),
            Some(Index { synced: true }) => Ok(()),
        }
    }
}
