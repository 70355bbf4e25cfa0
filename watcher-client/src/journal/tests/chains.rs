//! Deposits, addresses, and what a reorganisation does to both.

use appliance_wire::Amount;

use super::{
    super::testing::{address, asset, tip},
    *,
};
use crate::chains::{Order, Sighting, Source};

fn at(height: u64) -> Vec<Sighting> {
    vec![sighting("t1", 1, Some(block(height, "a")))]
}

#[test]
fn a_deposit_is_pending_then_creditable_and_removed_when_its_block_is_gone() {
    let bench = Bench::new();
    let mut waits = observation(100, 101, "a", Vec::new());
    waits.pending = Some(vec![sighting("t1", 1, None)]);
    observe(&bench.journal, &waits);
    observe(&bench.journal, &observation(100, 102, "a", at(102)));
    assert_eq!(bench.deposits(), [("t1:0".to_owned(), DepositState::Pending)]);
    observe(&bench.journal, &observation(100, 103, "a", at(102)));
    assert_eq!(bench.deposits(), [("t1:0".to_owned(), DepositState::Pending)], "2 of 3 confirmations");
    observe(&bench.journal, &observation(100, 104, "a", at(102)));
    assert_eq!(bench.deposits(), [("t1:0".to_owned(), DepositState::Creditable)]);
    observe(&bench.journal, &observation(100, 105, "b", Vec::new()));
    assert_eq!(bench.deposits(), [("t1:0".to_owned(), DepositState::Removed)]);
    observe(&bench.journal, &observation(100, 106, "b", vec![sighting("t1", 1, Some(block(106, "b")))]));
    assert_eq!(bench.deposits(), [("t1:0".to_owned(), DepositState::Pending)], "it came again");
    use EventKind::*;
    let wanted = [DepositPending, DepositPending, DepositCreditable, DepositRemoved, DepositPending];
    assert_eq!(bench.kinds(), wanted);
}

#[test]
fn a_deposit_seen_twice_is_one_deposit_also_after_a_restart() {
    let bench = Bench::new();
    for _ in 0..3 {
        observe(&bench.journal, &observation(100, 104, "a", at(102)));
    }
    let bench = bench.reopened();
    let mut both = observation(100, 104, "a", at(102));
    both.pending = Some(vec![sighting("t1", 1, None)]);
    observe(&bench.journal, &both);
    assert_eq!(bench.kinds(), [EventKind::DepositCreditable]);
    assert_eq!(bench.journal.deposits(None, 1, 10).unwrap(), [], "nothing after its cursor");
}

#[test]
fn a_deposit_above_the_blocks_that_were_read_is_left_alone() {
    let bench = Bench::new();
    observe(&bench.journal, &observation(100, 110, "a", at(108)));
    let mut window = observation(100, 105, "a", Vec::new());
    (window.pending, window.tip) = (None, tip(110, "a"));
    observe(&bench.journal, &window);
    assert_eq!(bench.deposits(), [("t1:0".to_owned(), DepositState::Creditable)]);
    observe(&bench.journal, &observation(100, 107, "b", Vec::new()));
    assert_eq!(bench.deposits()[0].1, DepositState::Removed, "the chain now ends before its block");
}

#[test]
fn what_is_settled_is_not_looked_for_any_more() {
    let bench = Bench::new();
    let mut deep = observation(100, 104, "a", at(102));
    deep.safe = Some(block(102, "a"));
    observe(&bench.journal, &deep);
    observe(&bench.journal, &observation(102, 105, "a", Vec::new()));
    assert_eq!(bench.deposits(), [("t1:0".to_owned(), DepositState::Creditable)]);
    assert_eq!(bench.journal.chain(CHAIN).unwrap().safe, Some(block(102, "a")));
    assert_eq!(bench.journal.counts(CHAIN).unwrap().pending_deposits, 0);
}

