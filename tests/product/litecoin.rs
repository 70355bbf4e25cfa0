//! Withdrawals of a `verified` key on a real chain of Bitcoin's kind: what is signed is what the node mines.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::{
    OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute, consensus, transaction,
};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{Installation, Running, litecoind::Litecoind, trial, watcher_program::run};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("litecoin::the_node_mines_and_takes_blocks_back", node),
        trial("litecoin::coins_of_the_key_and_of_children_are_withdrawn_together", withdrawal),
        trial("litecoin::a_higher_fee_replaces_the_withdrawal_on_the_node", fee_bump),
        trial("litecoin::a_cancellation_takes_the_coins_back", cancellation),
        trial("litecoin::another_withdrawal_of_the_same_coin_is_refused_and_told_who_holds_it", reserved),
        trial("litecoin::after_a_reorganisation_the_same_bytes_are_sent_again", reorganisation),
        trial("litecoin::descriptors_of_children_are_the_nodes_too", descriptors),
    ]
}

const POLICY: &str = r#"
version = 1

[[watcher]]
name = "ltc-watcher"
public_keys_sha256 = ["WATCHER"]

[[asset]]
name = "LTC"
chain = "litecoin-regtest"
decimals = 8

[[key]]
name = "vault"
algorithm = "secp256k1"
evidence = "verified"
assets = ["LTC"]
address_type = "p2wpkh"
children = true

[[rule]]
name = "withdrawals"
watchers = ["ltc-watcher"]
keys = ["vault"]
asset = "LTC"
max_amount = "5"
max_fee = "0.01"
action = "sign"

[[rule]]
name = "back to ourselves"
watchers = ["ltc-watcher"]
keys = ["vault"]
destinations = "self"
max_fee = "0.01"
action = "sign"

[[limit]]
name = "vault, a day"
keys = ["vault"]
asset = "LTC"
max_amount = "20"
window = "24h"
"#;

const COIN: u64 = 100_000_000;
const LOW_FEE: u64 = 2_000;
const HIGH_FEE: u64 = 20_000;

/// A node, an appliance with one key, and a watcher of both.
struct Bench {
    node: Litecoind,
    installation: Installation,
    running: Option<Running>,
}

/// An output of ours that can be spent.
#[derive(Clone)]
struct Coin {
    outpoint: OutPoint,
    previous: Transaction,
    output: TxOut,
}

impl Bench {
    fn start() -> Self {
        let node = Litecoind::start();
        let installation = Installation::without_log();
        let generate = ["key", "generate", "vault", "--algorithm", "secp256k1", "--children", "--config"];
        installation.run("chancery-provision", &[&generate[..], &["chancery.toml"]].concat());
        installation.begin(POLICY);
        let running = installation.start();
        installation.write_watcher_config(&running);
        Self { node, installation, running: Some(running) }
    }

    /// The address of the key itself, then those of its first children.
    fn addresses(&self, children: usize) -> Vec<String> {
        let keys = self.json(&["keys"]);
        let mut addresses = vec![keys["keys"][0]["address"].as_str().unwrap().to_owned()];
        let allocated = self.json(&["addresses", "vault", "--count", &children.to_string()]);
        let of = |address: &Value| address["address"].as_str().unwrap().to_owned();
        addresses.extend(allocated["addresses"].as_array().unwrap().iter().map(of));
        addresses
    }

    /// One mined coin of 1 LTC on each of these addresses.
    fn fund(&self, addresses: &[String]) -> Vec<Coin> {
        let coins = addresses.iter().map(|address| {
            let txid = self.node.send_to(address, "1");
            self.coin(&txid, &self.script(address))
        });
        let coins = coins.collect();
        self.node.generate(1);
        coins
    }

    fn coin(&self, txid: &str, script: &ScriptBuf) -> Coin {
        let previous: Transaction = consensus::deserialize(&self.node.raw_transaction(txid)).unwrap();
        let position = previous.output.iter().position(|output| output.script_pubkey == *script).unwrap();
        let outpoint = OutPoint::new(previous.compute_txid(), u32::try_from(position).unwrap());
        Coin { outpoint, output: previous.output[position].clone(), previous }
    }

    fn script(&self, address: &str) -> ScriptBuf {
        ScriptBuf::from_bytes(self.node.script_of(address))
    }

