//! What Litecoin's node does not do, or not when it is wanted: answers of later versions, by script.

use std::sync::atomic::{AtomicU32, Ordering};

use appliance_wire::{Amount, Chain as ChainName};
use serde_json::{Value, json};

use super::{fee::Rate, testing::own, *};
use crate::{
    ChainAsset,
    chains::Asset,
    testing::{NodeAnswer, TestNode},
};

async fn chain(
    strategy: Strategy,
    script: impl Fn(&str, &Value) -> NodeAnswer + Send + Sync + 'static,
) -> (Utxo, TestNode) {
    let node = TestNode::start(script).await;
    let native = Asset { name: "LTC".to_owned(), decimals: 8, contract: None };
    let config = ChainConfig {
        name: "test".to_owned(),
        network: Network::Utxo(ChainName::LitecoinRegtest),
        node: node.url().parse().unwrap(),
        ca: None,
        credentials: None,
        strategy,
        key: "vault".parse().unwrap(),
        assets: vec![ChainAsset { asset: native, sweep_above: None }],
        confirmations: 1,
        max_fee: Amount::from_units(100_000),
        max_fee_rate: None,
        addresses_ahead: 0,
        poll: Duration::from_secs(1),
        genesis: Some(hash(0)),
        offline: false,
        nonce_account: None,
    };
    (Utxo::new(&config).unwrap(), node)
}

fn wallet() -> Strategy {
    Strategy::Wallet("watched".to_owned())
}

fn ours() -> Own {
    Own::new(own(1).address, [own(2).address])
}

/// A hash that says its height.
fn hash(height: u64) -> String {
    format!("{height:064x}")
}

fn at(height: u64) -> Block {
    Block { height, hash: hash(height) }
}

/// Headers and blocks of a chain that pays us 5 in each block whose height ends in 50.
fn blocks(method: &str, params: &Value) -> NodeAnswer {
    let height = || u64::from_str_radix(params[0].as_str().unwrap(), 16).unwrap();
    let output = json!({ "n": 0, "value": 5.0, "scriptPubKey": { "hex": hex::encode(own(2).script) } });
    let extension = json!({ "ismweb": true, "output_id": "00" });
    match method {
        "getblockheader" => {
            let parent = hash(height() - 1);
            Ok(json!({ "confirmations": 1, "height": height(), "time": 7, "previousblockhash": parent }))
        }
        "getblock" if height() % 100 == 50 => Ok(json!({ "tx": [{ "txid": "aa", "vout": [extension, output] }] })),
        "getblock" => Ok(json!({ "tx": [] })),
        other => panic!("{other}"),
    }
}

async fn heights(chain: &Utxo, after: u64, to: u64) -> Vec<u64> {
    let Scan::Found(found) = chain.scan(&ours(), &at(after), &at(to)).await.unwrap() else { panic!("nothing moved") };
    found.into_iter().map(|sighting| sighting.block.unwrap().height).collect()
}

#[tokio::test]
async fn filters_say_which_blocks_of_a_long_range_are_read() {
    let (chain, node) = chain(Strategy::Blocks, |method, params| match method {
        "scanblocks" => Ok(json!({ "relevant_blocks": [hash(150), hash(160)], "completed": true })),
        _ => blocks(method, params),
    })
    .await;
    assert_eq!(heights(&chain, 100, 290).await, [150, 250]);
    assert_eq!((node.calls("scanblocks").len(), node.calls("getblock").len()), (0, 190), "it is short");
    assert_eq!(heights(&chain, 100, 400).await, [150, 350], "250 has no filter that says so, 350 is always read");
    let asked = json!(["start", blocks::descriptors(&ours()), 101, 300, "basic"]);
    assert_eq!(node.calls("scanblocks"), [asked]);
    assert_eq!(node.calls("getblock").len(), 190 + 2 + 100);
}

