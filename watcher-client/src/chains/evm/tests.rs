//! What no node of the tests does: answers by script.

use std::sync::{Arc, Mutex};

use appliance_wire::Amount;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Evm, spelled};
use crate::{
    ChainAsset, ChainConfig, Network, Strategy,
    chains::{Asset, Block, Chain, DraftError, Held, NodeError, Order, Own, OwnAddress, Quantity, Scan, Source},
    testing::ecdsa_public_key,
};

/// The result of a call, or code and text of a refusal.
type Answer = Result<Value, (i64, &'static str)>;
type Calls = Arc<Mutex<Vec<String>>>;

const CUSTOMER: &str = "0x00000000000000000000000000000000c0ffee01";

/// A chain by a node that answers by script, and which methods were called.
async fn chain(script: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> (Evm, Calls) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (calls, script) = (Calls::default(), Arc::new(script));
    let seen = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
            tokio::spawn(async move { answer(stream, script.as_ref(), &seen).await });
        }
    });
    let native = Asset { name: "ETH".to_owned(), decimals: 18, contract: None };
    let config = ChainConfig {
        name: "test".to_owned(),
        network: Network::Evm(1337),
        node: url.parse().unwrap(),
        ca: None,
        credentials: None,
        strategy: Strategy::Blocks,
        key: "account".parse().unwrap(),
        assets: vec![ChainAsset { asset: native, sweep_above: None }],
        confirmations: 1,
        max_fee: Amount::from_units(1_000_000_000_000_000_000),
        max_fee_rate: None,
        addresses_ahead: 0,
        poll: std::time::Duration::from_secs(1),
        genesis: None,
        offline: false,
        nonce_account: None,
    };
    (Evm::new(&config).unwrap(), calls)
}