    /// Writes an unsigned transaction that pays `amount` to `customer` and the rest less `fee` to `change`.
    fn write_psbt(&self, file: &str, coins: &[Coin], pays: &[(&str, u64)], change: &str, fee: u64) {
        let input = |coin: &Coin| TxIn {
            previous_output: coin.outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        };
        let output = |script_pubkey, amount| TxOut { value: bitcoin::Amount::from_sat(amount), script_pubkey };
        let spent: u64 = coins.iter().map(|coin| coin.output.value.to_sat()).sum();
        let paid: u64 = pays.iter().map(|(_, amount)| amount).sum();
        let mut outputs: Vec<_> = pays.iter().map(|(address, amount)| output(self.script(address), *amount)).collect();
        outputs.push(output(self.script(change), spent - paid - fee));
        let transaction = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: coins.iter().map(input).collect(),
            output: outputs,
        };
        let mut psbt = Psbt::from_unsigned_tx(transaction).unwrap();
        for (input, coin) in psbt.inputs.iter_mut().zip(coins) {
            input.non_witness_utxo = Some(coin.previous.clone());
        }
        fs::write(self.installation.path(file), STANDARD.encode(psbt.serialize())).unwrap();
    }

    /// Has a PSBT signed, checks it against Bitcoin's own script code, and returns its hexadecimal form.
    fn sign(&self, id: &str, psbt: &str, more: &[&str], coins: &[Coin]) -> String {
        let arguments = [&["sign", id, "--psbt", psbt][..], more].concat();
        let (status, out, err) = run(&self.installation, &arguments);
        assert_eq!(status, 0, "{arguments:?}: {err}");
        let hex = out.trim().to_owned();
        judge(&hex, coins);
        hex
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (status, out, err) = run(&self.installation, &[arguments, &["--json"]].concat());
        assert_eq!(status, 0, "{arguments:?}: {err}");
        serde_json::from_str(&out).unwrap()
    }

    fn end(mut self) {
        self.running.take().unwrap().stop();
        self.installation.assert_log_verifies();
    }
}

/// Bitcoin Core's script code accepts every input, and refuses it for one unit more.
fn judge(hex: &str, coins: &[Coin]) {
    let bytes = hex::decode(hex).unwrap();
    for (position, coin) in coins.iter().enumerate() {
        let script = coin.output.script_pubkey.as_bytes();
        let verify = |amount| bitcoinconsensus::verify(script, amount, &bytes, None, position);
        verify(coin.output.value.to_sat()).unwrap();
        verify(coin.output.value.to_sat() + 1).unwrap_err();
    }
}

fn node() {
    let node = Litecoind::start();
    let txid = node.send_to(&node.new_address(), "1.5");
    assert_eq!((node.mempool(), node.confirmations(&txid)), (vec![txid.clone()], 0));
    let block = node.generate(1).remove(0);
    assert_eq!((node.best_block(), node.confirmations(&txid)), (block.clone(), 1));

    let bytes = node.raw_transaction(&txid);
    let parsed: Transaction = consensus::deserialize(&bytes).unwrap();
    assert_eq!(parsed.compute_txid().to_string(), txid);
    assert_eq!(node.send_raw("00").unwrap_err().code, -22);
    assert_eq!(node.send_raw(&hex::encode(&bytes)).unwrap_err().code, -27, "it is mined");

    node.invalidate_block(&block);
    assert_eq!((node.mempool(), node.confirmations(&txid)), (vec![txid.clone()], 0));
    assert_eq!(node.send_raw(&hex::encode(&bytes)), Ok(txid.clone()));
    node.reconsider(&block);
    assert_eq!((node.best_block(), node.confirmations(&txid)), (block, 1));
}

fn withdrawal() {
    let bench = Bench::start();
    let ours = bench.addresses(3);
    let coins = bench.fund(&ours);
    let customer = bench.node.new_address();
    bench.write_psbt("wd-1.psbt", &coins, &[(&customer, 3 * COIN)], &ours[1], LOW_FEE);
    let reference = format!("{customer}=customer-wd-1");
    let hex = bench.sign("wd-1", "wd-1.psbt", &["--asset", "LTC", "--reference", &reference], &coins);
    let txid = bench.node.send_raw(&hex).unwrap();
    bench.node.generate(1);
    assert_eq!(bench.node.confirmations(&txid), 1);
    // The change can be spent in turn.
    let change = [bench.coin(&txid, &bench.script(&ours[1]))];
    bench.write_psbt("wd-2.psbt", &change, &[(&customer, COIN / 2)], &ours[2], LOW_FEE);
    let hex = bench.sign("wd-2", "wd-2.psbt", &["--key", "vault/0"], &change);
    bench.node.send_raw(&hex).unwrap();
    bench.end();
}