#[tokio::test]
async fn a_node_without_filters_is_asked_for_them_once() {
    for code in [-32601, -1] {
        let (chain, node) = chain(Strategy::Blocks, move |method, params| match method {
            "scanblocks" => Err(code),
            _ => blocks(method, params),
        })
        .await;
        assert_eq!(heights(&chain, 100, 400).await, [150, 250, 350]);
        assert_eq!(heights(&chain, 100, 400).await, [150, 250, 350]);
        assert_eq!(node.calls("scanblocks").len(), 1);
    }
}

#[tokio::test]
async fn filters_that_were_not_read_to_the_end_are_not_believed() {
    let (chain, _) = chain(Strategy::Blocks, |method, params| match method {
        "scanblocks" => Ok(json!({ "relevant_blocks": [], "completed": false })),
        _ => blocks(method, params),
    })
    .await;
    assert_eq!(heights(&chain, 100, 400).await, [150, 250, 350]);
}

#[tokio::test]
async fn the_coins_are_read_once_for_each_last_block() {
    let scans = AtomicU32::new(0);
    let (chain, node) = chain(Strategy::Blocks, move |method, _| match method {
        "getbestblockhash" => Ok(json!(hash(9))),
        // Somebody else's scan is in the way at first.
        "scantxoutset" if scans.fetch_add(1, Ordering::Relaxed) == 0 => Err(-8),
        "scantxoutset" => Ok(json!({
            "success": true, "bestblock": hash(9), "height": 9,
            "unspents": [{
                "txid": "22".repeat(32), "vout": 1, "scriptPubKey": hex::encode(own(2).script), "amount": 0.00000001,
                "height": 8,
            }],
        })),
        other => panic!("{other}"),
    })
    .await;
    let coins = |own| {
        let chain = &chain;
        async move { chain.knowledge.coins(&chain.node, &own, &Held::new(), 2).await.unwrap() }
    };
    let found = coins(ours()).await;
    assert_eq!((found.len(), found[0].sats, &found[0].owner), (1, 1, &own(2).address));
    assert_eq!(coins(ours()).await, found);
    assert_eq!(node.calls("scantxoutset").len(), 2);
    coins(Own::new(own(1).address, [own(2).address, own(3).address])).await;
    assert_eq!(node.calls("scantxoutset").len(), 3, "there is an address more");
}

#[tokio::test]
async fn a_node_of_descriptor_wallets_gets_descriptors() {
    let made = AtomicU32::new(0);
    let (chain, node) = chain(wallet(), move |method, params| match method {
        "getblockhash" => Ok(json!(hash(0))),
        "getwalletinfo" if made.load(Ordering::Relaxed) == 0 => Err(-18),
        "getwalletinfo" => Ok(json!({ "private_keys_enabled": false, "descriptors": true })),
        "loadwallet" => Err(-18),
        "createwallet" if params["descriptors"] == false => Err(-4),
        "createwallet" => {
            made.store(1, Ordering::Relaxed);
            Ok(json!({ "name": "watched" }))
        }
        "importdescriptors" => {
            let all = params[0].as_array().unwrap().iter().map(|_| json!({ "success": true }));
            Ok(all.collect())
        }
        other => panic!("{other}"),
    })
    .await;
    chain.check().await.unwrap();
    let created = &node.calls("createwallet")[1];
    assert_eq!((&created["disable_private_keys"], &created["blank"]), (&json!(true), &json!(true)));
    chain.watch(&[own(1).address, own(2).address], true).await.unwrap();
    let imported = &node.calls("importdescriptors")[0][0];
    let key = own(2).address.public_key.to_string();
    assert!(imported[1]["desc"].as_str().unwrap().starts_with(&format!("wpkh({key})#")), "{imported}");
    assert_eq!((&imported[1]["label"], &imported[1]["timestamp"]), (&json!("vault/2"), &json!("now")));
}

#[tokio::test]
async fn an_address_that_was_not_imported_is_an_error() {
    let (chain, _) = chain(wallet(), |method, _| match method {
        "getwalletinfo" => Ok(json!({ "private_keys_enabled": false, "descriptors": false })),
        "importmulti" => {
            Ok(json!([{ "success": true }, { "success": false, "error": { "code": -5, "message": "no address" } }]))
        }
        other => panic!("{other}"),
    })
    .await;
    let refused = chain.watch(&[own(1).address, own(2).address], true).await.unwrap_err();
    assert_eq!(refused.code(), Some(-5));
}