#[test]
fn sweeps_and_change_are_no_deposits_and_a_payout_to_a_child_is_one() {
    let bench = Bench::new();
    let sweep = Order { source: Source::Children, ..order("1") };
    let sweep = bench.journal.create_own(Purpose::Sweep, CHAIN, &sweep).unwrap();
    assert_eq!(sweep.id.as_str(), "sweep:bitcoin:1");
    let Next::Draft(undrafted) = bench.journal.next(&sweep.id).unwrap() else { panic!("drafted") };
    let drafted = bench.journal.record_draft(&undrafted, draft(&["t:0"])).unwrap();
    bench.journal.record_signed(&drafted, signed("swept"), None).unwrap();
    sent(&bench.journal, "wd-1", &["u:0"], "paid");
    let change = Sighting { id: "paid:1".to_owned(), address: "key".to_owned(), ..sighting("paid", 0, None) };
    let mut seen = observation(100, 104, "a", Vec::new());
    seen.pending = Some(vec![sighting("swept", 1, None), sighting("paid", 2, None), change]);
    observe(&bench.journal, &seen);
    assert_eq!(bench.deposits(), [("paid:0".to_owned(), DepositState::Pending)]);
}

#[test]
fn coins_and_addresses_that_are_not_ours_are_passed_over() {
    let bench = Bench::new();
    let strange = Sighting { address: "stranger".to_owned(), ..sighting("t1", 1, None) };
    let token = Sighting { asset: "USDC".to_owned(), amount: Amount::MAX, ..sighting("t2", 1, None) };
    let mut seen = observation(100, 104, "a", Vec::new());
    seen.pending = Some(vec![strange, token]);
    observe(&bench.journal, &seen);
    assert_eq!(bench.deposits(), []);
}

#[test]
fn a_deposit_carries_the_name_its_address_was_given_out_under() {
    let bench = Bench::new();
    bench.journal.add_addresses(CHAIN, &[address(Some(1))]).unwrap();
    assert!(bench.journal.assign(CHAIN, "customer-991").is_err(), "nobody looks for deposits");
    bench.journal.begin_chain(CHAIN, &block(100, "a")).unwrap();
    let given = bench.journal.assign(CHAIN, "customer-991").unwrap();
    assert_eq!(given.address, "child-1");
    observe(&bench.journal, &observation(100, 102, "a", at(102)));
    let deposit = bench.journal.deposits(None, 0, 1).unwrap().remove(0);
    assert_eq!(deposit.assigned_to.as_deref(), Some("customer-991"));
    assert_eq!(deposit.amount.to_string(), "1");
}

#[test]
fn a_name_gets_one_address_for_ever_and_no_address_two_names() {
    let bench = Bench::new();
    bench.journal.begin_chain(CHAIN, &block(100, "a")).unwrap();
    assert!(matches!(bench.journal.assign(CHAIN, "a"), Err(JournalError::Refused(_))));
    let children = [address(Some(0)), address(Some(1)), address(None)];
    bench.journal.add_addresses(CHAIN, &children).unwrap();
    assert_eq!(bench.journal.pool(CHAIN).unwrap(), PoolStanding { free: 2, last_child: Some(1) });
    let first = bench.journal.assign(CHAIN, "a").unwrap();
    bench.journal.add_addresses(CHAIN, &children).unwrap();
    let bench = bench.reopened();
    assert_eq!(bench.journal.assign(CHAIN, "a").unwrap(), first);
    assert_ne!(bench.journal.assign(CHAIN, "b").unwrap().address, first.address);
    assert!(bench.journal.assign(CHAIN, "c").is_err() && bench.journal.assign("litecoin", "a").is_err());
    assert_eq!(bench.journal.pool(CHAIN).unwrap(), PoolStanding { free: 0, last_child: Some(1) });
    let names: Vec<String> =
        bench.journal.assigned(CHAIN, Some("a"), 10).unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["b"]);
    assert_eq!(bench.journal.addresses(CHAIN).unwrap().len(), 2);
}

