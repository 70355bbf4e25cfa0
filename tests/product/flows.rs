//! The watcher's flows on real chains: deposits found and confirmed, withdrawals created, signed, sent and confirmed.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::harness::{daemon::Daemon, eventually, exchange::Exchange};

/// A test on an exchange whose daemon runs, with `more` in each chain's section; at the end everything must end well.
fn case(name: &str, more: &'static str, test: fn(&Exchange, &mut Daemon<'_>)) -> Trial {
    Trial::test(name, move || {
        let exchange = Exchange::open();
        let mut daemon = exchange.daemon(more);
        daemon.start();
        test(&exchange, &mut daemon);
        daemon.stop();
        exchange.close();
        Ok(())
    })
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        case("flows::a_deposit_is_pending_then_creditable_and_gone_after_a_reorganisation", "", deposits_of_litecoin),
        case(
            "flows::a_deposit_of_ether_is_pending_then_creditable_and_gone_after_a_reorganisation",
            "",
            deposits_of_ether,
        ),
        case("flows::what_came_while_the_watcher_was_away_is_found_once", "", away),
        case("flows::a_withdrawal_goes_its_way_on_both_chains", "", withdrawals),
        case("flows::a_higher_fee_takes_the_place_of_the_first", "", bumps),
        case("flows::a_cancelled_withdrawal_pays_nobody", "", cancellations),
        case("flows::after_a_reorganisation_the_same_transaction_is_sent_again", "", reorganisation),
        case("flows::what_a_node_forgets_is_sent_again", "", eviction),
        case("flows::deposits_are_swept_to_the_key", "sweep_above = \"0.5\"", sweeps),
        case("flows::a_reorganisation_deeper_than_the_confirmations_stops_everything", "", deep_reorganisation),
        case(
            "flows::a_node_of_another_chain_is_refused",
            "genesis = \"0x1111111111111111111111111111111111111111111111111111111111111111\"",
            wrong_chain,
        ),
        case("flows::what_the_policy_denies_waits_and_can_be_cancelled", "", denied),
        case("flows::a_withdrawal_is_signed_on_another_machine", "offline = true", portable),
    ]
}

/// Ten ether.
const ETHER: &str = "0x8ac7230489e80000";
const STRANGER: &str = "0x00000000000000000000000000000000c0ffee07";

fn pay(daemon: &Daemon<'_>, id: &str, chain: &str, destination: &str, amount: &str) {
    let asset = if chain == "ltc" { "LTC" } else { "ETH" };
    let body = json!({ "chain": chain, "asset": asset, "destination": destination, "amount": amount });
    let (status, answer) = daemon.call("PUT", &format!("/v1/withdrawals/{id}"), Some(&body));
    assert_eq!(status, 201, "{answer}");
}

/// The only deposit, as soon as it is in this state.
fn deposit(daemon: &Daemon<'_>, chain: &str, state: &str) -> Value {
    let mut last = Value::Null;
    eventually(&format!("a deposit is {state}"), || {
        let deposits = daemon.deposits(chain);
        assert!(deposits.len() <= 1, "{deposits:?}");
        last = deposits.into_iter().next()?;
        (last["state"] == state).then_some(())
    });
    last
}

fn deposits_of_litecoin(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    let address = daemon.address("ltc", "alice");
    assert_eq!(address, daemon.address("ltc", "alice"), "the same name gets the same address");
    assert_ne!(address, daemon.address("ltc", "bob"));
    exchange.litecoin.send_to(&address, "1.25");
    let seen = deposit(daemon, "ltc", "pending");
    assert_eq!((&seen["amount"], &seen["assigned_to"]), (&json!("1.25"), &json!("alice")), "{seen}");
    let block = exchange.litecoin.generate(1).remove(0);
    exchange.litecoin.generate(1);
    let credited = deposit(daemon, "ltc", "creditable");
    assert_eq!(credited["id"], seen["id"]);
    // The transaction goes back to the mempool, and with it the deposit to where it was.
    exchange.litecoin.invalidate_block(&block);
    let again = deposit(daemon, "ltc", "pending");
    assert!(again["cursor"].as_u64() > credited["cursor"].as_u64(), "{again}");
    exchange.litecoin.generate(2);
    deposit(daemon, "ltc", "creditable");
}

