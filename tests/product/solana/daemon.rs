//! The daemon on Solana: memos given out and paid with, and payments made once.

use serde_json::{Value, json};
use watcher_client::chains::solana::FEE;

use super::bench::{Bench, SOL};
use crate::harness::{daemon::Daemon, eventually, relay::Relay};

fn assign(daemon: &Daemon<'_>, name: &str) -> (u16, Value) {
    daemon.call("PUT", &format!("/v1/chains/solana/addresses/{name}"), None)
}

fn pay(daemon: &Daemon<'_>, id: &str, destination: &str, amount: &str, memo: Option<&str>) {
    let mut body = json!({ "chain": "solana", "asset": "SOL", "destination": destination, "amount": amount });
    if let Some(memo) = memo {
        body["memo"] = memo.into();
    }
    let (status, answer) = daemon.call("PUT", &format!("/v1/withdrawals/{id}"), Some(&body));
    assert_eq!(status, 201, "{answer}");
}

/// Deposits in the order in which they were paid, as soon as there are so many.
fn deposited(bench: &Bench, daemon: &Daemon<'_>, count: usize) -> Vec<Value> {
    bench.node.finalize();
    eventually("deposits are found", || Some(daemon.deposits("solana")).filter(|found| found.len() == count))
}

pub(super) fn deposits() {
    let bench = Bench::start();
    let mut daemon = Daemon::configure(&bench.installation, bench.running.watcher, "");
    daemon.start();
    assert_eq!(daemon.address("solana", "customer-17"), bench.address());
    let (_, given) = assign(&daemon, "customer-17");
    assert_eq!((&given["memo"], &given["key"]), (&json!("customer-17"), &json!("sol-hot")), "{given}");
    let (_, other) = assign(&daemon, "customer%2018");
    assert_eq!((&other["memo"], &other["address"]), (&json!("customer 18"), &given["address"]));
    let (status, refused) = assign(&daemon, "customer-19%20");
    assert_eq!((status, refused["type"].as_str()), (422, Some("urn:chancery-watcher:problem:invalid")), "{refused}");

    let paid = [
        (bench.node.pay(&[(bench.address(), SOL)], &["customer-17"]), json!("customer-17")),
        (bench.node.pay(&[(bench.address(), SOL)], &["customer 18"]), json!("customer 18")),
        (bench.node.pay(&[(bench.address(), SOL)], &["customer-19"]), Value::Null),
        (bench.node.pay(&[(bench.address(), SOL)], &[]), Value::Null),
    ];
    let by_txid = |found: &[Value], txid: &str| found.iter().find(|one| one["txid"] == txid).unwrap().clone();
    let found = deposited(&bench, &daemon, paid.len());
    for (txid, customer) in &paid {
        let one = by_txid(&found, txid);
        assert_eq!((&one["assigned_to"], &one["state"]), (customer, &json!("creditable")), "{one}");
        assert_eq!((&one["amount"], &one["address"]), (&json!("1"), &given["address"]));
    }
    assert_eq!(by_txid(&found, &paid[2].0)["memo"], "customer-19", "who it was meant for is not lost");

    // What came while it was away, and before a long stretch of empty slots.
    daemon.kill();
    bench.node.skip(700);
    let late = bench.node.pay(&[(bench.address(), 7)], &["customer-17"]);
    (0..3).for_each(|_| bench.node.mine());
    bench.node.finalize();
    daemon.start();
    assert_eq!(assign(&daemon, "customer-17"), (200, given.clone()), "for ever");
    let found = deposited(&bench, &daemon, paid.len() + 1);
    assert_eq!(by_txid(&found, &late)["assigned_to"], "customer-17");
    let (_, page) = daemon.call("GET", "/v1/chains/solana/addresses", None);
    assert_eq!(page["addresses"], json!([other, given]));
    let shown = bench
        .installation
        .run("chancery-watcher", &["address", "customer-17", "--chain", "solana", "--config", "watcher.toml"]);
    assert_eq!(String::from_utf8(shown.stdout).unwrap(), format!("{}\nmemo customer-17\n", bench.address()));
    assert!(daemon.chain("solana")["pool"].is_null());
    daemon.stop();
    drop(daemon);
    bench.end();
}

fn finalize(bench: &Bench) {
    bench.node.finalize();
}

/// The one transaction of a withdrawal.
fn txid(withdrawal: &Value) -> &str {
    let transactions = withdrawal["transactions"].as_array().unwrap();
    assert_eq!(transactions.len(), 1, "{withdrawal}");
    transactions[0]["txid"].as_str().unwrap()
}