#[test]
fn a_payment_to_the_key_itself_is_of_the_name_in_its_memo() {
    let bench = Bench::new();
    let key = KeyAddress {
        address: "key".to_owned(),
        public_key: crate::testing::ecdsa_public_key(1).to_string(),
        algorithm: hsm_types::Algorithm::Secp256k1,
    };
    let label = "btc-hot".parse().unwrap();
    let early = bench.journal.assign_memo(CHAIN, "customer-991", &label);
    assert!(matches!(early, Err(JournalError::Refused(_))), "nobody knows the address");
    bench.journal.keep_key(CHAIN, &key).unwrap();
    let early = bench.journal.assign_memo(CHAIN, "customer-991", &label);
    assert!(matches!(early, Err(JournalError::Refused(_))), "nobody looks for deposits");
    bench.journal.begin_chain(CHAIN, &block(100, "a")).unwrap();
    let given = bench.journal.assign_memo(CHAIN, "customer-991", &label).unwrap();
    assert_eq!((given.address.as_str(), given.memo.as_deref()), ("key", Some("customer-991")));
    assert_eq!(given.key, address(None).path);
    let bench = bench.reopened();
    assert_eq!(bench.journal.assign_memo(CHAIN, "customer-991", &label).unwrap(), given);
    bench.journal.assign_memo(CHAIN, "customer-992", &label).unwrap();
    assert_eq!(bench.journal.memos(CHAIN, None, 1).unwrap(), [given]);
    assert_eq!(bench.journal.memos(CHAIN, Some("customer-991"), 9).unwrap()[0].name, "customer-992");
    assert_eq!(bench.journal.memos("bitcoi", None, 9).unwrap(), []);

    let paid = |txid: &str, memo: Option<&str>| Sighting {
        address: "key".to_owned(),
        memo: memo.map(str::to_owned),
        ..sighting(txid, 1, Some(block(101, "a")))
    };
    // A child is its own, whatever the payer writes.
    let child = Sighting { memo: Some("customer-991".to_owned()), ..sighting("t4", 1, Some(block(101, "a"))) };
    let found = vec![paid("t1", Some("customer-991")), paid("t2", Some("customer-99")), paid("t3", None), child];
    observe(&bench.journal, &observation(100, 104, "a", found));
    let deposits = bench.journal.deposits(None, 0, 9).unwrap();
    let mut names: Vec<_> = deposits.iter().map(|one| (one.txid.as_str(), one.assigned_to.as_deref())).collect();
    names.sort_unstable();
    assert_eq!(names, [("t1", Some("customer-991")), ("t2", None), ("t3", None), ("t4", None)]);
    assert!(deposits.iter().all(|one| one.state == DepositState::Creditable));
}

#[test]
fn after_a_deep_reorganisation_everything_after_the_block_is_looked_at_again() {
    let bench = Bench::new();
    let mut deep = observation(100, 104, "a", at(102));
    deep.safe = Some(block(102, "a"));
    observe(&bench.journal, &deep);
    for (name, hold, txid, height) in [("wd-1", "t:0", "tx1", 100), ("wd-2", "t:1", "tx2", 102)] {
        sent(&bench.journal, name, &[hold], txid);
        bench.journal.record_mined(&id(name), txid, mined(height)).unwrap();
        bench.journal.settle(&id(name), WithdrawalState::Confirmed, "confirmed").unwrap();
    }
    assert!(matches!(bench.journal.resume_chain(CHAIN, &block(101, "a")), Err(JournalError::Refused(_))));
    bench.journal.raise_alarm(CHAIN, "deep").unwrap();
    bench.journal.raise_alarm(CHAIN, "deeper").unwrap();
    assert_eq!(bench.journal.chain(CHAIN).unwrap().alarm.unwrap().what, "deep", "told once");
    // Its coin is another's meanwhile: that holds nobody up.
    drafted(&bench.journal, "wd-3", &["t:1"]);

    bench.journal.resume_chain(CHAIN, &block(101, "a")).unwrap();
    let books = bench.journal.chain(CHAIN).unwrap();
    assert_eq!((books.alarm, books.safe), (None, Some(block(101, "a"))));
    assert_eq!(bench.journal.open_withdrawals(CHAIN).unwrap(), [id("wd-2"), id("wd-3")]);
    assert!(matches!(bench.journal.next(&id("wd-2")).unwrap(), Next::Send(_)));
    bench.journal.observe(CHAIN, &own(), &[asset()], &observation(101, 106, "b", Vec::new())).unwrap();
    assert_eq!(bench.deposits(), [("t1:0".to_owned(), DepositState::Removed)]);
    bench.journal.settle(&id("wd-2"), WithdrawalState::Failed, "gone").unwrap();
    assert!(bench.journal.held(CHAIN).unwrap().contains("t:1"), "wd-3 keeps its own");
}

#[test]
fn an_address_that_was_paid_is_given_to_nobody_else() {
    let bench = Bench::new();
    bench.journal.begin_chain(CHAIN, &block(100, "a")).unwrap();
    bench.journal.add_addresses(CHAIN, &[address(Some(1)), address(Some(2))]).unwrap();
    observe(&bench.journal, &observation(100, 102, "a", at(102)));
    assert_eq!(bench.journal.assign(CHAIN, "bob").unwrap().address, "child-2");
}
