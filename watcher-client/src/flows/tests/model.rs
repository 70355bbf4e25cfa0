//! A chain of Bitcoin's kind in memory, with a node that can be made to stand still at any call, before or after it did
//! what it was asked.

use std::{
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use appliance_wire::{Amount, Chain as Network};
use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::{
    OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute, consensus, transaction::Version,
};
use tokio::sync::Notify;

use crate::{
    chains::{
        Block, Chain, Draft, DraftError, Format, Held, NodeError, Order, Own, OwnAddress, Quantity, Scan, Sighting,
        Signed, Tip, Variation, Whereabouts,
    },
    testing::vault::{address_of, child},
};

pub(super) const COIN: u64 = 100_000;
const FEE: u64 = 1_000;

/// Cheap to clone: all clones are one node.
#[derive(Clone, Debug)]
pub(super) struct Model {
    world: Arc<Mutex<World>>,
    /// Calls to go until it stands still.
    pub(super) left: Arc<AtomicUsize>,
    pub(super) stands_still: Arc<Notify>,
}

#[derive(Debug, Default)]
pub(super) struct World {
    blocks: Vec<Vec<Transaction>>,
    mempool: Vec<Transaction>,
    /// Counts reorganisations, so that blocks made again have other names.
    fork: usize,
    /// An order of this quantity the node does not help to draft.
    pub(super) refuses: Option<Quantity>,
    /// What is sent is taken, and the answer is an error.
    pub(super) denies: bool,
    /// A block is found between reading the blocks and reading the mempool.
    pub(super) mines_at_pending: bool,
}

impl Model {
    pub(super) fn new() -> Self {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let model = Self { world: Arc::default(), left, stands_still: Arc::default() };
        for _ in 0..3 {
            model.mine();
        }
        model
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Pays an address from nowhere; waits to be mined.
    pub(super) fn pay(&self, address: &str, amount: u64) {
        let mut world = self.world();
        let tag = world.mempool.len() + world.blocks.iter().map(Vec::len).sum::<usize>();
        let input = TxIn { script_sig: ScriptBuf::from_bytes(tag.to_be_bytes().to_vec()), ..TxIn::default() };
        world.mempool.push(transaction(vec![input], vec![output(address, amount)]));
    }

    pub(super) fn mine(&self) {
        let mut world = self.world();
        let block = std::mem::take(&mut world.mempool);
        world.blocks.push(block);
    }

    /// The last blocks are replaced by as many, and one more, that are empty; what they held is forgotten.
    pub(super) fn reorganise(&self, depth: usize) {
        let mut world = self.world();
        let kept = world.blocks.len() - depth;
        world.blocks.truncate(kept);
        world.fork += 1;
        // A block's name is made of what it holds.
        for place in 0..=depth {
            let coinbase = ScriptBuf::from_bytes(vec![0xff, world.fork as u8, place as u8]);
            let input = TxIn { script_sig: coinbase, ..TxIn::default() };
            world.blocks.push(vec![transaction(vec![input], vec![output(&nobodys_address(), 1)])]);
        }
    }

    pub(super) fn evict(&self) {
        self.world().mempool.clear();
    }

    /// What an address has got in blocks, each output once.
    pub(super) fn received(&self, address: &str) -> Vec<u64> {
        let script = script(address);
        let world = self.world();
        let outputs = world.blocks.iter().flatten().flat_map(|transaction| &transaction.output);
        outputs.filter(|output| output.script_pubkey == script).map(|output| output.value.to_sat()).collect()
    }

    /// Stands still for ever when its time has come: at a call, or between what it did and its answer.
    async fn step(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.stands_still.notify_one();
            pending::<()>().await;
        }
    }

    /// As [`step`](Self::step), for others: whether to stand still.
    pub(super) fn is_time(&self) -> bool {
        let is_time = self.left.fetch_sub(1, Ordering::SeqCst) == 0;
        if is_time {
            self.stands_still.notify_one();
        }
        is_time
    }
}

impl World {
    fn block(&self, height: u64) -> Option<Block> {
        let index = usize::try_from(height).unwrap();
        let held: Vec<String> =
            self.blocks.get(index)?.iter().map(|transaction| transaction.compute_txid().to_string()).collect();
        Some(Block { height, hash: format!("{height}:{}", held.join(",")) })
    }

    pub(super) fn height(&self) -> u64 {
        self.tip().height
    }

    fn tip(&self) -> Block {
        self.block(self.blocks.len() as u64 - 1).unwrap()
    }

    fn find(&self, txid: &str) -> Option<(Transaction, Option<u64>)> {
        let is_it = |one: &&Transaction| one.compute_txid().to_string() == txid;
        let mined = self
            .blocks
            .iter()
            .enumerate()
            .find_map(|(height, block)| block.iter().find(is_it).map(|found| (found.clone(), Some(height as u64))));
        mined.or_else(|| self.mempool.iter().find(is_it).map(|found| (found.clone(), None)))
    }

    fn is_spent_in_a_block(&self, outpoint: &OutPoint) -> bool {
        let inputs = self.blocks.iter().flatten().flat_map(|transaction| &transaction.input);
        inputs.into_iter().any(|input| input.previous_output == *outpoint)
    }

    fn sightings(&self, own: &Own, transactions: &[Transaction], block: Option<&Block>) -> Vec<Sighting> {
        let mut all = Vec::new();
        for transaction in transactions {
            let txid = transaction.compute_txid().to_string();
            for (vout, paid) in transaction.output.iter().enumerate() {
                let address = Network::BitcoinRegtest.address_of_script(paid.script_pubkey.as_bytes());
                let Some(found) = address.as_deref().and_then(|address| own.find(address)) else { continue };
                if found.path.child.is_none() {
                    continue;
                }
                all.push(Sighting {
                    id: format!("{txid}:{vout}"),
                    txid: txid.clone(),
                    address: found.address.clone(),
                    asset: "BTC".to_owned(),
                    amount: Amount::from_units(paid.value.to_sat()),
                    memo: None,
                    block: block.cloned(),
                });
            }
        }
        all
    }
}

impl Chain for Model {
    async fn check(&self) -> Result<(), NodeError> {
        self.step().await;
        Ok(())
    }

    async fn tip(&self) -> Result<Tip, NodeError> {
        self.step().await;
        Ok(Tip { block: self.world().tip(), time_s: 0, behind: None })
    }

    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        self.step().await;
        Ok(self.world().block(height))
    }

    async fn watch(&self, _: &[OwnAddress], _: bool) -> Result<(), NodeError> {
        self.step().await;
        Ok(())
    }

    async fn scan(&self, own: &Own, after: &Block, to: &Block) -> Result<Scan, NodeError> {
        self.step().await;
        let world = self.world();
        let mut all = Vec::new();
        for height in after.height + 1..=to.height {
            let Some(block) = world.block(height) else { return Ok(Scan::Moved) };
            all.extend(world.sightings(own, &world.blocks[usize::try_from(height).unwrap()], Some(&block)));
        }
        let moved = world.block(to.height).as_ref() != Some(to) || world.block(after.height).as_ref() != Some(after);
        Ok(if moved { Scan::Moved } else { Scan::Found(all) })
    }

    async fn pending(&self, own: &Own) -> Result<Vec<Sighting>, NodeError> {
        self.step().await;
        if std::mem::take(&mut self.world().mines_at_pending) {
            self.mine();
        }
        let world = self.world();
        Ok(world.sightings(own, &world.mempool, None))
    }

    async fn draft(&self, order: &Order, own: &Own, held: &Held) -> Result<Draft, DraftError> {
        self.step().await;
        let world = self.world();
        if world.refuses.as_ref() == Some(&order.quantity) {
            let (method, message) = ("eth_estimateGas".to_owned(), "gas required exceeds allowance".to_owned());
            return Err(NodeError::Refused { method, code: -32_000, message }.into());
        }
        let script = script(&own.key().address);
        for transaction in world.blocks.iter().flatten() {
            for (vout, paid) in transaction.output.iter().enumerate() {
                let outpoint = OutPoint::new(transaction.compute_txid(), u32::try_from(vout).unwrap());
                let free = !held.contains(&outpoint.to_string()) && !world.is_spent_in_a_block(&outpoint);
                if paid.script_pubkey == script && free {
                    return Ok(draft(order, own, transaction, outpoint, FEE));
                }
            }
        }
        Err(DraftError::TooLittle { missing: "1".to_owned(), asset: "BTC".to_owned(), why: "no coin".to_owned() })
    }

    async fn redraft(
        &self,
        order: &Order,
        before: &[Draft],
        variation: Variation,
        own: &Own,
        _: &Held,
    ) -> Result<Draft, DraftError> {
        self.step().await;
        let psbt = Psbt::deserialize(&STANDARD.decode(&before[0].unsigned).unwrap()).unwrap();
        let previous = psbt.inputs[0].non_witness_utxo.clone().unwrap();
        let outpoint = psbt.unsigned_tx.input[0].previous_output;
        let fee = FEE * (before.len() as u64 + 1);
        let mut order = order.clone();
        if variation == Variation::Cancel {
            order.quantity = Quantity::All;
        }
        Ok(draft(&order, own, &previous, outpoint, fee))
    }

    async fn sweeps(&self, _: &Own, _: &Held) -> Result<Vec<Order>, NodeError> {
        self.step().await;
        Ok(Vec::new())
    }

    async fn look_up(&self, txid: &str) -> Result<Whereabouts, NodeError> {
        self.step().await;
        let world = self.world();
        Ok(match world.find(txid) {
            None => Whereabouts::Unknown,
            Some((_, None)) => Whereabouts::Waiting,
            Some((_, Some(height))) => Whereabouts::Mined { block: world.block(height).unwrap(), succeeded: true },
        })
    }

    async fn send(&self, signed: &Signed) -> Result<(), NodeError> {
        self.step().await;
        let sent: Transaction = consensus::deserialize(&hex::decode(&signed.transaction).unwrap()).unwrap();
        {
            let mut world = self.world();
            let outpoint = sent.input[0].previous_output;
            if world.is_spent_in_a_block(&outpoint) {
                let (method, message) = ("sendrawtransaction".to_owned(), "spent".to_owned());
                return Err(NodeError::Refused { method, code: -25, message });
            }
            world.mempool.retain(|other| other.input[0].previous_output != outpoint);
            world.mempool.push(sent);
        }
        if self.world().denies {
            let (method, message) = ("sendrawtransaction".to_owned(), "who knows".to_owned());
            return Err(NodeError::Refused { method, code: -25, message });
        }
        // Done, and nobody hears of it.
        self.step().await;
        Ok(())
    }
}