fn deposits_of_ether(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    let address = daemon.address("eth", "alice");
    exchange.ethereum.pay(&address, ETHER);
    exchange.ethereum.mine();
    let seen = deposit(daemon, "eth", "pending");
    assert_eq!(seen["amount"], "10", "{seen}");
    exchange.ethereum.mine();
    deposit(daemon, "eth", "creditable");
    exchange.ethereum.reorganise(2);
    deposit(daemon, "eth", "removed");
}

fn away(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    let (litecoin, ether) = (daemon.address("ltc", "alice"), daemon.address("eth", "alice"));
    daemon.kill();
    exchange.litecoin.send_to(&litecoin, "1");
    exchange.ethereum.pay(&ether, ETHER);
    for _ in 0..5 {
        exchange.mine();
    }
    daemon.start();
    deposit(daemon, "ltc", "creditable");
    deposit(daemon, "eth", "creditable");
    daemon.kill();
    daemon.start();
    exchange.mine();
    eventually("the tip is read", || {
        (daemon.chain("ltc")["height"] == json!(exchange.litecoin.height())).then_some(())
    });
    assert_eq!((daemon.deposits("ltc").len(), daemon.deposits("eth").len()), (1, 1));
}

/// Coins on the keys themselves.
fn fund(exchange: &Exchange) {
    exchange.fund_litecoin(&exchange.litecoin_key, 2, "2");
    exchange.ethereum.set_balance(&exchange.ethereum_key, ETHER);
    exchange.mine();
}

fn withdrawals(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    fund(exchange);
    let customer = exchange.litecoin.new_address();
    pay(daemon, "wd-ltc", "ltc", &customer, "1.5");
    pay(daemon, "wd-eth", "eth", STRANGER, "1.5");
    let sent = ["wd-ltc", "wd-eth"].map(|id| (id, daemon.until(id, "sent", || ())));
    for (id, sent) in sent {
        let confirmed = daemon.until(id, "confirmed", || exchange.mine_when_seen(daemon));
        assert_eq!(sent["transactions"][0]["txid"], confirmed["transactions"][0]["txid"]);
        assert!(confirmed["transactions"][0]["entry"].is_u64(), "{confirmed}");
    }
    assert_eq!(exchange.litecoin_unspent(&customer), (1, 150_000_000));
    assert_eq!(exchange.ethereum.balance(STRANGER), 1_500_000_000_000_000_000);
    // The same again is the same; something else under the same id is refused.
    let body = json!({ "chain": "ltc", "asset": "LTC", "destination": customer, "amount": "1.50" });
    assert_eq!(daemon.call("PUT", "/v1/withdrawals/wd-ltc", Some(&body)).0, 200);
    let body = json!({ "chain": "ltc", "asset": "LTC", "destination": customer, "amount": "1.6" });
    assert_eq!(daemon.call("PUT", "/v1/withdrawals/wd-ltc", Some(&body)).0, 409);
}

fn bumps(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    fund(exchange);
    let customer = exchange.litecoin.new_address();
    for (id, chain, destination) in [("wd-ltc", "ltc", customer.as_str()), ("wd-eth", "eth", STRANGER)] {
        pay(daemon, id, chain, destination, "1");
        daemon.until(id, "sent", || ());
        let (status, answer) = daemon.call("POST", &format!("/v1/withdrawals/{id}/bump"), None);
        assert_eq!(status, 200, "{answer}");
        let bumped = eventually("the second transaction is sent", || {
            Some(daemon.withdrawal(id)).filter(|withdrawal| withdrawal["transactions"][1]["state"] == "sent")
        });
        assert_eq!(bumped["transactions"][0]["state"], "replaced", "{bumped}");
        let confirmed = daemon.until(id, "confirmed", || exchange.mine_when_seen(daemon));
        assert_eq!(confirmed["transactions"][1]["state"], "confirmed", "{confirmed}");
    }
    assert_eq!(exchange.litecoin_unspent(&customer), (1, 100_000_000));
    assert_eq!(exchange.ethereum.balance(STRANGER), 1_000_000_000_000_000_000);
}

