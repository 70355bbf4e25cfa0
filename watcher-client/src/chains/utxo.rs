//! Chains of Bitcoin's kind, by Bitcoin Core's JSON-RPC, which Litecoin's node has too. Signs nothing and decides nothing:
//! what is spent by whom is in the journal.

use std::time::Duration;

use appliance_wire::Chain as ChainName;

mod blocks;
mod coin;
mod drafting;
mod fee;
mod genesis;
mod knowledge;
mod node;
mod psbt;
mod selection;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod utxo_set;
mod wallet;

use self::{blocks::Blocks, drafting::Terms, knowledge::Knowledge, node::Node, wallet::Wallet};
use super::{
    Block, Chain, Draft, DraftError, Held, NodeError, Order, Own, OwnAddress, Scan, Sighting, Signed, Tip, Variation,
    Whereabouts, rpc::Rpc,
};
use crate::config::{ChainConfig, Network, Strategy};

/// What a call may take that reads no more than a block.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What reading all coins or many blocks may take: minutes on a main net.
const LONG_TIMEOUT: Duration = Duration::from_secs(1_800);
/// The transaction is in a block already (`RPC_VERIFY_ALREADY_IN_CHAIN`).
const ALREADY_MINED: i64 = -27;

/// A chain of Bitcoin's kind, by one full node.
#[derive(Debug)]
pub struct Utxo {
    node: Node,
    knowledge: Knowledge,
    terms: Terms,
    genesis: Vec<String>,
}

impl Utxo {
    /// The chain of a config; connects nowhere yet.
    ///
    /// # Errors
    /// [`NodeError::Unfit`] where the config is of another kind of chain, or no HTTP client can be made.
    pub fn new(config: &ChainConfig) -> Result<Self, NodeError> {
        let unfit = |why: &str| NodeError::Unfit { url: config.node.to_string(), why: why.to_owned() };
        let Network::Utxo(chain) = config.network else { return Err(unfit("its chain is not of Bitcoin's kind")) };
        let native = config.assets.first().ok_or_else(|| unfit("its chain has no asset"))?;
        let rpc = |timeout| Rpc::of(config, timeout);
        let node = Node { rpc: rpc(TIMEOUT)?, long: rpc(LONG_TIMEOUT)?, chain, asset: native.asset.name.clone() };
        let knowledge = match &config.strategy {
            Strategy::Wallet(name) => Knowledge::Wallet(Box::new(Wallet::new(&node, name)?)),
            Strategy::Blocks => Knowledge::Blocks(Box::new(Blocks::new(&node))),
        };
        let genesis = config.genesis.clone().map_or_else(|| genesis::of(chain), |hash| vec![hash]);
        Ok(Self { node, knowledge, terms: Terms::new(config, native), genesis })
    }

    async fn check_genesis(&self) -> Result<(), NodeError> {
        let found: String = self.node.rpc.call("getblockhash", serde_json::json!([0])).await?;
        if self.genesis.contains(&found) {
            return Ok(());
        }
        Err(NodeError::OtherChain {
            url: self.node.rpc.url().to_owned(),
            chain: self.node.chain.to_string(),
            what: "the hash of its first block",
            expected: self.genesis.join(" or "),
            found,
        })
    }
}

impl Chain for Utxo {
    async fn check(&self) -> Result<(), NodeError> {
        self.check_genesis().await?;
        match &self.knowledge {
            Knowledge::Wallet(wallet) => wallet.open().await,
            Knowledge::Blocks(_) => self.node.check_index().await,
        }
    }

    async fn tip(&self) -> Result<Tip, NodeError> {
        self.node.tip().await
    }

    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        let hash = self.node.hash_at(height).await?;
        Ok(hash.map(|hash| Block { height, hash }))
    }

    async fn watch(&self, addresses: &[OwnAddress], is_fresh: bool) -> Result<(), NodeError> {
        match &self.knowledge {
            Knowledge::Wallet(wallet) => wallet.watch(addresses, is_fresh).await,
            Knowledge::Blocks(_) => Ok(()),
        }
    }

    async fn scan(&self, own: &Own, after: &Block, to: &Block) -> Result<Scan, NodeError> {
        if after.height >= to.height {
            return Ok(Scan::Found(Vec::new()));
        }
        match &self.knowledge {
            Knowledge::Wallet(wallet) => wallet.scan(own, after, to).await,
            Knowledge::Blocks(blocks) => blocks.scan(own, after, to).await,
        }
    }

    async fn pending(&self, own: &Own) -> Result<Vec<Sighting>, NodeError> {
        match &self.knowledge {
            Knowledge::Wallet(wallet) => wallet.pending(own).await,
            Knowledge::Blocks(blocks) => blocks.pending(own).await,
        }
    }

    async fn draft(&self, order: &Order, own: &Own, held: &Held) -> Result<Draft, DraftError> {
        self.draft_order(order, own, held).await
    }

    async fn redraft(
        &self,
        order: &Order,
        before: &[Draft],
        variation: Variation,
        own: &Own,
        held: &Held,
    ) -> Result<Draft, DraftError> {
        self.draft_variant(order, before, variation, own, held).await
    }

    async fn sweeps(&self, own: &Own, held: &Held) -> Result<Vec<Order>, NodeError> {
        self.draft_sweeps(own, held).await
    }

    async fn look_up(&self, txid: &str) -> Result<Whereabouts, NodeError> {
        self.knowledge.look_up(&self.node, txid).await
    }

    async fn send(&self, signed: &Signed) -> Result<(), NodeError> {
        // The node's own ceiling of a fee rate is turned off: that of the config was held when it was drafted.
        let sent = self.node.rpc.call("sendrawtransaction", serde_json::json!([signed.transaction, 0])).await;
        node::unless(ALREADY_MINED, sent.map(|_: String| ())).map(|_| ())
    }
}

/// What fees are counted in, by people.
fn coin_name(chain: ChainName) -> &'static str {
    if matches!(chain, ChainName::Litecoin | ChainName::LitecoinRegtest) { "LTC" } else { "BTC" }
}
