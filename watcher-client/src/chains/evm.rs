//! Chains of Ethereum's kind: one full node over JSON-RPC (EIP-1474), ether and ERC-20. Knows no journal and no signer.
//!
//! A deposit of ether is named by its transaction's hash, one of tokens `txhash:log-index`, where the index counts
//! through the block. Ether that a contract sends is in no transaction: it is swept, but seen as nobody's deposit.

use std::time::Duration;

use alloy_primitives::{Address, B256, U256, b256};
use appliance_wire::Amount;

use self::{blocks::Blocks, fees::Ceilings, node::Node, sweeps::Balances};
use super::{
    Block, Chain, Draft, DraftError, Held, NodeError, Order, Own, OwnAddress, Scan, Sighting, Signed, Tip, Variation,
    Whereabouts, rpc::Rpc,
};
use crate::config::{ChainAsset, ChainConfig, Network};

mod account;
mod blocks;
mod check;
mod draft;
mod fees;
mod node;
mod redraft;
mod scan;
mod sweeps;
#[cfg(test)]
mod tests;
mod token;

/// Wei in an ether, as a power of ten; of all chains of this kind.
const ETHER_DECIMALS: u8 = 18;
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The first block of the chain whose id is 1.
const ETHEREUM: B256 = b256!("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");

/// A chain of Ethereum's kind.
#[derive(Debug)]
pub struct Evm {
    node: Node,
    name: String,
    chain_id: u64,
    genesis: Option<B256>,
    confirmations: u64,
    ceilings: Ceilings,
    native: ChainAsset,
    tokens: Vec<Token>,
    blocks: Blocks,
    balances: Balances,
}

/// A token of the config.
#[derive(Debug)]
struct Token {
    contract: Address,
    asset: super::Asset,
    sweep_above: Option<Amount>,
}

impl Evm {
    /// The chain of the config; connects nowhere yet.
    ///
    /// # Errors
    /// [`NodeError::Unfit`]: the config is of another kind of chain, or its genesis hash is none.
    pub fn new(config: &ChainConfig) -> Result<Self, NodeError> {
        let rpc = Rpc::of(config, CALL_TIMEOUT)?;
        let Network::Evm(chain_id) = config.network else {
            return Err(rpc.unfit("the chain is none of Ethereum's kind"));
        };
        let known = (chain_id == 1).then_some(ETHEREUM);
        let genesis = match config.genesis.as_deref().map(str::parse) {
            Some(Ok(hash)) if known.is_none_or(|known| known == hash) => Some(hash),
            Some(Ok(_)) => return Err(rpc.unfit("`genesis` is not that of Ethereum, whose chain id is 1")),
            Some(Err(_)) => return Err(rpc.unfit("`genesis` is no hash: write 0x and 64 digits")),
            None => known,
        };
        let mut assets = config.assets.iter().cloned();
        let native = assets.next().ok_or_else(|| rpc.unfit("`asset` is missing"))?;
        let tokens: Vec<Token> = assets.filter_map(token).collect();
        let contracts = tokens.iter().map(|token| token.contract).collect();
        Ok(Self {
            node: Node { rpc },
            name: config.name.clone(),
            chain_id,
            genesis,
            confirmations: config.confirmations,
            ceilings: Ceilings { fee: config.max_fee, rate: config.max_fee_rate },
            native,
            tokens,
            blocks: Blocks::new(contracts),
            balances: Balances::default(),
        })
    }

    async fn find(&self, txid: &str) -> Result<Whereabouts, NodeError> {
        if let Some(receipt) = self.node.receipt(txid).await? {
            let best = self.node.header_at(receipt.height()).await?;
            if let Some(header) = best.filter(|header| header.hash == receipt.block_hash) {
                let untold = || self.node.rpc.unexpected("eth_getTransactionReceipt", "it has no status");
                let succeeded = receipt.succeeded().ok_or_else(untold)?;
                return Ok(Whereabouts::Mined { block: header.block(), succeeded });
            }
        }
        Ok(if self.node.knows(txid).await? { Whereabouts::Waiting } else { Whereabouts::Unknown })
    }
}

impl Chain for Evm {
    async fn check(&self) -> Result<(), NodeError> {
        self.check_node().await
    }

    async fn tip(&self) -> Result<Tip, NodeError> {
        let last = self.node.latest().await?;
        let block = last.block();
        let behind = self.node.reading_towards().await?.map(|height| height.max(block.height));
        Ok(Tip { block, time_s: last.time_s(), behind })
    }

    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        Ok(self.node.header_at(height).await?.map(|header| header.block()))
    }

    async fn watch(&self, _addresses: &[OwnAddress], _is_fresh: bool) -> Result<(), NodeError> {
        Ok(())
    }

    async fn scan(&self, own: &Own, after: &Block, to: &Block) -> Result<Scan, NodeError> {
        self.scan_blocks(own, after, to).await
    }

    async fn pending(&self, own: &Own) -> Result<Vec<Sighting>, NodeError> {
        self.waiting(own).await
    }

    async fn draft(&self, order: &Order, own: &Own, held: &Held) -> Result<Draft, DraftError> {
        self.first_draft(order, own, held).await
    }

    async fn redraft(
        &self,
        order: &Order,
        before: &[Draft],
        variation: Variation,
        own: &Own,
        _held: &Held,
    ) -> Result<Draft, DraftError> {
        self.draft_instead_of(before, order, variation, own).await
    }

    async fn sweeps(&self, own: &Own, held: &Held) -> Result<Vec<Order>, NodeError> {
        self.sweep_orders(own, held).await
    }

    async fn look_up(&self, txid: &str) -> Result<Whereabouts, NodeError> {
        self.find(txid).await
    }

    async fn send(&self, signed: &Signed) -> Result<(), NodeError> {
        let hash = format!("{:#x}", self.node.send(&signed.transaction).await?);
        if hash == signed.txid {
            return Ok(());
        }
        let txid = &signed.txid;
        Err(self.node.rpc.unexpected("eth_sendRawTransaction", format!("it took {txid} for {hash}")))
    }
}

fn token(one: ChainAsset) -> Option<Token> {
    let contract = one.asset.contract.as_ref()?.parse().ok()?;
    Some(Token { contract, asset: one.asset, sweep_above: one.sweep_above })
}

/// An address in its one spelling.
fn spelled(address: Address) -> String {
    format!("{address:#x}")
}

fn units(amount: Amount) -> U256 {
    U256::from_be_bytes(amount.to_be_bytes())
}

fn amount(units: U256) -> Amount {
    Amount::from_be_bytes(units.to_be_bytes())
}