fn cancellations(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    fund(exchange);
    let customer = exchange.litecoin.new_address();
    for (id, chain, destination) in [("wd-ltc", "ltc", customer.as_str()), ("wd-eth", "eth", STRANGER)] {
        pay(daemon, id, chain, destination, "1");
        daemon.until(id, "sent", || ());
        let (status, answer) = daemon.call("POST", &format!("/v1/withdrawals/{id}/cancel"), None);
        assert_eq!(status, 200, "{answer}");
        // Not before the node has the cancellation: else the payment is mined, and is what counts.
        eventually("the cancellation is sent", || {
            (daemon.withdrawal(id)["transactions"][1]["state"] == "sent").then_some(())
        });
        daemon.until(id, "cancelled", || exchange.mine_when_seen(daemon));
    }
    assert_eq!(exchange.litecoin_unspent(&customer), (0, 0));
    assert_eq!(exchange.ethereum.balance(STRANGER), 0);
}

fn reorganisation(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    fund(exchange);
    let customer = exchange.litecoin.new_address();
    pay(daemon, "wd-ltc", "ltc", &customer, "1");
    let sent = daemon.until("wd-ltc", "sent", || ());
    let block = exchange.litecoin.generate(1).remove(0);
    eventually("it is mined", || daemon.withdrawal("wd-ltc")["transactions"][0]["block"].is_object().then_some(()));
    exchange.litecoin.invalidate_block(&block);
    let confirmed = daemon.until("wd-ltc", "confirmed", || exchange.mine_when_seen(daemon));
    assert_eq!(confirmed["transactions"].as_array().unwrap().len(), 1, "{confirmed}");
    assert_eq!(confirmed["transactions"][0]["txid"], sent["transactions"][0]["txid"]);
    assert_eq!(exchange.litecoin_unspent(&customer), (1, 100_000_000));
}

fn eviction(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    fund(exchange);
    pay(daemon, "wd-eth", "eth", STRANGER, "1");
    let sent = daemon.until("wd-eth", "sent", || ());
    exchange.ethereum.evict();
    let txid = sent["transactions"][0]["txid"].clone();
    eventually("the node has it again", || exchange.ethereum.knows(txid.as_str().unwrap()).then_some(()));
    exchange.ethereum.mine();
    eventually("it is mined", || daemon.withdrawal("wd-eth")["transactions"][0]["block"].is_object().then_some(()));
    // A block without it in the place of the one that held it.
    exchange.ethereum.reorganise(1);
    let confirmed = daemon.until("wd-eth", "confirmed", || exchange.mine_when_seen(daemon));
    assert_eq!(confirmed["transactions"][0]["txid"], txid);
    assert_eq!(confirmed["transactions"].as_array().unwrap().len(), 1, "{confirmed}");
    assert_eq!(exchange.ethereum.balance(STRANGER), 1_000_000_000_000_000_000);
}

fn sweeps(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    let (litecoin, ether) = (daemon.address("ltc", "alice"), daemon.address("eth", "alice"));
    let second = daemon.address("ltc", "bob");
    exchange.litecoin.send_to(&litecoin, "1");
    exchange.litecoin.send_to(&second, "1");
    exchange.ethereum.pay(&ether, ETHER);
    eventually("all is swept", || {
        exchange.mine_when_seen(daemon);
        let (_, swept) = exchange.litecoin_unspent(&exchange.litecoin_key);
        // What the gas did not cost in the end stays.
        (swept > 199_000_000 && exchange.ethereum.balance(&ether) < 1_000_000_000_000_000).then_some(())
    });
    assert!(exchange.ethereum.balance(&exchange.ethereum_key) > 9_900_000_000_000_000_000);
    eventually("the sweeps are confirmed", || {
        exchange.mine_when_seen(daemon);
        let (_, answer) = daemon.call("GET", "/v1/withdrawals?state=confirmed", None);
        let count = answer["withdrawals"].as_array().unwrap().len();
        (count >= 2).then_some(())
    });
    // What was moved by ourselves is nobody's deposit.
    assert_eq!((daemon.deposits("ltc").len(), daemon.deposits("eth").len()), (2, 1));
}

