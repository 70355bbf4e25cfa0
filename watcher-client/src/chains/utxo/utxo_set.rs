//! Our part of the set of unspent outputs, read once for each last block: on a main net it takes minutes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    blocks::descriptors,
    knowledge::{Unspent, WrittenCoin},
    node::{INVALID_PARAMETER, Node, unless},
};
use crate::chains::{NodeError, Own};

/// How long another's scan of the same node is waited for, and how often it is looked for.
const ATTEMPTS: u32 = 240;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// What `scantxoutset` finds, kept as long as the last block is the same.
#[derive(Debug)]
pub(super) struct UtxoSet {
    node: Node,
    last: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    descriptors: Vec<String>,
    block: String,
    unspent: Vec<Unspent>,
}

#[derive(Deserialize)]
struct Found {
    success: bool,
    bestblock: String,
    height: u64,
    unspents: Vec<FoundCoin>,
}

#[derive(Deserialize)]
struct FoundCoin {
    #[serde(flatten)]
    coin: WrittenCoin,
    height: u64,
}

impl UtxoSet {
    pub(super) fn new(node: &Node) -> Self {
        Self { node: node.clone(), last: Mutex::default() }
    }

    /// What is ours and no block spends. What waits to be mined may spend it.
    pub(super) async fn unspent(&self, own: &Own) -> Result<Vec<Unspent>, NodeError> {
        let descriptors = descriptors(own);
        let mut last = self.last.lock().await;
        let block: String = self.node.rpc.call("getbestblockhash", json!([])).await?;
        if let Some(kept) = last.as_ref().filter(|kept| kept.block == block && kept.descriptors == descriptors) {
            return Ok(kept.unspent.clone());
        }
        let found = self.scan(&descriptors).await?;
        let depth = |coin: &FoundCoin| (found.height + 1).saturating_sub(coin.height);
        let read = |coin: &FoundCoin| coin.coin.read(&self.node, "scantxoutset", depth(coin));
        let unspent: Vec<_> = found.unspents.iter().map(read).collect::<Result<_, _>>()?;
        *last = Some(Kept { descriptors, block: found.bestblock, unspent: unspent.clone() });
        Ok(unspent)
    }

    async fn scan(&self, descriptors: &[String]) -> Result<Found, NodeError> {
        for _ in 0..ATTEMPTS {
            let found = self.node.long.call("scantxoutset", json!(["start", descriptors])).await;
            // One scan runs at a time, also one that nobody waits for any more.
            if let Some(found) = unless::<Found>(INVALID_PARAMETER, found)? {
                let complete = found.success.then_some(found);
                return complete.ok_or_else(|| self.node.rpc.unexpected("scantxoutset", "it was aborted"));
            }
            tokio::time::sleep(BETWEEN_ATTEMPTS).await;
        }
        let why = "another scan of its outputs goes on and on: `scantxoutset abort` ends it";
        Err(self.node.rpc.unfit(why))
    }
}
