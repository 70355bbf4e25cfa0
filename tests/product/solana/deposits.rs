//! Payments in, and the blocks they are found in.

use appliance_wire::Amount;
use watcher_client::chains::{Block, Chain, NodeError, Scan, Sighting, solana::Solana};

use super::bench::{Bench, LEAST, SOL, order};
use crate::harness::block_on;

fn tip(bench: &Bench) -> Block {
    block_on(bench.chain.tip()).unwrap().block
}

fn scan(bench: &Bench, after: &Block, to: &Block) -> Vec<Sighting> {
    match block_on(bench.chain.scan(&bench.own, after, to)).unwrap() {
        Scan::Found(found) => found,
        Scan::Moved => panic!("moved"),
    }
}

pub(super) fn found() {
    let bench = Bench::start();
    let (address, stranger) = (bench.address().to_owned(), Bench::customer());
    let before = tip(&bench);
    let wanted = [
        (bench.node.pay(&[(&address, SOL)], &["customer 17"]), SOL, Some("customer 17")),
        (bench.node.pay(&[(&address, 2), (&stranger, SOL), (&address, 3)], &[]), 5, None),
        (bench.node.pay(&[(&address, 7)], &["to whom", "of the two"]), 7, None),
    ];
    // Paid to somebody else, and by ourselves.
    bench.node.pay(&[(&stranger, SOL)], &["customer 18"]);
    let out = bench.drafted_and_signed("wd-1", &order(&stranger, "1"));
    assert_eq!(bench.node.execute(&out.transaction), None);
    assert_eq!(tip(&bench), before, "nothing of it is final");
    assert_eq!(scan(&bench, &before, &before), []);
    bench.node.finalize();
    let middle = tip(&bench);
    let found = scan(&bench, &before, &middle);
    let seen: Vec<_> = found.iter().map(|one| (one.id.clone(), one.amount, one.memo.as_deref())).collect();
    assert_eq!(seen, wanted.map(|(id, lamports, memo)| (id, Amount::from_units(lamports), memo)));
    for one in &found {
        assert_eq!((&one.txid, &one.address, one.asset.as_str()), (&one.id, &address, "SOL"));
        let block = one.block.clone().unwrap();
        assert_eq!(block_on(bench.chain.block_at(block.height)).unwrap(), Some(block));
    }

    // More than the node gives at once, and each in one scan only.
    let more: Vec<String> = (1..=8).map(|lamports| bench.node.pay(&[(&address, lamports)], &[])).collect();
    bench.node.finalize();
    let last = tip(&bench);
    let ids = |found: Vec<Sighting>| found.into_iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(scan(&bench, &middle, &last)), more);
    assert_eq!(ids(scan(&bench, &before, &last)).len(), 3 + 8);
    assert_eq!(block_on(bench.chain.pending(&bench.own)).unwrap(), []);
    bench.end();
}

pub(super) fn slots() {
    let bench = Bench::start();
    (0..6).for_each(|_| bench.node.mine());
    assert_eq!(bench.node.balance(&Bench::customer()), 0);
    let last = bench.node.finalize();
    let blocks: Vec<Block> = (0..=last).map(|slot| block_on(bench.chain.block_at(slot)).unwrap().unwrap()).collect();
    for (slot, block) in (0..).zip(&blocks) {
        let is_empty = slot % 3 == 0 && slot > 0;
        assert_eq!(block.height, if is_empty { slot - 1 } else { slot });
    }
    assert_eq!(Some(&tip(&bench)), blocks.last());
    assert_eq!(block_on(bench.chain.block_at(last + 1)).unwrap(), None);
    bench.node.mine();
    assert_eq!(block_on(bench.chain.block_at(last + 1)).unwrap(), None, "it is not final");
    let behind = || block_on(bench.chain.tip()).unwrap().behind;
    assert_eq!(behind(), None);
    bench.node.set_behind(true);
    assert!(behind().unwrap() > last);
    bench.end();
}

pub(super) fn moved() {
    let bench = Bench::start();
    let before = tip(&bench);
    bench.node.pay(&[(bench.address(), LEAST)], &[]);
    bench.node.finalize();
    let now = tip(&bench);
    let other = |block: &Block| Block { hash: before.hash.chars().rev().collect(), ..block.clone() };
    for (after, to) in [(other(&before), now.clone()), (before.clone(), other(&now))] {
        assert_eq!(block_on(bench.chain.scan(&bench.own, &after, &to)).unwrap(), Scan::Moved);
    }
    assert_eq!(scan(&bench, &before, &now).len(), 1);
    bench.end();
}

pub(super) fn unfit_nodes() {
    let bench = Bench::start();
    block_on(bench.chain.check()).unwrap();
    let check = |genesis: Option<&str>, nonce_account: &str| {
        let mut config = bench.config.clone();
        config.genesis = genesis.map(str::to_owned);
        config.nonce_account = Some(nonce_account.to_owned());
        block_on(Solana::new(&config).unwrap().check()).unwrap_err()
    };
    let nonce_account = bench.config.nonce_account.clone().unwrap();
    let genesis = bench.config.genesis.clone().unwrap();
    // Without a hash in the config it is mainnet-beta that is meant.
    assert!(matches!(check(None, &nonce_account), NodeError::OtherChain { .. }));
    assert!(matches!(check(Some(&nonce_account), &nonce_account), NodeError::OtherChain { .. }));
    for account in [bench.address(), &Bench::customer()] {
        let unfit = check(Some(&genesis), account);
        assert!(matches!(unfit, NodeError::Unfit { .. }) && unfit.to_string().contains(account), "{unfit}");
    }
    bench.end();
}
