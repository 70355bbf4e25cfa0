//! The watcher's chain of Bitcoin's kind on a real Litecoin node, once for each strategy. The keys are in software: what
//! signs is tested elsewhere, here only that a signer could.

use appliance_wire::{AddressType, Amount, Chain as ChainName};
use libtest_mimic::Trial;
use serde_json::json;
use watcher_client::{
    Network, Strategy,
    chains::{Block, Chain, DraftError, Held, NodeError, Quantity, Scan, Source, Variation, Whereabouts, utxo::Utxo},
};

use self::bench::{Bench, COIN, CONFIRMATIONS, by_wallet, config, credentials, native, read, sign};
use crate::harness::{eventually, litecoind::Litecoind, trial};

mod bench;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("utxo_chain::a_node_of_another_chain_is_refused", other_chains),
        trial("utxo_chain::a_node_that_is_gone_or_does_not_know_us_is_named", faults),
        trial("utxo_chain::wallet_finds_what_blocks_and_mempool_pay_us", || deposits(by_wallet())),
        trial("utxo_chain::blocks_finds_what_blocks_and_mempool_pay_us", || deposits(Strategy::Blocks)),
        trial("utxo_chain::wallet_notices_that_the_chain_moved", || moved(by_wallet())),
        trial("utxo_chain::blocks_notices_that_the_chain_moved", || moved(Strategy::Blocks)),
        trial("utxo_chain::wallet_pays_from_native_coins", || withdrawal(by_wallet(), AddressType::P2wpkh)),
        trial("utxo_chain::wallet_pays_from_nested_coins", || withdrawal(by_wallet(), AddressType::P2shP2wpkh)),
        trial("utxo_chain::blocks_pays_from_native_coins", || withdrawal(Strategy::Blocks, AddressType::P2wpkh)),
        trial("utxo_chain::blocks_pays_from_legacy_coins", || withdrawal(Strategy::Blocks, AddressType::P2pkh)),
        trial("utxo_chain::wallet_bumps_and_cancels", || variants(by_wallet())),
        trial("utxo_chain::blocks_bumps_and_cancels", || variants(Strategy::Blocks)),
        trial("utxo_chain::a_bump_adds_coins_where_the_change_does_not_suffice", bump_adds_coins),
        trial("utxo_chain::wallet_leaves_alone_what_is_held_or_not_deep", || held(by_wallet())),
        trial("utxo_chain::blocks_leaves_alone_what_is_held_or_not_deep", || held(Strategy::Blocks)),
        trial("utxo_chain::wallet_sweeps_children_together", || sweep(by_wallet())),
        trial("utxo_chain::blocks_sweeps_children_together", || sweep(Strategy::Blocks)),
        trial("utxo_chain::what_cannot_or_may_not_be_paid_is_refused", refusals),
        trial("utxo_chain::a_wallet_that_was_unloaded_is_loaded_again", unloaded),
        trial("utxo_chain::a_wallet_that_was_lost_is_made_again_with_its_past", lost),
    ]
}

fn other_chains() {
    let node = Litecoind::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let credentials = credentials(&node);
    for strategy in [by_wallet(), Strategy::Blocks] {
        let good = config(&node, credentials.path(), strategy);
        let mut by_name = good.clone();
        by_name.network = Network::Utxo(ChainName::BitcoinRegtest);
        let mut by_hash = good.clone();
        by_hash.genesis = Some("11".repeat(32));
        for other in [by_name, by_hash] {
            let refused = runtime.block_on(Utxo::new(&other).unwrap().check()).unwrap_err();
            assert!(matches!(&refused, NodeError::OtherChain { found, .. } if found.starts_with("5308")), "{refused}");
        }
        runtime.block_on(Utxo::new(&good).unwrap().check()).unwrap();
    }
}

fn faults() {
    let node = Litecoind::start();
    let credentials = credentials(&node);
    let good = config(&node, credentials.path(), Strategy::Blocks);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tip = |config| runtime.block_on(Utxo::new(config).unwrap().tip());
    tip(&good).unwrap();

    let wrong = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(wrong.path(), "tests:wrong").unwrap();
    let mut stranger = good.clone();
    stranger.credentials = Some(wrong.path().to_owned());
    let refused = tip(&stranger).unwrap_err();
    assert!(matches!(refused, NodeError::Credentials { .. }), "{refused}");

    let mut keys = good.clone();
    keys.strategy = Strategy::Wallet("miner".to_owned());
    let refused = runtime.block_on(Utxo::new(&keys).unwrap().check()).unwrap_err();
    assert!(matches!(&refused, NodeError::Unfit { why, .. } if why.contains("private keys")), "{refused}");

    let mut alone = good.clone();
    alone.credentials = None;
    drop(node);
    let refused = tip(&alone).unwrap_err();
    assert!(matches!(refused, NodeError::NotReachable { .. }), "{refused}");
}