pub(super) fn once() {
    let (bench, customer) = (Bench::start(), Bench::customer());
    let to_signer = Relay::to(bench.running.watcher);
    let mut daemon = Daemon::configure(&bench.installation, to_signer.address, "");
    daemon.start();
    eventually("the chain is followed", || daemon.chain("solana")["height"].is_u64().then_some(()));
    to_signer.set_down(true);
    pay(&daemon, "wd-1", &customer, "1.25", Some("order 17"));
    eventually("it is drafted", || daemon.withdrawal("wd-1")["transactions"][0].is_object().then_some(()));
    daemon.kill();

    // The node takes it, and nobody hears of it.
    bench.node.lose_reply("sendTransaction");
    to_signer.set_down(false);
    daemon.start();
    eventually("the reply is lost", || bench.node.has_lost_reply().then_some(()));
    daemon.kill();
    daemon.start();
    let sent = daemon.until("wd-1", "sent", || ());
    daemon.kill();
    bench.node.mine();
    daemon.start();
    let confirmed = daemon.until("wd-1", "confirmed", || finalize(&bench));
    assert_eq!(txid(&confirmed), txid(&sent));
    assert!(confirmed["transactions"][0]["entry"].is_u64(), "{confirmed}");
    assert_eq!(bench.node.memos(txid(&sent)), ["order 17"]);
    assert_eq!(bench.node.balance(&customer), 1_250_000_000);
    assert_eq!(bench.node.balance(bench.address()), 10 * SOL - 1_250_000_000 - FEE);
    assert_eq!(daemon.deposits("solana"), Vec::<Value>::new(), "what was paid out is no deposit");
    daemon.stop();
    drop(daemon);
    bench.end();
}

pub(super) fn one_by_one() {
    let bench = Bench::start();
    let to_signer = Relay::to(bench.running.watcher);
    let mut daemon = Daemon::configure(&bench.installation, to_signer.address, "");
    daemon.start();
    let payments: Vec<(String, String)> = (0..4).map(|number| (format!("wd-{number}"), Bench::customer())).collect();
    for (id, customer) in &payments {
        pay(&daemon, id, customer, "1.25", None);
    }
    for (number, (id, _)) in (0..).zip(&payments) {
        bench.to_node.lose_replies(number);
        to_signer.lose_replies(number % 2);
        bench.to_node.cut();
        daemon.kill();
        daemon.start();
        daemon.until(id, "confirmed", || {
            bench.node.mine();
            bench.node.finalize();
        });
    }
    for (id, customer) in &payments {
        let confirmed = daemon.until(id, "confirmed", || ());
        assert!(!txid(&confirmed).is_empty());
        assert_eq!(bench.node.balance(customer), 1_250_000_000, "{id}");
    }
    assert_eq!(bench.node.balance(bench.address()), 10 * SOL - 4 * (1_250_000_000 + FEE));
    daemon.stop();
    drop(daemon);
    bench.end();
}

pub(super) fn fixed() {
    let (bench, customer, nobody) = (Bench::start(), Bench::customer(), Bench::customer());
    bench.node.pay(&[(bench.address(), 10 * SOL)], &[]);
    bench.node.finalize();
    let mut daemon = Daemon::configure(&bench.installation, bench.running.watcher, "");
    daemon.start();
    let wish = |daemon: &Daemon<'_>, id: &str, wish: &str| {
        let (status, answer) = daemon.call("POST", &format!("/v1/withdrawals/{id}/{wish}"), None);
        (status, answer["detail"].as_str().unwrap_or_default().to_owned())
    };
    // The policy admits no more than 10 SOL.
    pay(&daemon, "wd-1", &nobody, "11", None);
    eventually("it waits", || (daemon.withdrawal("wd-1")["waiting"]["code"] == "denied").then_some(()));
    let (status, why) = wish(&daemon, "wd-1", "bump");
    assert!(status == 409 && why.contains("fixed fee"), "{status} {why}");
    assert_eq!(wish(&daemon, "wd-1", "cancel").0, 200);
    daemon.until("wd-1", "cancelled", || ());

    // The nonce is free for the next one.
    pay(&daemon, "wd-2", &customer, "1.25", None);
    daemon.until("wd-2", "sent", || ());
    for variation in ["bump", "cancel"] {
        let (status, why) = wish(&daemon, "wd-2", variation);
        assert!(status == 409 && why.contains("neither bumped nor cancelled"), "{status} {why}");
    }
    bench.node.mine();
    let confirmed = daemon.until("wd-2", "confirmed", || finalize(&bench));
    assert!(!txid(&confirmed).is_empty());
    assert_eq!(wish(&daemon, "wd-2", "cancel"), (409, "wd-2 is confirmed: nothing of it can be changed".to_owned()));
    assert_eq!((bench.node.balance(&nobody), bench.node.balance(&customer)), (0, 1_250_000_000));
    assert_eq!(bench.node.balance(bench.address()), 20 * SOL - 1_250_000_000 - FEE);
    daemon.stop();
    drop(daemon);
    bench.end();
}
