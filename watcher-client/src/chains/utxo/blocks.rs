//! The strategy without a wallet: every block after the last one is read, and every new transaction of the mempool.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
};

use appliance_wire::Amount;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    knowledge::Unspent,
    node::{NO_SUCH_METHOD, NOT_FOUND, Node, unless},
    utxo_set::UtxoSet,
};
use crate::chains::{Block, NodeError, Own, Scan, Sighting};

/// Below this many blocks reading them all is cheaper than asking for their filters.
const LONG_RANGE: u64 = 200;
/// The last blocks of a range are always read: `scanblocks` names no block to which it read, so a reorganisation while
/// it runs could hide something in what it changes, and none is as deep as this.
const ALWAYS_READ: u64 = 100;
/// Transactions of the mempool that one look at it reads; the rest is read at the next ones.
const MOST_READ: usize = 20_000;
/// The node has no index of filters (`RPC_MISC_ERROR`).
const NO_INDEX: i64 = -1;

/// Blocks, mempool and unspent outputs of a node.
#[derive(Debug)]
pub(super) struct Blocks {
    node: Node,
    set: UtxoSet,
    /// Whether the node was found without `scanblocks` or the filters it reads.
    reads_all: AtomicBool,
    /// What the transactions of the mempool pay, whoever it is to.
    mempool: Mutex<HashMap<String, Vec<Payment>>>,
}

#[derive(Clone, Debug)]
struct Payment {
    position: u32,
    address: String,
    sats: u64,
}

#[derive(Deserialize)]
struct FullBlock {
    tx: Vec<FullTransaction>,
}

#[derive(Deserialize)]
struct FullTransaction {
    txid: String,
    vout: Vec<FullOutput>,
}

/// Litecoin lists outputs of its extension blocks among the others; they have no script.
#[derive(Deserialize)]
struct FullOutput {
    n: Option<u32>,
    value: Option<f64>,
    #[serde(rename = "scriptPubKey")]
    script: Option<FullScript>,
}

#[derive(Deserialize)]
struct FullScript {
    hex: Option<String>,
}

#[derive(Deserialize)]
struct Relevant {
    relevant_blocks: HashSet<String>,
    #[serde(default)]
    completed: bool,
}

impl Blocks {
    pub(super) fn new(node: &Node) -> Self {
        let set = UtxoSet::new(node);
        Self { node: node.clone(), set, reads_all: AtomicBool::new(false), mempool: Mutex::default() }
    }

    pub(super) async fn scan(&self, own: &Own, after: &Block, to: &Block) -> Result<Scan, NodeError> {
        let Some(mut blocks) = self.node.blocks_between(after, to).await? else { return Ok(Scan::Moved) };
        if let Some(relevant) = self.relevant(own, after.height + 1, to.height).await? {
            blocks.retain(|height, hash| height + ALWAYS_READ > to.height || relevant.contains(hash));
        }
        let mut found = Vec::new();
        for (height, hash) in blocks {
            let block: Option<FullBlock> = unless(NOT_FOUND, self.node.rpc.call("getblock", json!([hash, 2])).await)?;
            let Some(block) = block else { return Ok(Scan::Moved) };
            let place = Block { height, hash };
            for transaction in &block.tx {
                let payments = self.payments("getblock", transaction)?;
                found.extend(self.sightings(own, &transaction.txid, &payments, Some(&place)));
            }
        }
        Ok(Scan::Found(found))
    }

    /// Blocks whose filter says that they pay us, and some that do not; none where every block has to be read.
    async fn relevant(&self, own: &Own, from: u64, to: u64) -> Result<Option<HashSet<String>>, NodeError> {
        if to - from < LONG_RANGE || self.reads_all.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let params = json!(["start", descriptors(own), from, to - ALWAYS_READ, "basic"]);
        match self.node.long.call::<Relevant>("scanblocks", params).await {
            Ok(found) => Ok(found.completed.then_some(found.relevant_blocks)),
            Err(error) if matches!(error.code(), Some(NO_SUCH_METHOD | NO_INDEX)) => {
                self.reads_all.store(true, Ordering::Relaxed);
                Ok(None)
            }
            // Another scan runs: reading is slower, and as good.
            Err(NodeError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn pending(&self, own: &Own) -> Result<Vec<Sighting>, NodeError> {
        let waiting: BTreeSet<String> = self.node.rpc.call("getrawmempool", json!([])).await?;
        let mut known = self.mempool.lock().await;
        known.retain(|txid, _| waiting.contains(txid));
        let fresh: Vec<_> = waiting.iter().filter(|txid| !known.contains_key(*txid)).take(MOST_READ).collect();
        for txid in fresh {
            let transaction = self.node.rpc.call("getrawtransaction", json!([txid, true])).await;
            // Mined or dropped meanwhile, it may also be gone.
            if let Some(transaction) = unless(NOT_FOUND, transaction)? {
                known.insert(txid.clone(), self.payments("getrawtransaction", &transaction)?);
            }
        }
        let found = known.iter().flat_map(|(txid, payments)| self.sightings(own, txid, payments, None));
        Ok(found.collect())
    }

    pub(super) async fn unspent(&self, own: &Own) -> Result<Vec<Unspent>, NodeError> {
        self.set.unspent(own).await
    }

    fn payments(&self, method: &str, transaction: &FullTransaction) -> Result<Vec<Payment>, NodeError> {
        let mut payments = Vec::new();
        for output in &transaction.vout {
            let FullOutput { n: Some(position), value: Some(value), script: Some(FullScript { hex: Some(script) }) } =
                output
            else {
                continue;
            };
            let script = hex::decode(script).map_err(|error| self.node.rpc.unexpected(method, error.to_string()))?;
            if let Some(address) = self.node.chain.address_of_script(&script) {
                let sats = self.node.sats(method, *value)?;
                payments.push(Payment { position: *position, address, sats });
            }
        }
        Ok(payments)
    }

    fn sightings(&self, own: &Own, txid: &str, payments: &[Payment], block: Option<&Block>) -> Vec<Sighting> {
        let ours = payments.iter().filter(|payment| own.find(&payment.address).is_some());
        let sighting = |payment: &Payment| Sighting {
            id: format!("{txid}:{}", payment.position),
            txid: txid.to_owned(),
            address: payment.address.clone(),
            asset: self.node.asset.clone(),
            amount: Amount::from_units(payment.sats),
            memo: None,
            block: block.cloned(),
        };
        ours.map(sighting).collect()
    }
}

/// Descriptors of our addresses (BIP 385), in one order.
pub(super) fn descriptors(own: &Own) -> Vec<String> {
    let sorted: BTreeMap<_, _> = own.all().map(|own| (&own.address, ())).collect();
    sorted.into_keys().map(|address| format!("addr({address})")).collect()
}