fn deposits(strategy: Strategy) {
    let bench = Bench::start(strategy);
    let before = bench.tip();
    assert_eq!(bench.pending(), []);
    let one = bench.node.send_to(&bench.child(0), "1.5");
    let two = bench
        .node
        .rpc
        .at("/wallet/miner")
        .call("sendmany", json!(["", { bench.child(1): 0.00002941, bench.child(2): 0.25 }]));
    let two = two.as_str().unwrap().to_owned();

    // The node tells its wallet of what is in its mempool in its own time.
    let pending = eventually("both are seen", || Some(bench.pending()).filter(|pending| pending.len() >= 3));
    assert_eq!(pending.len(), 3);
    let amounts = |txid: &str| {
        let of = pending.iter().filter(|sighting| sighting.txid == txid);
        let mut all: Vec<_> = of.map(|sighting| (sighting.amount, sighting.address.clone())).collect();
        all.sort();
        all
    };
    assert_eq!(amounts(&one), [(Amount::from_units(150_000_000), bench.child(0))]);
    let both = [(Amount::from_units(2_941), bench.child(1)), (Amount::from_units(25_000_000), bench.child(2))];
    assert_eq!(amounts(&two), both);
    assert!(pending.iter().all(|sighting| sighting.block.is_none() && sighting.asset == "LTC"));
    assert_eq!(bench.found(&before), []);

    let hash = bench.node.generate(1).remove(0);
    let block = Block { height: before.height + 1, hash };
    assert_eq!((bench.pending(), bench.tip()), (vec![], block.clone()));
    assert_eq!(bench.run(bench.chain.block_at(block.height)).unwrap(), Some(block.clone()));
    assert_eq!(bench.run(bench.chain.block_at(block.height + 1)).unwrap(), None);
    let mined: Vec<_> = pending
        .iter()
        .cloned()
        .map(|mut sighting| {
            sighting.block = Some(block.clone());
            sighting
        })
        .collect();
    assert_eq!(bench.found(&before), mined);
    bench.node.generate(1);
    assert_eq!(bench.found(&before), mined);
    assert_eq!(bench.found(&block), []);
    assert_eq!(bench.found_up_to(&before, &block), mined, "what is above `to` changes nothing");

    // New money is a payment to us, too.
    bench.node.rpc.call("generatetoaddress", json!([1, bench.child(0)]));
    let coinbase = bench.found(&Block {
        height: block.height + 1,
        hash: bench.run(bench.chain.block_at(block.height + 1)).unwrap().unwrap().hash,
    });
    assert_eq!((coinbase.len(), &coinbase[0].address), (1, &bench.child(0)));

    // The block is gone; what it held waits again.
    bench.node.invalidate_block(&block.hash);
    bench.node.generate_empty(4);
    assert_eq!(bench.found(&before), []);
    assert_eq!(bench.pending(), pending);
}

fn moved(strategy: Strategy) {
    let bench = Bench::start(strategy);
    let before = bench.tip();
    bench.node.send_to(&bench.child(0), "1");
    bench.node.generate(1);
    let first = bench.tip();
    bench.node.generate(2);
    let old = bench.tip();
    assert!(matches!(bench.scan(&before, &old), Scan::Found(found) if found.len() == 1));
    bench.node.invalidate_block(&first.hash);
    assert_eq!(bench.scan(&before, &old), Scan::Moved, "`to` is above the tip");
    bench.node.generate_empty(4);
    assert_eq!(bench.scan(&before, &old), Scan::Moved, "`to` is of another branch");
    assert_eq!(bench.scan(&first, &bench.tip()), Scan::Moved, "`after` is of another branch");
    let unknown = Block { height: before.height, hash: "22".repeat(32) };
    assert_eq!(bench.scan(&unknown, &bench.tip()), Scan::Moved);
    let above = Block { height: bench.tip().height + 1, hash: "22".repeat(32) };
    assert_eq!(bench.scan(&before, &above), Scan::Moved);
    assert_eq!(bench.scan(&above, &above), Scan::Found(vec![]), "there is nothing to read");
    assert_eq!(bench.found(&before), []);
}

