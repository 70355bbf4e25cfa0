//! The watcher's view of a chain of Ethereum's kind, on a real node: deposits, drafts, replacements, sweeps.

use libtest_mimic::Trial;
use watcher_client::chains::{
    Block, Chain, DraftError, Held, NodeError, Order, Quantity, Scan, Source, Variation, Whereabouts,
};

use self::bench::{
    Bench, CHILD, CUSTOMER, ETHER, KEY, OTHER_CHILD, STRANGER, TOKEN, address, amount, chain, decimal, deposit, eth,
    order, path, sign, test,
};
use crate::harness::{
    anvil::{Anvil, CHAIN_ID},
    block_on, trial,
};

mod bench;
mod sweeping;

pub(crate) fn trials() -> Vec<Trial> {
    let own = vec![
        trial("evm_chain::a_node_of_another_chain_is_refused", other_chain),
        trial("evm_chain::a_token_that_is_not_there_or_counts_otherwise_is_refused", other_token),
        trial("evm_chain::a_deposit_of_ether_is_seen_before_it_is_mined_and_gone_after_a_reorganisation", ether),
        trial("evm_chain::a_deposit_of_tokens_is_seen_in_its_block_and_gone_after_a_reorganisation", tokens),
        trial("evm_chain::what_was_paid_long_ago_is_found_and_found_again_for_new_addresses", many_blocks),
        trial("evm_chain::a_payment_that_failed_is_no_deposit", failed_deposit),
        trial("evm_chain::ether_is_drafted_signed_sent_and_found", pays_ether),
        trial("evm_chain::tokens_are_drafted_signed_sent_and_found", pays_tokens),
        trial("evm_chain::the_lowest_nonce_that_is_not_held_is_used", nonces),
        trial("evm_chain::a_bump_is_mined_instead", bump),
        trial("evm_chain::a_cancellation_is_mined_instead", cancel),
        trial("evm_chain::what_failed_on_the_chain_is_mined_and_did_not_succeed", reverted),
        trial("evm_chain::what_cannot_be_paid_now_is_too_little_or_too_dear", impossible_now),
        trial("evm_chain::what_can_never_be_paid_is_said_so", never),
        trial("evm_chain::a_node_that_is_gone_is_not_reachable", node_gone),
    ];
    own.into_iter().chain(sweeping::trials()).collect()
}

fn other_chain() {
    let node = Anvil::start();
    let first = node.block_hash(0);
    let without_tokens = |config: &mut watcher_client::ChainConfig| config.assets.truncate(1);
    let good = chain(&node, |config| {
        without_tokens(config);
        config.genesis = Some(first.clone());
    });
    block_on(good.check()).unwrap();

    let other_id = chain(&node, |config| {
        without_tokens(config);
        config.network = watcher_client::Network::Evm(CHAIN_ID + 1);
    });
    let other_genesis = chain(&node, |config| {
        without_tokens(config);
        config.genesis = Some(format!("0x{}", "ab".repeat(32)));
    });
    let sham = Anvil::start_as(1);
    let not_ethereum = chain(&sham, |config| {
        without_tokens(config);
        config.network = watcher_client::Network::Evm(1);
    });
    let ethereum = "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3";
    let ids = ("31338".to_owned(), "31337".to_owned());
    let hashes = (format!("0x{}", "ab".repeat(32)), first);
    let sham_hashes = (ethereum.to_owned(), sham.block_hash(0));
    for (evm, texts) in [(other_id, ids), (other_genesis, hashes), (not_ethereum, sham_hashes)] {
        match block_on(evm.check()) {
            Err(NodeError::OtherChain { expected, found, .. }) => assert_eq!((expected, found), texts),
            other => panic!("{other:?}"),
        }
    }
}