async fn answer(mut stream: TcpStream, script: &(impl Fn(&str, &Value) -> Answer + ?Sized), seen: &Calls) {
    let mut request = Vec::new();
    let call = loop {
        stream.read_buf(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        if let Ok(call) = serde_json::from_str::<Value>(body) {
            break call;
        }
    };
    let method = call["method"].as_str().unwrap();
    seen.lock().unwrap().push(method.to_owned());
    let answer = match script(method, &call["params"]) {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": 1, "result": result }),
        Err((code, message)) => json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": code, "message": message } }),
    };
    let body = answer.to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

/// A hash that says its height.
fn hash(height: u64) -> String {
    format!("0x{height:064x}")
}

fn block(height: u64, transactions: &[Value]) -> Value {
    json!({
        "hash": hash(height),
        "number": format!("{height:#x}"),
        "parentHash": hash(height.saturating_sub(1)),
        "timestamp": "0x64",
        "baseFeePerGas": "0x7",
        "transactions": transactions,
    })
}

/// The block that is asked for, by height or by hash, of a chain of empty ones up to `tip`.
fn asked_for(method: &str, params: &Value, tip: u64) -> Answer {
    let text = params[0].as_str().unwrap().trim_start_matches("0x");
    match (method, text) {
        ("eth_getBlockByNumber", "latest") => Ok(block(tip, &[])),
        ("eth_getBlockByNumber" | "eth_getBlockByHash", text) => Ok(block(u64::from_str_radix(text, 16).unwrap(), &[])),
        (method, _) => panic!("{method}"),
    }
}

fn at(height: u64) -> Block {
    Block { height, hash: hash(height) }
}

fn own() -> Own {
    let address = spelled(alloy_primitives::Address::repeat_byte(0xaa));
    Own::new(OwnAddress { address, path: "account".parse().unwrap(), public_key: ecdsa_public_key(1) }, [])
}

#[tokio::test]
async fn a_node_that_reads_blocks_says_how_far_there_are_some() {
    let table =
        [(json!(false), None), (json!({ "highestBlock": "0x2a" }), Some(42)), (json!({ "stages": [] }), Some(7))];
    for (syncing, behind) in table {
        let script = move |method: &str, params: &Value| match method {
            "eth_syncing" => Ok(syncing.clone()),
            _ => asked_for(method, params, 7),
        };
        let tip = chain(script).await.0.tip().await.unwrap();
        assert_eq!((tip.block, tip.time_s, tip.behind), (at(7), 100, behind));
    }
}

#[tokio::test]
async fn blocks_that_were_read_are_not_asked_for_again() {
    let (evm, calls) = chain(|method, params| asked_for(method, params, 40)).await;
    let read = async |after: u64, to: u64| {
        calls.lock().unwrap().clear();
        assert_eq!(evm.scan(&own(), &at(after), &at(to)).await.unwrap(), Scan::Found(vec![]));
        calls.lock().unwrap().len()
    };
    // The last call asks whether the last block is still the chain's.
    assert_eq!(read(10, 30).await, 20 + 1);
    assert_eq!(read(10, 30).await, 1);
    assert_eq!(read(11, 31).await, 1 + 1);
    assert_eq!(read(20, 40).await, 9 + 1);
}

#[tokio::test]
async fn what_the_last_block_holds_does_not_wait() {
    let to_us = json!({ "hash": hash(99), "to": own().key().address, "value": "0x5" });
    for (pending, waits) in [(7, 0), (8, 1)] {
        let to_us = to_us.clone();
        let script = move |_: &str, params: &Value| match params[0].as_str().unwrap() {
            "pending" => Ok(block(pending, std::slice::from_ref(&to_us))),
            "0x7" => Ok(block(7, &[])),
            _ => Ok(Value::Null),
        };
        let evm = chain(script).await.0;
        assert_eq!(evm.pending(&own()).await.unwrap().len(), waits, "its pending block has height {pending}");
    }
    let without = chain(|_, _| Err((-32602, "no such block"))).await.0;
    assert_eq!(without.pending(&own()).await.unwrap(), []);
}

#[tokio::test]
async fn only_the_codes_of_a_revert_end_an_order() {
    let order = Order {
        source: Source::Key,
        destination: CUSTOMER.to_owned(),
        asset: Asset { name: "ETH".to_owned(), decimals: 18, contract: None },
        quantity: Quantity::Exactly("0.5".parse().unwrap()),
        memo: None,
    };
    for (code, ends) in [(3, true), (-32015, true), (-32000, false), (-32603, false)] {
        let script = move |method: &str, params: &Value| match method {
            "eth_getBalance" => Ok(json!("0x8ac7230489e80000")),
            "eth_estimateGas" => Err((code, "execution reverted")),
            _ => asked_for(method, params, 7),
        };
        match chain(script).await.0.draft(&order, &own(), &Held::new()).await {
            Err(DraftError::Never(_)) => assert!(ends, "{code}"),
            Err(DraftError::Node(NodeError::Refused { .. })) => assert!(!ends, "{code}"),
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_receipt_of_a_block_that_was_left_behind_proves_nothing() {
    for (receipt_hash, mined) in [(hash(5), true), (hash(6), false)] {
        let script = move |method: &str, params: &Value| match method {
            "eth_getTransactionReceipt" => {
                Ok(json!({ "blockHash": receipt_hash, "blockNumber": "0x5", "status": "0x1" }))
            }
            "eth_getTransactionByHash" => Ok(Value::Null),
            _ => asked_for(method, params, 7),
        };
        let found = chain(script).await.0.look_up(&hash(99)).await.unwrap();
        let unknown = crate::chains::Whereabouts::Unknown;
        assert_eq!(found == unknown, !mined, "{found:?}");
    }
}

#[tokio::test]
async fn blocks_of_a_branch_that_was_left_behind_are_not_read_as_the_chain() {
    let left_behind = |method: &str, params: &Value| match (method, params[0].as_str()) {
        ("eth_getBlockByNumber", Some("0x7")) => Ok(block(77, &[])),
        _ => asked_for(method, params, 8),
    };
    let evm = chain(left_behind).await.0;
    assert_eq!(evm.scan(&own(), &at(6), &at(7)).await.unwrap(), Scan::Moved);
    assert_eq!(evm.scan(&own(), &at(6), &at(8)).await.unwrap(), Scan::Found(vec![]));
    let other = Block { height: 5, hash: hash(55) };
    assert_eq!(evm.scan(&own(), &other, &at(8)).await.unwrap(), Scan::Moved, "no ancestor");
}