fn withdrawal(strategy: Strategy, form: AddressType) {
    let bench = Bench::with(strategy, form, |_| ());
    bench.fund(&[(&bench.child(0), COIN), (&bench.child(1), 2 * COIN), (&bench.own.key().address, COIN / 2)]);
    let order = bench.order(3 * COIN);
    let draft = bench.draft(&order, &Held::new()).unwrap();
    let transaction = read(&draft);
    assert_eq!((draft.amount.as_str(), draft.owners.len(), transaction.outputs.len()), ("3", 3, 2));
    assert_eq!(transaction.outputs[0].script, bench.node.script_of(&order.destination));
    assert_eq!(transaction.outputs[1].script, bench.node.script_of(&bench.own.key().address));
    assert_eq!(draft.fee.to_amount(8).unwrap(), Amount::from_units(transaction.fee));
    let holds: Vec<_> = transaction.inputs.iter().map(|input| input.outpoint.clone()).collect();
    assert_eq!(draft.holds, holds);

    let signed = sign(&draft);
    let look_up = || bench.run(bench.chain.look_up(&signed.txid)).unwrap();
    assert_eq!(look_up(), Whereabouts::Unknown);
    bench.send(&signed).unwrap();
    assert_eq!(look_up(), Whereabouts::Waiting);
    bench.send(&signed).unwrap();
    assert_eq!(bench.node.mempool(), std::slice::from_ref(&signed.txid));
    // At the least rate there is, and not a unit more than the size of three signatures may vary by.
    let entry = bench.node.rpc.call("getmempoolentry", json!([signed.txid]));
    let size = entry["vsize"].as_u64().unwrap();
    assert!((size..size + 10).contains(&transaction.fee), "{size} {}", transaction.fee);

    let block = bench.node.generate(1).remove(0);
    let mined = Whereabouts::Mined { block: bench.tip(), succeeded: true };
    assert_eq!(look_up(), mined);
    bench.send(&signed).unwrap();
    bench.node.invalidate_block(&block);
    assert_eq!(look_up(), Whereabouts::Waiting, "it went back");
    bench.node.reconsider(&block);
    assert_eq!(look_up(), mined);

    // Change may be spent at once.
    let next = bench.draft(&bench.order(COIN / 4), &Held::new()).unwrap();
    assert_eq!(next.holds, [format!("{}:1", signed.txid)]);
}

fn variants(strategy: Strategy) {
    let bench = Bench::start(strategy);
    bench.fund(&[(&bench.child(0), 2 * COIN)]);
    let order = bench.order(COIN);
    let first = bench.draft(&order, &Held::new()).unwrap();
    let held: Held = first.holds.iter().cloned().collect();
    bench.send(&sign(&first)).unwrap();

    let bump = bench.redraft(&order, std::slice::from_ref(&first), Variation::Bump, &held).unwrap();
    assert_eq!((&bump.holds, bump.amount.as_str()), (&first.holds, "1"));
    let (low, high) = (read(&first), read(&bump));
    assert_eq!(low.outputs[0], high.outputs[0]);
    assert!(high.fee * 4 >= low.fee * 5, "{} {}", low.fee, high.fee);
    bench.send(&sign(&bump)).unwrap();
    assert_eq!(bench.node.mempool(), [sign(&bump).txid]);
    assert_eq!(bench.run(bench.chain.look_up(&sign(&first).txid)).unwrap(), Whereabouts::Unknown);

    let all = [first.clone(), bump.clone()];
    let cancel = bench.redraft(&order, &all, Variation::Cancel, &held).unwrap();
    let back = read(&cancel);
    assert_eq!((&cancel.holds, cancel.amount.as_str(), back.outputs.len()), (&first.holds, "0", 1));
    assert_eq!(back.outputs[0].script, bench.node.script_of(&bench.own.key().address));
    assert!(back.fee * 4 >= high.fee * 5, "{} {}", high.fee, back.fee);
    let cancel = sign(&cancel);
    bench.send(&cancel).unwrap();
    assert_eq!(bench.node.mempool(), std::slice::from_ref(&cancel.txid));
    bench.node.generate(1);
    assert!(matches!(bench.run(bench.chain.look_up(&cancel.txid)).unwrap(), Whereabouts::Mined { .. }));
    let refused = bench.send(&sign(&bump)).unwrap_err();
    assert!(refused.code().is_some(), "its coins are spent: {refused}");
}