fn fee_bump() {
    let bench = Bench::start();
    let ours = bench.addresses(1);
    let coins = bench.fund(&ours);
    let customer = bench.node.new_address();
    let pays = [(customer.as_str(), COIN)];
    bench.write_psbt("low.psbt", &coins, &pays, &ours[0], LOW_FEE);
    bench.write_psbt("high.psbt", &coins, &pays, &ours[0], HIGH_FEE);
    let low = bench.node.send_raw(&bench.sign("wd-1", "low.psbt", &[], &coins)).unwrap();
    assert_eq!(bench.node.mempool(), std::slice::from_ref(&low));
    let high = bench.sign("wd-1-bump", "high.psbt", &["--replaces", "wd-1"], &coins);
    let high = bench.node.send_raw(&high).unwrap();
    assert_ne!(low, high);
    assert_eq!(bench.node.mempool(), std::slice::from_ref(&high));
    bench.node.generate(1);
    assert_eq!(bench.node.confirmations(&high), 1);
    bench.end();
}

fn cancellation() {
    let bench = Bench::start();
    let ours = bench.addresses(1);
    let coins = bench.fund(&ours[1..]);
    let customer = bench.node.new_address();
    bench.write_psbt("wd-1.psbt", &coins, &[(&customer, COIN / 2)], &ours[0], LOW_FEE);
    bench.write_psbt("cancel.psbt", &coins, &[], &ours[0], HIGH_FEE);
    bench.node.send_raw(&bench.sign("wd-1", "wd-1.psbt", &[], &coins)).unwrap();
    let cancel = bench.sign("wd-1-cancel", "cancel.psbt", &["--replaces", "wd-1"], &coins);
    let cancel = bench.node.send_raw(&cancel).unwrap();
    bench.node.generate(1);
    assert_eq!(bench.node.confirmations(&cancel), 1);
    let back = bench.coin(&cancel, &bench.script(&ours[0]));
    assert_eq!(back.output.value.to_sat(), COIN - HIGH_FEE);
    bench.end();
}

fn reserved() {
    let bench = Bench::start();
    let ours = bench.addresses(1);
    let coins = bench.fund(&ours);
    let customer = bench.node.new_address();
    bench.write_psbt("first.psbt", &coins, &[(&customer, COIN)], &ours[0], LOW_FEE);
    bench.write_psbt("second.psbt", &coins[..1], &[(&customer, COIN / 4)], &ours[0], LOW_FEE);
    bench.sign("wd-1", "first.psbt", &[], &coins);
    let arguments = ["sign", "wd-2", "--psbt", "second.psbt", "--json"];
    let (status, out, err) = run(&bench.installation, &arguments);
    assert_eq!(status, 1, "{out}{err}");
    let failure: Value = serde_json::from_str(&err).unwrap();
    assert_eq!(failure["problem"]["type"], "urn:chancery:problem:input-reserved", "{failure}");
    assert_eq!(failure["problem"]["held_by"], "wd-1", "{failure}");
    bench.end();
}

fn reorganisation() {
    let bench = Bench::start();
    let ours = bench.addresses(1);
    let coins = bench.fund(&ours[1..]);
    let customer = bench.node.new_address();
    bench.write_psbt("wd-1.psbt", &coins, &[(&customer, COIN / 2)], &ours[0], LOW_FEE);
    let hex = bench.sign("wd-1", "wd-1.psbt", &[], &coins);
    let txid = bench.node.send_raw(&hex).unwrap();
    let block = bench.node.generate(1).remove(0);
    assert_eq!(bench.node.confirmations(&txid), 1);
    bench.node.invalidate_block(&block);
    assert_eq!(bench.node.confirmations(&txid), 0);
    let again = bench.sign("wd-1", "wd-1.psbt", &[], &coins);
    assert_eq!(hex, again, "the same id and content gives the same bytes");
    assert_eq!(bench.node.send_raw(&again), Ok(txid.clone()));
    bench.node.generate(1);
    assert_eq!(bench.node.confirmations(&txid), 1);
    bench.end();
}

fn descriptors() {
    let bench = Bench::start();
    let (status, out, err) = run(&bench.installation, &["addresses", "vault", "--count", "3", "--descriptors"]);
    assert_eq!((status, out.lines().count()), (0, 3), "{out}{err}");
    for line in out.lines() {
        let (descriptor, checksum) = line.split_once('#').unwrap();
        assert_eq!(bench.node.descriptor_checksum(descriptor), checksum, "{line}");
    }
    bench.end();
}