/// A block comes in between the two calls, or the chain moves to another branch and back.
#[tokio::test]
async fn a_listing_of_another_chain_is_not_believed() {
    for (others, expected) in [(1, Scan::Found(vec![])), (u32::MAX, Scan::Moved)] {
        let listed = AtomicU32::new(0);
        let (chain, node) = chain(wallet(), move |method, params| match method {
            "getblockcount" => Ok(json!(9)),
            "listsinceblock" => {
                let is_other = listed.fetch_add(1, Ordering::Relaxed) < others;
                Ok(json!({ "transactions": [], "lastblock": if is_other { hash(99) } else { hash(8) } }))
            }
            _ => blocks(method, params),
        })
        .await;
        assert_eq!(chain.scan(&ours(), &at(5), &at(8)).await.unwrap(), expected);
        assert_eq!(node.calls("listsinceblock")[0], json!([hash(5), 2, true, false]));
    }
}

#[tokio::test]
async fn a_node_that_lacks_something_is_told_what() {
    let lacks = |index: Value| {
        move |method: &str, _: &Value| match method {
            "getblockhash" => Ok(json!(hash(0))),
            "getindexinfo" => Ok(index.clone()),
            "getwalletinfo" => Err(-32601),
            other => panic!("{other}"),
        }
    };
    for (strategy, index, words) in [
        (Strategy::Blocks, json!({}), "txindex=1"),
        (Strategy::Blocks, json!({ "txindex": { "synced": false } }), "still making"),
        (wallet(), json!({}), "no wallets"),
    ] {
        let (chain, _) = chain(strategy, lacks(index)).await;
        let refused = chain.check().await.unwrap_err();
        assert!(matches!(&refused, NodeError::Unfit { why, .. } if why.contains(words)), "{refused}");
    }
}

#[tokio::test]
async fn a_node_that_knows_of_more_blocks_is_behind() {
    for (headers, behind) in [(9, None), (12, Some(12))] {
        let (chain, _) = chain(Strategy::Blocks, move |method, params| match method {
            "getblockchaininfo" => {
                Ok(json!({ "headers": headers, "bestblockhash": hash(9), "initialblockdownload": true }))
            }
            _ => blocks(method, params),
        })
        .await;
        assert_eq!(chain.tip().await.unwrap(), Tip { block: at(9), time_s: 7, behind });
    }
}

#[tokio::test]
async fn the_fee_is_the_estimate_and_no_less_than_what_is_relayed() {
    for (estimate, wanted) in [
        (json!({ "feerate": 0.00025 }), 25_000),
        (json!({ "feerate": 0.00001 }), 3_000),
        (json!({ "errors": ["too few"] }), 3_000),
    ] {
        let (chain, _) = chain(Strategy::Blocks, move |method, _| match method {
            "estimatesmartfee" => Ok(estimate.clone()),
            "getmempoolinfo" => Ok(json!({ "mempoolminfee": 0.00003, "minrelaytxfee": 0.00001 })),
            "getnetworkinfo" => Ok(json!({ "incrementalfee": 0.00002 })),
            other => panic!("{other}"),
        })
        .await;
        let rates = chain.node.rates().await.unwrap();
        assert_eq!((rates.wanted, rates.incremental), (Rate(wanted), Rate(2_000)));
    }
}

#[tokio::test]
async fn what_a_block_holds_already_was_sent() {
    for (code, is_sent) in [(-27, true), (-25, false), (-26, false)] {
        let (chain, node) = chain(Strategy::Blocks, move |_, _| Err(code)).await;
        let signed = Signed { transaction: "00".to_owned(), txid: "11".repeat(32) };
        assert_eq!(chain.send(&signed).await.is_ok(), is_sent, "{code}");
        assert_eq!(node.calls("sendrawtransaction"), [json!(["00", 0])]);
    }
}
