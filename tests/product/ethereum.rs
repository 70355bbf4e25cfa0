//! Withdrawals of a `verified` account on a real chain of Ethereum's kind: what is signed is what the node mines.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxLegacy};
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256, hex};
use k256::ecdsa::SigningKey;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation, Running,
    anvil::{Anvil, CHAIN_ID},
    trial,
    watcher_program::run,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("ethereum::the_node_mines_what_any_signer_signed", node),
        trial("ethereum::every_form_of_a_transfer_is_signed_and_mined", transfers),
        trial("ethereum::a_token_is_transferred", token),
        trial("ethereum::a_child_has_an_account_of_its_own", child),
        trial("ethereum::a_higher_fee_is_mined_instead_of_the_first", fee_bump),
        trial("ethereum::a_cancellation_is_mined_instead_of_the_withdrawal", cancellation),
        trial("ethereum::another_withdrawal_with_the_same_nonce_is_refused_and_told_who_holds_it", reserved),
        trial("ethereum::after_a_reorganisation_the_same_bytes_are_sent_again", reorganisation),
        trial("ethereum::a_transaction_of_another_chain_is_refused", other_chain),
    ]
}

const POLICY: &str = r#"
version = 1

[[watcher]]
name = "eth-watcher"
public_keys_sha256 = ["WATCHER"]

[[asset]]
name = "ETH"
chain = { evm = 31337 }
decimals = 18

[[asset]]
name = "TEST"
chain = { evm = 31337 }
contract = "0x00000000000000000000000000000000000700c5"
decimals = 2

[[key]]
name = "account"
algorithm = "secp256k1"
evidence = "verified"
assets = ["ETH", "TEST"]
children = true

[[rule]]
name = "withdrawals"
watchers = ["eth-watcher"]
keys = ["account"]
asset = "ETH"
max_amount = "5"
max_fee = "0.1"
action = "sign"

[[rule]]
name = "tokens"
watchers = ["eth-watcher"]
keys = ["account"]
asset = "TEST"
max_amount = "1000"
max_fee = "0.1"
action = "sign"

[[rule]]
name = "back to ourselves"
watchers = ["eth-watcher"]
keys = ["account"]
destinations = "self"
max_fee = "0.1"
action = "sign"

[[limit]]
name = "account, a day"
keys = ["account"]
asset = "ETH"
max_amount = "20"
window = "24h"

[[limit]]
name = "tokens, a day"
keys = ["account"]
asset = "TEST"
max_amount = "1000"
window = "24h"
"#;

const TOKEN: &str = "0x00000000000000000000000000000000000700c5";
const CUSTOMER: &str = "0x00000000000000000000000000000000c0ffee01";
const TEN_ETHER: &str = "0x8ac7230489e80000";
const ETHER: u128 = 1_000_000_000_000_000_000;
const GWEI: u128 = 1_000_000_000;
const TRANSFER_GAS: u64 = 21_000;
const TOKEN_GAS: u64 = 100_000;

/// A node, an appliance with one key, and a watcher of both.
struct Bench {
    node: Anvil,
    installation: Installation,
    running: Running,
    /// The key's own account, with 10 ETH.
    account: String,
}

impl Bench {
    fn start() -> Self {
        let node = Anvil::start();
        let installation = Installation::without_log();
        let generate = ["key", "generate", "account", "--algorithm", "secp256k1", "--children", "--config"];
        installation.run("chancery-provision", &[&generate[..], &["chancery.toml"]].concat());
        installation.begin(POLICY);
        let running = installation.start();
        installation.write_watcher_config(&running);
        let (status, out, err) = run(&installation, &["keys", "--json"]);
        assert_eq!(status, 0, "{err}");
        let account = json(&out)["keys"][0]["address"].as_str().unwrap().to_owned();
        node.set_balance(&account, TEN_ETHER);
        Self { node, installation, running, account }
    }

    /// Has an unsigned transaction signed; it and its hash.
    fn sign(&self, id: &str, unsigned: &[u8], more: &[&str]) -> (String, String) {
        let unsigned = hex::encode(unsigned);
        let arguments = [&["sign", id, "--eip2718", &unsigned, "--json"][..], more].concat();
        let (status, out, err) = run(&self.installation, &arguments);
        assert_eq!(status, 0, "{arguments:?}: {err}");
        let answer = json(&out);
        let member = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{name}: {answer}")).to_owned();
        (member("transaction"), member("transaction_id"))
    }