fn draft(order: &Order, own: &Own, previous: &Transaction, outpoint: OutPoint, fee: u64) -> Draft {
    let coin = previous.output[outpoint.vout as usize].value.to_sat();
    let paid = match &order.quantity {
        Quantity::Exactly(amount) => amount.to_amount(8).unwrap().to_decimal(0).as_str().parse().unwrap(),
        Quantity::All => 0,
    };
    let mut outputs = vec![output(&own.key().address, coin - paid - fee)];
    if paid > 0 {
        outputs.push(output(&order.destination, paid));
    }
    let input = TxIn {
        previous_output: outpoint,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let mut psbt = Psbt::from_unsigned_tx(transaction(vec![input], outputs)).unwrap();
    psbt.inputs[0].non_witness_utxo = Some(previous.clone());
    Draft {
        format: Format::Psbt,
        unsigned: STANDARD.encode(psbt.serialize()),
        owners: vec![own.key().path.clone()],
        holds: vec![outpoint.to_string()],
        amount: Amount::from_units(paid).to_decimal(8),
        fee: Amount::from_units(fee).to_decimal(8),
        transfer: None,
    }
}

/// An address that nobody is given.
fn nobodys_address() -> String {
    address_of(&child(11))
}

fn transaction(input: Vec<TxIn>, output: Vec<TxOut>) -> Transaction {
    Transaction { version: Version::TWO, lock_time: absolute::LockTime::ZERO, input, output }
}

fn output(address: &str, amount: u64) -> TxOut {
    TxOut { value: bitcoin::Amount::from_sat(amount), script_pubkey: script(address) }
}

fn script(address: &str) -> ScriptBuf {
    use std::str::FromStr;
    let address = bitcoin::Address::from_str(address).unwrap();
    address.require_network(bitcoin::Network::Regtest).unwrap().script_pubkey()
}