fn other_token() {
    let bench = Bench::start();
    block_on(bench.evm.check()).unwrap();
    // Six decimals, whatever it is asked.
    bench.node.set_code(TOKEN, "0x600660005260206000f3");
    let unfit = || match block_on(bench.evm.check()) {
        Err(NodeError::Unfit { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert!(unfit().contains("6 decimals, and `decimals` of TEST is 2"), "{}", unfit());
    bench.node.set_code(TOKEN, "0x");
    assert!(unfit().contains("no contract"), "{}", unfit());
}

fn ether() {
    let bench = Bench::start();
    let safe = bench.tip();
    let signed = deposit(&bench, &address(CHILD), eth(), "1.5", &Held::new());
    deposit(&bench, CUSTOMER, eth(), "1", &held_by_stranger(&[0]));

    let waiting = block_on(bench.evm.pending(&bench.own)).unwrap();
    let [seen] = waiting.as_slice() else { panic!("{waiting:?}") };
    assert_eq!((&seen.id, &seen.txid, &seen.block), (&signed.txid, &signed.txid, &None));
    assert_eq!((&seen.address, seen.asset.as_str()), (&address(CHILD), "ETH"));
    assert_eq!(seen.amount, amount("1500000000000000000"));
    assert_eq!(bench.found(&safe), []);

    let block = bench.mine();
    let mut mined = seen.clone();
    mined.block = Some(block.clone());
    assert_eq!(bench.found(&safe), [mined.clone()]);
    assert_eq!(bench.found(&safe), [mined]);
    assert_eq!(bench.found(&block), []);
    assert_eq!(block_on(bench.evm.pending(&bench.own)).unwrap(), []);

    bench.node.reorganise(1);
    assert_eq!(block_on(bench.evm.block_at(block.height)).unwrap(), Some(bench.tip()));
    assert_eq!(bench.found(&safe), []);
    assert_eq!(block_on(bench.evm.scan(&bench.own, &safe, &block)).unwrap(), Scan::Moved);
    bench.mine();
    assert_eq!(block_on(bench.evm.scan(&bench.own, &block, &bench.tip())).unwrap(), Scan::Moved, "no ancestor");
    assert_eq!(block_on(bench.evm.block_at(99)).unwrap(), None);
}

fn held_by_stranger(nonces: &[u64]) -> Held {
    nonces.iter().map(|nonce| format!("{}/{nonce}", address(STRANGER))).collect()
}

fn tokens() {
    let bench = Bench::start();
    let safe = bench.tip();
    deposit(&bench, CUSTOMER, test(), "1", &Held::new());
    let signed = deposit(&bench, &address(OTHER_CHILD), test(), "12.34", &held_by_stranger(&[0]));
    assert_eq!(block_on(bench.evm.pending(&bench.own)).unwrap(), [], "tokens have no name before they are mined");
    let block = bench.mine();
    let found = bench.found(&safe);
    let [seen] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&seen.id, &seen.txid), (&format!("{}:1", signed.txid), &signed.txid));
    assert_eq!((&seen.address, seen.asset.as_str(), seen.amount), (&address(OTHER_CHILD), "TEST", amount("1234")));
    assert_eq!(seen.block, Some(block));
    bench.node.reorganise(1);
    assert_eq!(bench.found(&safe), []);
}

fn many_blocks() {
    let bench = Bench::start();
    let safe = bench.tip();
    let first = deposit(&bench, &address(CHILD), eth(), "1", &Held::new());
    let block = bench.mine();
    for _ in 0..19 {
        bench.mine();
    }
    let last = deposit(&bench, &address(OTHER_CHILD), test(), "1", &Held::new());
    bench.mine();
    let found = bench.found(&safe);
    let txids: Vec<&String> = found.iter().map(|seen| &seen.txid).collect();
    assert_eq!(txids, [&first.txid, &last.txid]);
    assert_eq!(found[0].block, Some(block));

    // Whoever becomes ours later finds what the blocks that were read already paid.
    let stranger = watcher_client::chains::OwnAddress { address: CUSTOMER.to_owned(), ..bench.own.key().clone() };
    assert_eq!(block_on(bench.evm.scan(&bench.own, &safe, &safe)).unwrap(), Scan::Found(vec![]));
    deposit(&bench, CUSTOMER, eth(), "2", &Held::new());
    bench.mine();
    assert_eq!(bench.found(&safe).len(), 2);
    let more = watcher_client::chains::Own::new(stranger, []);
    match block_on(bench.evm.scan(&more, &safe, &bench.tip())).unwrap() {
        Scan::Found(found) => assert_eq!(found.len(), 1),
        Scan::Moved => panic!("moved"),
    }
}

fn failed_deposit() {
    let bench = Bench::start();
    let safe = bench.tip();
    let signed = deposit(&bench, &address(CHILD), eth(), "1", &Held::new());
    // Refuses everything.
    bench.node.set_code(&address(CHILD), "0x60006000fd");
    bench.mine();
    assert_eq!(bench.is_mined(&signed), Some(false));
    assert_eq!(bench.found(&safe), []);
}

fn pays_ether() {
    let bench = Bench::start();
    let draft = bench.draft(&order(eth(), "1.25"));
    assert_eq!((&draft.owners, &draft.holds), (&vec![path(KEY)], &vec![format!("{}/0", address(KEY))]));
    assert_eq!(draft.amount, decimal("1.25"));
    let signed = sign(&draft);
    assert_eq!(bench.look_up(&signed), Whereabouts::Unknown);
    bench.send(&signed);
    assert_eq!(bench.look_up(&signed), Whereabouts::Waiting);
    let block = bench.mine();
    let mined = Whereabouts::Mined { block, succeeded: true };
    assert_eq!(bench.look_up(&signed), mined);
    assert_eq!(bench.node.balance(CUSTOMER), ETHER * 5 / 4);
    let fee = decimal("10").to_amount(18).unwrap().checked_sub(draft.amount.to_amount(18).unwrap()).unwrap();
    let most = draft.fee.to_amount(18).unwrap();
    let left = amount(&bench.node.balance(&address(KEY)).to_string());
    assert!(left < fee && left.checked_add(most) >= Some(fee), "the fee is in what the draft says: {draft:?}");

    assert!(block_on(bench.evm.send(&signed)).is_err(), "it is mined already");
    assert_eq!(bench.look_up(&signed), mined);
    bench.node.reorganise(1);
    assert_ne!(bench.look_up(&signed), mined);
}

fn pays_tokens() {
    let bench = Bench::start();
    deposit(&bench, &address(KEY), test(), "100", &Held::new());
    bench.mine();
    let draft = bench.draft(&order(test(), "99.99"));
    assert_eq!(draft.amount, decimal("99.99"));
    let signed = sign(&draft);
    bench.send(&signed);
    bench.mine();
    assert_eq!(bench.is_mined(&signed), Some(true));
    assert_eq!((bench.node.token_balance(TOKEN, CUSTOMER), bench.node.token_balance(TOKEN, &address(KEY))), (9_999, 1));
}

fn nonces() {
    let bench = Bench::start();
    let held = |nonces: &[u64]| -> Held { nonces.iter().map(|nonce| format!("{}/{nonce}", address(KEY))).collect() };
    let next = |nonces: &[u64]| {
        let draft = block_on(bench.evm.draft(&order(eth(), "0.1"), &bench.own, &held(nonces))).unwrap();
        let hold = draft.holds[0].clone();
        (draft, hold.rsplit_once('/').unwrap().1.parse::<u64>().unwrap())
    };
    assert_eq!(next(&[]).1, 0);
    let (later, 1) = next(&[0]) else { panic!("not the one after") };
    assert_eq!(next(&[0, 2]).1, 1, "the gap");
    let later = sign(&later);
    bench.send(&later);
    bench.mine();
    assert_eq!(bench.is_mined(&later), None, "it waits for the one before it");
    assert_eq!(next(&[1]).1, 0, "what the pool holds does not count");
    let earlier = sign(&next(&[1]).0);
    bench.send(&earlier);
    bench.mine();
    assert_eq!((bench.is_mined(&earlier), bench.is_mined(&later)), (Some(true), Some(true)));
    assert_eq!(next(&[0, 1]).1, 2);
}

fn bump() {
    let bench = Bench::start();
    let order = order(eth(), "1");
    let first = bench.draft(&order);
    let (low, held) = (sign(&first), Held::from_iter(first.holds.clone()));
    bench.send(&low);
    let again = |before: &[_]| block_on(bench.evm.redraft(&order, before, Variation::Bump, &bench.own, &held));
    let second = again(std::slice::from_ref(&first)).unwrap();
    let third = again(&[first.clone(), second.clone()]).unwrap();
    assert_eq!((&third.holds, &third.amount), (&first.holds, &first.amount));
    let fee = |draft: &watcher_client::chains::Draft| draft.fee.to_amount(18).unwrap();
    let quarter_more = |before| fee(before).checked_mul(amount("5")).unwrap();
    let four = |draft| fee(draft).checked_mul(amount("4")).unwrap();
    assert!(four(&second) >= quarter_more(&first) && four(&third) >= quarter_more(&second));
    let high = sign(&third);
    bench.send(&high);
    bench.mine();
    assert_eq!((bench.is_mined(&high), bench.look_up(&low)), (Some(true), Whereabouts::Unknown));
    assert_eq!((bench.node.balance(CUSTOMER), bench.node.nonce(&address(KEY))), (ETHER, 1));
}

fn cancel() {
    let bench = Bench::start();
    let order = order(eth(), "1");
    let first = bench.draft(&order);
    bench.send(&sign(&first));
    let held = Held::from_iter(first.holds.clone());
    let before = std::slice::from_ref(&first);
    let nothing = block_on(bench.evm.redraft(&order, before, Variation::Cancel, &bench.own, &held)).unwrap();
    assert_eq!((nothing.amount.as_str(), &nothing.holds), ("0", &first.holds));
    let signed = sign(&nothing);
    bench.send(&signed);
    bench.mine();
    assert_eq!(bench.is_mined(&signed), Some(true));
    assert_eq!((bench.node.balance(CUSTOMER), bench.node.nonce(&address(KEY))), (0, 1));
}

fn reverted() {
    let bench = Bench::start();
    let signed = bench.pay(&order(eth(), "1"));
    bench.node.set_code(CUSTOMER, "0x60006000fd");
    let block = bench.mine();
    assert_eq!(bench.look_up(&signed), Whereabouts::Mined { block, succeeded: false });
}

fn impossible_now() {
    let bench = Bench::start();
    let draft = |order: &Order| block_on(bench.evm.draft(order, &bench.own, &Held::new()));
    for (order, of) in [(order(eth(), "10"), "ETH"), (order(eth(), "11"), "ETH"), (order(test(), "0.01"), "TEST")] {
        match draft(&order) {
            Err(DraftError::TooLittle { asset, missing, .. }) => assert!(asset == of && missing != "0", "{asset}"),
            other => panic!("{other:?}"),
        }
    }
    deposit(&bench, &address(CHILD), test(), "1", &Held::new());
    bench.mine();
    let all = |asset| Order { source: Source::Child(path(CHILD)), quantity: Quantity::All, ..order(asset, "1") };
    for (order, of) in [(all(eth()), "ETH"), (all(test()), "TEST")] {
        match draft(&order) {
            Err(DraftError::TooLittle { asset, .. }) => assert_eq!(asset, of, "nothing is deep enough yet"),
            other => panic!("{other:?}"),
        }
    }
    bench.mine();
    match draft(&all(test())) {
        Err(DraftError::TooLittle { asset, .. }) => assert_eq!(asset, "ETH", "tokens, but nothing for the fee"),
        other => panic!("{other:?}"),
    }

    bench.node.set_base_fee(150_000_000_000);
    bench.mine();
    match draft(&order(eth(), "1")) {
        Err(DraftError::TooDear { key, most, .. }) => assert_eq!((key, most.as_str()), ("max_fee_rate", "100")),
        other => panic!("{other:?}"),
    }
    let by_fee = chain(&bench.node, |config| {
        config.max_fee_rate = None;
        config.max_fee = amount("1000000000000000");
    });
    match block_on(by_fee.draft(&order(eth(), "1"), &bench.own, &Held::new())) {
        Err(DraftError::TooDear { key, most, .. }) => assert_eq!((key, most.as_str()), ("max_fee", "0.001")),
        other => panic!("{other:?}"),
    }
}

fn never() {
    let bench = Bench::start();
    bench.node.set_code(CUSTOMER, "0x60006000fd");
    let plain = || order(eth(), "1");
    let with_memo = Order { memo: Some("42".to_owned()), ..plain() };
    let together = Order { source: Source::Children, ..plain() };
    let of_nobody = Order { source: Source::Child(path(99)), ..plain() };
    let to_the_token = Order { destination: TOKEN.to_owned(), ..order(test(), "1") };
    let too_precise = order(test(), "1.001");
    let cases = [
        (plain(), "refuses"),
        (with_memo, "no data field"),
        (together, "together"),
        (of_nobody, "no address"),
        (to_the_token, "own contract"),
        (too_precise, "decimals"),
        (order(eth(), "0"), "pays nobody"),
    ];
    for (order, says) in cases {
        match block_on(bench.evm.draft(&order, &bench.own, &Held::new())) {
            Err(DraftError::Never(why)) => assert!(why.contains(says), "{why}"),
            other => panic!("{says}: {other:?}"),
        }
    }
}

fn node_gone() {
    let Bench { node, evm, own } = Bench::start();
    let signed = sign(&block_on(evm.draft(&order(eth(), "1"), &own, &Held::new())).unwrap());
    drop(node);
    let gone = |result: Result<(), NodeError>| matches!(result, Err(NodeError::NotReachable { .. }));
    let nowhere = Block { height: 1, hash: format!("0x{}", "00".repeat(32)) };
    let before = Block { height: 0, ..nowhere.clone() };
    assert!(gone(block_on(evm.check())));
    assert!(gone(block_on(evm.tip()).map(|_| ())));
    assert!(gone(block_on(evm.scan(&own, &before, &nowhere)).map(|_| ())));
    assert!(gone(block_on(evm.send(&signed))));
    assert!(gone(block_on(evm.look_up(&signed.txid)).map(|_| ())));
    match block_on(evm.draft(&order(eth(), "1"), &own, &Held::new())) {
        Err(DraftError::Node(error)) => assert!(gone(Err(error))),
        other => panic!("{other:?}"),
    }
}