    /// The refusal of an unsigned transaction.
    fn refused(&self, id: &str, unsigned: &[u8]) -> Value {
        let (status, out, err) = run(&self.installation, &["sign", id, "--eip2718", &hex::encode(unsigned), "--json"]);
        assert_eq!(status, 1, "{out}{err}");
        json(&err)["problem"].clone()
    }

    /// Signs, sends and mines; it must succeed, and be ours.
    fn mined(&self, id: &str, unsigned: &[u8]) {
        let (signed, hash) = self.sign(id, unsigned, &[]);
        assert_eq!(self.node.send_raw(&signed), Ok(hash.clone()));
        self.node.mine();
        let receipt = self.node.receipt(&hash).expect("it is mined");
        assert!(receipt.succeeded && receipt.from == self.account, "{receipt:?}");
    }

    fn end(self) {
        self.running.stop();
        self.installation.assert_log_verifies();
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A transfer that offers `gwei` for each unit of gas.
fn transfer(nonce: u64, to: &str, value: u128, gwei: u128) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: TRANSFER_GAS,
        max_fee_per_gas: gwei * GWEI,
        max_priority_fee_per_gas: gwei * GWEI / 2,
        to: TxKind::Call(address(to)),
        value: U256::from(value),
        ..TxEip1559::default()
    }
}

fn unsigned(transaction: &impl SignableTransaction<Signature>) -> Vec<u8> {
    transaction.encoded_for_signing()
}

/// Signed by a key of the test's own.
fn signed_here(transaction: TxEip1559, key: &SigningKey) -> String {
    let (signature, recovery_id) = key.sign_prehash_recoverable(transaction.signature_hash().as_slice()).unwrap();
    let bytes: [u8; 64] = signature.to_bytes().into();
    let signature = Signature::from_bytes_and_parity(&bytes, recovery_id.is_y_odd());
    let mut encoded = Vec::new();
    transaction.into_signed(signature).eip2718_encode(&mut encoded);
    hex::encode(encoded)
}

fn node() {
    let node = Anvil::start();
    let key = SigningKey::from_slice(&[1; 32]).unwrap();
    let account = format!("{:#x}", Address::from_public_key(key.verifying_key()));
    node.set_balance(&account, TEN_ETHER);
    let hash = node.send_raw(&signed_here(transfer(0, CUSTOMER, ETHER, 20), &key)).unwrap();
    assert!(node.receipt(&hash).is_none(), "it mines only when told to");
    node.mine();
    let receipt = node.receipt(&hash).unwrap();
    assert!(receipt.succeeded && receipt.from == account, "{receipt:?}");
    assert_eq!((node.balance(CUSTOMER), node.nonce(&account)), (ETHER, 1));

    node.deploy_token(TOKEN, &account, 1_000);
    for (nonce, amount, succeeds) in [(1, 300, true), (2, 701, false), (3, 700, true)] {
        let hash = node.send_raw(&signed_here(token_transfer(nonce, amount), &key)).unwrap();
        node.mine();
        assert_eq!(node.receipt(&hash).unwrap().succeeded, succeeds, "{amount}");
    }
    assert_eq!((node.token_balance(TOKEN, &account), node.token_balance(TOKEN, CUSTOMER)), (0, 1_000));

    node.reorganise(1);
    assert_eq!((node.nonce(&account), node.token_balance(TOKEN, CUSTOMER)), (3, 300));
}

fn token_transfer(nonce: u64, amount: u64) -> TxEip1559 {
    let arguments = [[0; 12].as_slice(), address(CUSTOMER).as_slice(), &[0; 24], &amount.to_be_bytes()].concat();
    let input = Bytes::from([&[0xa9, 0x05, 0x9c, 0xbb], arguments.as_slice()].concat());
    TxEip1559 { gas_limit: TOKEN_GAS, input, ..transfer(nonce, TOKEN, 0, 20) }
}

fn transfers() {
    let bench = Bench::start();
    let to = TxKind::Call(address(CUSTOMER));
    let (gas_limit, gas_price, value) = (TRANSFER_GAS, 20 * GWEI, U256::from(ETHER));
    bench.mined("wd-0", &unsigned(&transfer(0, CUSTOMER, ETHER, 20)));
    let legacy = TxLegacy { chain_id: Some(CHAIN_ID), nonce: 1, gas_price, gas_limit, to, value, input: Bytes::new() };
    bench.mined("wd-1", &unsigned(&legacy));
    let with_access_list =
        TxEip2930 { chain_id: CHAIN_ID, nonce: 2, gas_price, gas_limit, to, value, ..TxEip2930::default() };
    bench.mined("wd-2", &unsigned(&with_access_list));
    assert_eq!(bench.node.balance(CUSTOMER), 3 * ETHER);
    bench.end();
}

