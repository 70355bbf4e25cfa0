//! Blocks reduced to the payments in them, whoever is paid, and the last of them kept: reading the same few again costs
//! nothing. Knows none of our addresses, so that new ones find what was read before.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256, U256};
use futures_util::future::join_all;

use super::{
    node::{FullBlock, Node},
    token::{self, Transferred},
};
use crate::chains::NodeError;

/// A few dozen kilobytes each on Ethereum.
const MOST_KEPT: usize = 1_024;
/// How many blocks the node is asked for at a time.
const AT_ONCE: usize = 8;

/// The payments of a block.
#[derive(Debug)]
pub(super) struct Payments {
    pub(super) hash: B256,
    pub(super) height: u64,
    pub(super) parent: B256,
    pub(super) native: Vec<Payment>,
    pub(super) tokens: Vec<TokenPayment>,
}

/// A transaction that sends ether along. It may have failed.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) txid: B256,
    pub(super) to: Address,
    pub(super) value: U256,
}

/// Tokens that changed hands.
#[derive(Clone, Debug)]
pub(super) struct TokenPayment {
    pub(super) txid: B256,
    pub(super) log_index: u64,
    pub(super) transferred: Transferred,
}

/// Reads blocks and keeps them.
#[derive(Debug)]
pub(super) struct Blocks {
    contracts: Vec<Address>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_hash: HashMap<B256, Arc<Payments>>,
    /// In the order in which they came: the first goes first.
    order: VecDeque<B256>,
    /// Whether payments of a block succeeded, by block and transaction.
    succeeded: HashMap<(B256, B256), bool>,
}

impl Blocks {
    /// Of a chain on which these contracts are our tokens.
    pub(super) fn new(contracts: Vec<Address>) -> Self {
        Self { contracts, kept: Mutex::default() }
    }

    /// The blocks from `last` back to the one above `after`, each the parent of the one before; none where the chain
    /// says something else by now.
    pub(super) async fn back_from(
        &self,
        node: &Node,
        last: (u64, B256),
        after: (u64, B256),
    ) -> Result<Option<Vec<Arc<Payments>>>, NodeError> {
        let mut blocks = Vec::new();
        let (mut height, mut hash) = last;
        while height > after.0 {
            let Some(block) = self.read(node, height, hash, after.0).await? else { return Ok(None) };
            if block.height != height {
                return Ok(None);
            }
            hash = block.parent;
            height -= 1;
            blocks.push(block);
        }
        Ok((hash == after.1).then_some(blocks))
    }

    /// Whether a payment of a block succeeded; none where the node has the transaction in no block, or another.
    pub(super) async fn succeeded(&self, node: &Node, block: B256, txid: B256) -> Result<Option<bool>, NodeError> {
        if let Some(known) = self.kept().succeeded.get(&(block, txid)) {
            return Ok(Some(*known));
        }
        let receipt = node.receipt(&format!("{txid:#x}")).await?.filter(|receipt| receipt.block_hash == block);
        let Some(receipt) = receipt else { return Ok(None) };
        let untold = || node.rpc.unexpected("eth_getTransactionReceipt", "it has no status");
        let succeeded = receipt.succeeded().ok_or_else(untold)?;
        self.kept().succeeded.insert((block, txid), succeeded);
        Ok(Some(succeeded))
    }

    /// A block by its hash; none where the node does not know it.
    async fn read(&self, node: &Node, height: u64, hash: B256, after: u64) -> Result<Option<Arc<Payments>>, NodeError> {
        if let Some(known) = self.known(hash) {
            return Ok(Some(known));
        }
        self.read_ahead(node, height, after).await?;
        if let Some(known) = self.known(hash) {
            return Ok(Some(known));
        }
        let Some(block) = node.block(hash).await? else { return Ok(None) };
        let block = Arc::new(self.payments(node, hash, &block).await?);
        self.kept().keep(Arc::clone(&block));
        Ok(Some(block))
    }

    /// Reads what the best chain has from a height downwards, where more than one block is missing: by height, as the
    /// hashes are known only one after the other. Those that turn out to be of another chain are never asked for.
    async fn read_ahead(&self, node: &Node, height: u64, after: u64) -> Result<(), NodeError> {
        let missing: Vec<u64> = {
            let known: HashSet<u64> = self.kept().by_hash.values().map(|block| block.height).collect();
            (after + 1..=height).rev().take_while(|height| !known.contains(height)).take(AT_ONCE).collect()
        };
        if missing.len() < 2 {
            return Ok(());
        }
        for block in join_all(missing.into_iter().map(|height| self.read_at(node, height))).await {
            if let Some(block) = block? {
                self.kept().keep(Arc::new(block));
            }
        }
        Ok(())
    }

    async fn read_at(&self, node: &Node, height: u64) -> Result<Option<Payments>, NodeError> {
        let found = node.block_at(height).await?;
        let Some((block, hash)) = found.and_then(|block| block.hash.map(|hash| (block, hash))) else {
            return Ok(None);
        };
        self.payments(node, hash, &block).await.map(Some)
    }

    async fn payments(&self, node: &Node, hash: B256, block: &FullBlock) -> Result<Payments, NodeError> {
        let logs = if self.contracts.is_empty() { Vec::new() } else { node.transfers(hash, &self.contracts).await? };
        let tokens = logs.iter().filter_map(|log| {
            let transferred = token::read(log).filter(|read| self.contracts.contains(&read.contract))?;
            Some(TokenPayment { txid: log.transaction_hash, log_index: log.index(), transferred })
        });
        let (height, parent) = (block.height(), block.parent_hash);
        Ok(Payments { hash, height, parent, native: native(block), tokens: tokens.collect() })
    }

    fn known(&self, hash: B256) -> Option<Arc<Payments>> {
        self.kept().by_hash.get(&hash).cloned()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the transactions of a block send along.
pub(super) fn native(block: &FullBlock) -> Vec<Payment> {
    let paying = block.transactions.iter().filter(|transaction| !transaction.value.is_zero());
    paying.filter_map(|one| Some(Payment { txid: one.hash, to: one.to?, value: one.value })).collect()
}

impl Kept {
    fn keep(&mut self, block: Arc<Payments>) {
        let hash = block.hash;
        if self.by_hash.insert(hash, block).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > MOST_KEPT
            && let Some(first) = self.order.pop_front()
        {
            self.by_hash.remove(&first);
            self.succeeded.retain(|(block, _), _| *block != first);
        }
    }
}