fn bump_adds_coins() {
    let bench = Bench::start(Strategy::Blocks);
    // What is left of the first coin is no output, and less than a higher fee.
    bench.fund(&[(&bench.child(0), COIN + 300)]);
    let order = bench.order(COIN);
    let first = bench.draft(&order, &Held::new()).unwrap();
    assert_eq!((first.holds.len(), read(&first).outputs.len()), (1, 1));
    let held: Held = first.holds.iter().cloned().collect();
    bench.send(&sign(&first)).unwrap();
    let before = [first.clone()];
    let poor = bench.redraft(&order, &before, Variation::Bump, &held).unwrap_err();
    assert!(matches!(poor, DraftError::TooLittle { .. }), "{poor}");
    bench.node.send_to(&bench.child(1), "0.5");
    // Blocks without the payment, which must still be there to be replaced.
    let deposit = bench.node.mempool().into_iter().find(|txid| *txid != sign(&first).txid).unwrap();
    bench.node.rpc.call("generateblock", json!([bench.node.new_address(), [deposit]]));
    bench.node.generate_empty(u32::try_from(CONFIRMATIONS - 1).unwrap());
    let bump = bench.redraft(&order, &before, Variation::Bump, &held).unwrap();
    assert_eq!((bump.holds.len(), &bump.holds[0], read(&bump).outputs.len()), (2, &first.holds[0], 2));
    let bump = sign(&bump);
    bench.send(&bump).unwrap();
    assert_eq!(bench.node.mempool(), [bump.txid]);
}

fn held(strategy: Strategy) {
    let bench = Bench::start(strategy);
    bench.fund(&[(&bench.child(0), COIN), (&bench.child(1), COIN)]);
    let order = bench.order(COIN / 2);
    let first = bench.draft(&order, &Held::new()).unwrap();
    let mut held: Held = first.holds.iter().cloned().collect();
    let second = bench.draft(&order, &held).unwrap();
    assert_ne!(first.holds, second.holds);
    held.extend(second.holds);
    let none = bench.draft(&order, &held).unwrap_err();
    assert!(matches!(&none, DraftError::TooLittle { missing, .. } if missing.starts_with("0.5")), "{none}");

    // Neither a deposit that is not deep, nor change that waits, nor new money may be spent.
    bench.node.send_to(&bench.child(2), "3");
    bench.node.generate(u32::try_from(CONFIRMATIONS - 1).unwrap());
    let early = bench.draft(&order, &held).unwrap_err();
    assert!(matches!(early, DraftError::TooLittle { .. }), "{early}");
    bench.node.rpc.call("generatetoaddress", json!([1, bench.own.key().address]));
    assert!(bench.draft(&order, &held).is_ok(), "now it is deep");
    let much = bench.draft(&bench.order(4 * COIN), &held).unwrap_err();
    assert!(matches!(much, DraftError::TooLittle { .. }), "{much}");
    bench.send(&sign(&first)).unwrap();
    let much = bench.draft(&bench.order(5 * COIN), &Held::new()).unwrap_err();
    assert!(matches!(much, DraftError::TooLittle { .. }), "{much}");
    // Not held by us, and yet spent by what waits to be mined.
    let third = bench.draft(&bench.order(7 * COIN / 2), &Held::new()).unwrap();
    assert!(!third.holds.contains(&first.holds[0]));
}