fn token() {
    let bench = Bench::start();
    bench.node.deploy_token(TOKEN, &bench.account, 50_000);
    bench.mined("wd-0", &unsigned(&token_transfer(0, 1_250)));
    assert_eq!(bench.node.token_balance(TOKEN, CUSTOMER), 1_250);
    bench.end();
}

fn child() {
    let bench = Bench::start();
    let (status, out, err) = run(&bench.installation, &["addresses", "account", "--count", "2", "--json"]);
    assert_eq!(status, 0, "{err}");
    let account = json(&out)["addresses"][1]["address"].as_str().unwrap().to_owned();
    bench.node.set_balance(&account, TEN_ETHER);
    let (signed, hash) = bench.sign("wd-0", &unsigned(&transfer(0, CUSTOMER, ETHER, 20)), &["--key", "account/1"]);
    assert_eq!(bench.node.send_raw(&signed), Ok(hash.clone()));
    bench.node.mine();
    assert_eq!(bench.node.receipt(&hash).unwrap().from, account);
    bench.end();
}

fn fee_bump() {
    let bench = Bench::start();
    let (low, low_hash) = bench.sign("wd-0", &unsigned(&transfer(0, CUSTOMER, ETHER, 20)), &[]);
    let bumped = unsigned(&transfer(0, CUSTOMER, ETHER, 40));
    let (high, high_hash) = bench.sign("wd-0-bump", &bumped, &["--replaces", "wd-0"]);
    assert_eq!(bench.node.send_raw(&low), Ok(low_hash.clone()));
    assert_eq!(bench.node.send_raw(&high), Ok(high_hash.clone()));
    bench.node.mine();
    assert!(bench.node.receipt(&low_hash).is_none());
    assert!(bench.node.receipt(&high_hash).unwrap().succeeded);
    assert_eq!((bench.node.balance(CUSTOMER), bench.node.nonce(&bench.account)), (ETHER, 1));
    bench.end();
}

fn cancellation() {
    let bench = Bench::start();
    let (first, _) = bench.sign("wd-0", &unsigned(&transfer(0, CUSTOMER, ETHER, 20)), &[]);
    let nothing = unsigned(&transfer(0, &bench.account, 0, 40));
    let (cancel, cancel_hash) = bench.sign("wd-0-cancel", &nothing, &["--replaces", "wd-0"]);
    bench.node.send_raw(&first).unwrap();
    bench.node.send_raw(&cancel).unwrap();
    bench.node.mine();
    assert!(bench.node.receipt(&cancel_hash).unwrap().succeeded);
    assert_eq!((bench.node.balance(CUSTOMER), bench.node.nonce(&bench.account)), (0, 1));
    bench.end();
}

fn reserved() {
    let bench = Bench::start();
    bench.sign("wd-0", &unsigned(&transfer(0, CUSTOMER, ETHER, 20)), &[]);
    let problem = bench.refused("wd-1", &unsigned(&transfer(0, CUSTOMER, ETHER, 40)));
    assert_eq!(problem["type"], "urn:chancery:problem:input-reserved", "{problem}");
    assert_eq!(problem["held_by"], "wd-0", "{problem}");
    bench.end();
}

fn reorganisation() {
    let bench = Bench::start();
    let transaction = unsigned(&transfer(0, CUSTOMER, ETHER, 20));
    let (signed, hash) = bench.sign("wd-0", &transaction, &[]);
    bench.node.send_raw(&signed).unwrap();
    bench.node.mine();
    assert_eq!(bench.node.balance(CUSTOMER), ETHER);
    bench.node.reorganise(1);
    assert_eq!(bench.node.balance(CUSTOMER), 0);
    assert_eq!(bench.sign("wd-0", &transaction, &[]), (signed.clone(), hash.clone()));
    // Nodes may have put it back into their pool themselves.
    let _ = bench.node.send_raw(&signed);
    bench.node.mine();
    assert!(bench.node.receipt(&hash).unwrap().succeeded);
    assert_eq!(bench.node.balance(CUSTOMER), ETHER);
    bench.end();
}

fn other_chain() {
    let bench = Bench::start();
    let elsewhere = TxEip1559 { chain_id: CHAIN_ID + 1, ..transfer(0, CUSTOMER, ETHER, 20) };
    let problem = bench.refused("wd-0", &unsigned(&elsewhere));
    let kind = problem["type"].as_str().unwrap();
    assert!(["urn:chancery:problem:evidence-invalid", "urn:chancery:problem:denied"].contains(&kind), "{problem}");
    bench.end();
}