fn deep_reorganisation(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    let address = daemon.address("ltc", "alice");
    exchange.litecoin.send_to(&address, "1");
    let block = exchange.litecoin.generate(1).remove(0);
    exchange.litecoin.generate(5);
    deposit(daemon, "ltc", "creditable");
    eventually("it is settled", || (daemon.chain("ltc")["height"] == json!(exchange.litecoin.height())).then_some(()));
    // Another chain, longer, without the deposit.
    exchange.litecoin.invalidate_block(&block);
    exchange.litecoin.generate_empty(8);
    let chain =
        eventually("there is an alarm", || Some(daemon.chain("ltc")).filter(|chain| chain["alarm"].is_object()));
    assert!(chain["alarm"]["what"].as_str().unwrap().contains("deeper than 2"), "{chain}");
    deposit(daemon, "ltc", "creditable");
    assert_eq!(daemon.call("POST", "/v1/chains/ltc/resume", None).0, 202);
    // It is not mined any more, and waits again.
    deposit(daemon, "ltc", "pending");
    assert!(daemon.chain("ltc")["alarm"].is_null());
}

fn wrong_chain(_: &Exchange, daemon: &mut Daemon<'_>) {
    for chain in ["ltc", "eth"] {
        let standing = eventually("the chain is looked at", || {
            Some(daemon.chain(chain)).filter(|standing| standing["trouble"].is_string())
        });
        let trouble = standing["trouble"].as_str().unwrap();
        assert!(trouble.contains("is of another chain"), "{trouble}");
        assert_eq!(standing["reachable"], false);
    }
}

fn denied(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    exchange.fund_litecoin(&exchange.litecoin_key, 1, "9");
    let customer = exchange.litecoin.new_address();
    pay(daemon, "wd-large", "ltc", &customer, "6");
    let waiting = eventually("it waits", || {
        Some(daemon.withdrawal("wd-large")).filter(|withdrawal| withdrawal["waiting"]["code"] == "denied")
    });
    assert_eq!(waiting["state"], "created", "{waiting}");
    // Its coin is free for others meanwhile.
    pay(daemon, "wd-small", "ltc", &customer, "4");
    daemon.until("wd-small", "sent", || ());
    let (status, answer) = daemon.call("POST", "/v1/withdrawals/wd-large/cancel", None);
    assert_eq!(status, 200, "{answer}");
    daemon.until("wd-large", "cancelled", || ());
    daemon.until("wd-small", "confirmed", || exchange.mine_when_seen(daemon));
    assert_eq!(exchange.litecoin_unspent(&customer), (1, 400_000_000));
}

fn portable(exchange: &Exchange, daemon: &mut Daemon<'_>) {
    fund(exchange);
    let customer = exchange.litecoin.new_address();
    pay(daemon, "wd-1", "ltc", &customer, "1");
    eventually("it is drafted", || {
        Some(daemon.withdrawal("wd-1")).filter(|withdrawal| withdrawal["transactions"][0].is_object())
    });
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--config", "watcher.toml"]].concat();
        exchange.installation.run("chancery-watcher", &arguments)
    };
    run(&["withdrawal", "export", "wd-1", "--out", "wd-1.json"]);
    run(&["withdrawal", "sign", "wd-1.json", "--out", "wd-1.signed.json"]);
    assert_eq!(daemon.withdrawal("wd-1")["state"], "created");
    run(&["withdrawal", "import", "wd-1.signed.json"]);
    daemon.until("wd-1", "sent", || ());
    // Once more is the same.
    run(&["withdrawal", "import", "wd-1.signed.json"]);
    daemon.until("wd-1", "confirmed", || exchange.mine_when_seen(daemon));
    assert_eq!(exchange.litecoin_unspent(&customer), (1, 100_000_000));
}