fn sweep(strategy: Strategy) {
    let bench = Bench::start(strategy);
    let sweeps = |held: &Held| bench.run(bench.chain.sweeps(&bench.own, held)).unwrap();
    bench.fund(&[(&bench.child(0), COIN / 2), (&bench.own.key().address, 5 * COIN)]);
    assert_eq!(sweeps(&Held::new()), [], "not above what the config says");
    bench.fund(&[(&bench.child(0), COIN), (&bench.child(1), COIN), (&bench.child(2), COIN)]);
    let orders = sweeps(&Held::new());
    let [order] = orders.as_slice() else { panic!("{orders:?}") };
    assert_eq!((&order.source, &order.quantity), (&Source::Children, &Quantity::All));
    let draft = bench.draft(order, &Held::new()).unwrap();
    let transaction = read(&draft);
    assert_eq!((draft.holds.len(), transaction.outputs.len()), (4, 1));
    let [output] = transaction.outputs.as_slice() else { panic!() };
    assert_eq!(output.script, bench.node.script_of(&bench.own.key().address));
    assert_eq!(output.amount + transaction.fee, 7 * COIN / 2);
    assert_eq!(draft.amount.to_amount(8).unwrap(), Amount::from_units(output.amount));
    assert_eq!(sweeps(&draft.holds.iter().cloned().collect()), []);
    bench.send(&sign(&draft)).unwrap();
    let held = draft.holds.iter().cloned().collect();
    let bump = bench.redraft(order, std::slice::from_ref(&draft), Variation::Bump, &held).unwrap();
    assert!(read(&bump).outputs[0].amount < output.amount);
    bench.send(&sign(&bump)).unwrap();
    bench.node.generate(1);
    assert_eq!(sweeps(&Held::new()), []);
}

fn refusals() {
    let bench = Bench::with(Strategy::Blocks, AddressType::P2wpkh, |config| config.max_fee = Amount::from_units(200));
    bench.fund(&[(&bench.child(0), COIN), (&bench.child(1), COIN)]);
    let good = bench.order(COIN / 2);
    bench.draft(&good, &Held::new()).unwrap();
    let fee = bench.draft(&bench.order(3 * COIN / 2), &Held::new()).unwrap_err();
    assert!(matches!(fee, DraftError::TooDear { key: "max_fee", .. }), "{fee}");
    let mut memo = good.clone();
    memo.memo = Some("7".to_owned());
    let mut token = good.clone();
    token.asset = watcher_client::chains::Asset { contract: Some("0x00".to_owned()), ..native() };
    let mut elsewhere = good.clone();
    elsewhere.destination = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4".to_owned();
    let mut dust = good.clone();
    dust.quantity = Quantity::Exactly("0.00002939".parse().unwrap());
    for (never, why) in
        [(memo, "no data field"), (token, "no asset"), (elsewhere, "another network"), (dust, "0.0000294")]
    {
        let refused = bench.draft(&never, &Held::new()).unwrap_err();
        assert!(matches!(&refused, DraftError::Never(text) if text.contains(why)), "{refused}");
    }
    // The node draws the same line.
    let least = bench.draft(&bench.order(2_940), &Held::new()).unwrap();
    bench.send(&sign(&least)).unwrap();

    let dear = Bench::with(Strategy::Blocks, AddressType::P2wpkh, |config| config.max_fee_rate = Some(0));
    dear.fund(&[(&dear.child(0), COIN)]);
    let rate = dear.draft(&dear.order(COIN / 2), &Held::new()).unwrap_err();
    assert!(matches!(rate, DraftError::TooDear { key: "max_fee_rate", .. }), "{rate}");
}

fn unloaded() {
    let bench = Bench::start(by_wallet());
    let before = bench.tip();
    bench.fund(&[(&bench.child(0), COIN)]);
    bench.node.rpc.call("unloadwallet", json!(["watched"]));
    assert_eq!(bench.found(&before).len(), 1);
    bench.node.rpc.call("unloadwallet", json!(["watched"]));
    let all: Vec<_> = bench.own.all().cloned().collect();
    bench.run(bench.chain.watch(&all[..1], false)).unwrap();
    bench.node.rpc.call("unloadwallet", json!(["watched"]));
    assert!(bench.draft(&bench.order(COIN / 2), &Held::new()).is_ok());
    assert_eq!(bench.found(&before).len(), 1, "addresses may be watched again");
}

fn lost() {
    let bench = Bench::start(by_wallet());
    let before = bench.tip();
    bench.fund(&[(&bench.child(0), COIN)]);
    let other = Strategy::Wallet("another".to_owned());
    let chain = Utxo::new(&config(&bench.node, bench.credentials.path(), other)).unwrap();
    let all: Vec<_> = bench.own.all().cloned().collect();
    bench.run(chain.watch(&all, false)).unwrap();
    let found = bench.run(chain.scan(&bench.own, &before, &bench.tip())).unwrap();
    assert_eq!(found, Scan::Found(bench.found(&before)));
}
