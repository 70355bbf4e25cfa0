//! Withdrawals: each step durable, nothing held twice.

use super::*;

/// The signer refused, and binds nothing.
fn dropped() -> Dropped {
    Dropped { why: "limit".to_owned(), bound: false, waiting: Some(waiting("limit")) }
}

#[test]
fn the_same_id_and_content_is_the_same_withdrawal_and_other_content_a_conflict() {
    let bench = Bench::new();
    let Creation::New(made) = bench.journal.create(&id("wd-1"), CHAIN, &order("1")).unwrap() else { panic!("known") };
    assert_eq!(bench.journal.create(&id("wd-1"), CHAIN, &order("1.0")).unwrap(), Creation::Same(made));
    for (chain, amount) in [(CHAIN, "1.1"), ("litecoin", "1")] {
        let other = bench.journal.create(&id("wd-1"), chain, &order(amount));
        assert!(matches!(other, Err(JournalError::Conflict(_))), "{other:?}");
    }
    assert_eq!(bench.kinds(), [EventKind::WithdrawalCreated]);
}

#[test]
fn every_step_is_there_after_a_restart_with_the_same_bytes() {
    let bench = Bench::new();
    drafted(&bench.journal, "wd-1", &["t:0"]);
    let bench = bench.reopened();
    let Next::Sign(again) = bench.journal.next(&id("wd-1")).unwrap() else { panic!("not drafted") };
    assert_eq!((again.transaction().request_id.as_str(), &again.transaction().draft), ("wd-1", &draft(&["t:0"])));
    bench.journal.record_signed(&again, signed("tx"), Some(7)).unwrap();
    let bench = bench.reopened();
    let Next::Send(recorded) = bench.journal.next(&id("wd-1")).unwrap() else { panic!("not signed") };
    assert_eq!(recorded.signed(), &signed("tx"));
    bench.journal.record_sent(&recorded).unwrap();
    bench.journal.record_sent(&recorded).unwrap();
    bench.journal.record_mined(&id("wd-1"), "tx", mined(100)).unwrap();
    bench.journal.settle(&id("wd-1"), WithdrawalState::Confirmed, "confirmed").unwrap();
    let bench = bench.reopened();
    assert!(matches!(bench.journal.next(&id("wd-1")).unwrap(), Next::Nothing));
    assert!(bench.journal.held(CHAIN).unwrap().is_empty() && bench.journal.open_withdrawals(CHAIN).unwrap().is_empty());
    assert_eq!(
        bench.kinds(),
        [
            EventKind::WithdrawalCreated,
            EventKind::WithdrawalSigned,
            EventKind::WithdrawalSent,
            EventKind::WithdrawalMined,
            EventKind::WithdrawalConfirmed
        ]
    );
}

#[test]
fn two_withdrawals_never_use_the_same_coin_and_a_dropped_draft_frees_its_own() {
    let bench = Bench::new();
    let first = drafted(&bench.journal, "wd-1", &["t:0", "t:1"]);
    bench.journal.create(&id("wd-2"), CHAIN, &order("1")).unwrap();
    let Next::Draft(second) = bench.journal.next(&id("wd-2")).unwrap() else { panic!("drafted") };
    let taken = bench.journal.record_draft(&second, draft(&["t:2", "t:1"]));
    assert!(matches!(&taken, Err(JournalError::Conflict(why)) if why.contains("wd-1")), "{taken:?}");
    assert_eq!(bench.journal.held(CHAIN).unwrap().len(), 2, "nothing of the failed one is left");
    bench.journal.drop_draft(&first, &dropped()).unwrap();
    assert!(bench.journal.held(CHAIN).unwrap().is_empty());
    bench.journal.record_draft(&second, draft(&["t:2", "t:1"])).unwrap();
    assert_eq!(bench.journal.withdrawal(&id("wd-1")).unwrap().waiting.unwrap().why, "limit");
    assert!(matches!(bench.journal.next(&id("wd-1")).unwrap(), Next::Draft(_)));
}

#[test]
fn what_was_dropped_or_overtaken_is_not_signed_into_the_journal() {
    let bench = Bench::new();
    let old = drafted(&bench.journal, "wd-1", &["t:0"]);
    bench.journal.drop_draft(&old, &dropped()).unwrap();
    let late = bench.journal.record_signed(&old, signed("tx"), None);
    assert!(matches!(late, Err(JournalError::Conflict(_))), "{late:?}");
    assert!(matches!(bench.journal.next(&id("wd-1")).unwrap(), Next::Draft(_)));
}

#[test]
fn a_bump_keeps_what_it_replaces_held_until_the_end() {
    let bench = Bench::new();
    sent(&bench.journal, "wd-1", &["t:0"], "tx");
    bench.journal.wish(&id("wd-1"), Wish::Bump).unwrap();
    let Next::Vary(recorded, Wish::Bump) = bench.journal.next(&id("wd-1")).unwrap() else { panic!("no wish") };
    let bumped = bench.journal.record_variant(&recorded, Wish::Bump, draft(&["t:0", "t:1"])).unwrap();
    assert_eq!(bumped.transaction().request_id.as_str(), "wd-1:1");
    assert_eq!(bumped.replaces().unwrap().request_id.as_str(), "wd-1");
    bench.journal.drop_draft(&bumped, &dropped()).unwrap();
    assert_eq!(bench.journal.held(CHAIN).unwrap().into_iter().collect::<Vec<_>>(), ["t:0"]);
    assert!(matches!(bench.journal.next(&id("wd-1")).unwrap(), Next::Send(_)), "the first one is still sent");
}

#[test]
fn a_cancellation_wished_for_while_the_signer_is_asked_is_not_forgotten() {
    let bench = Bench::new();
    let first = drafted(&bench.journal, "wd-1", &["t:0"]);
    bench.journal.wish(&id("wd-1"), Wish::Cancel).unwrap();
    bench.journal.drop_draft(&first, &dropped()).unwrap();
    assert_eq!(bench.journal.withdrawal(&id("wd-1")).unwrap().state, WithdrawalState::Cancelled);
    assert!(matches!(bench.journal.next(&id("wd-1")).unwrap(), Next::Nothing), "nobody is paid");

    sent(&bench.journal, "wd-2", &["u:0"], "tx");
    bench.journal.wish(&id("wd-2"), Wish::Bump).unwrap();
    let Next::Vary(recorded, wish) = bench.journal.next(&id("wd-2")).unwrap() else { panic!("no wish") };
    bench.journal.wish(&id("wd-2"), Wish::Cancel).unwrap();
    let bumped = bench.journal.record_variant(&recorded, wish, draft(&["u:0"])).unwrap();
    bench.journal.record_signed(&bumped, signed("tx1"), None).unwrap();
    assert!(matches!(bench.journal.next(&id("wd-2")).unwrap(), Next::Vary(_, Wish::Cancel)));
}

#[test]
fn a_mined_withdrawal_takes_no_wish_until_a_reorganisation_takes_its_block() {
    let bench = Bench::new();
    sent(&bench.journal, "wd-1", &["t:0"], "tx");
    bench.journal.record_mined(&id("wd-1"), "tx", mined(100)).unwrap();
    assert!(matches!(bench.journal.wish(&id("wd-1"), Wish::Cancel), Err(JournalError::Refused(_))));
    bench.journal.record_mined(&id("wd-1"), "tx", None).unwrap();
    assert_eq!(bench.journal.wish(&id("wd-1"), Wish::Cancel).unwrap().wish, Some(Wish::Cancel));
}

#[test]
fn waiting_is_told_once_for_each_reason() {
    let bench = Bench::new();
    bench.journal.create(&id("wd-1"), CHAIN, &order("1")).unwrap();
    for why in ["too dear", "too dear", "limit", "limit"] {
        bench.journal.wait(&id("wd-1"), waiting(why)).unwrap();
    }
    let waits = bench.kinds().into_iter().filter(|kind| *kind == EventKind::WithdrawalWaiting);
    assert_eq!(waits.count(), 2);
}

#[test]
fn a_higher_fee_asked_for_during_a_cancellation_does_not_bring_the_payment_back() {
    let bench = Bench::new();
    sent(&bench.journal, "wd-1", &["t:0"], "tx");
    bench.journal.wish(&id("wd-1"), Wish::Cancel).unwrap();
    assert!(matches!(bench.journal.wish(&id("wd-1"), Wish::Bump), Err(JournalError::Refused(_))));
    let Next::Vary(recorded, Wish::Cancel) = bench.journal.next(&id("wd-1")).unwrap() else { panic!("forgotten") };
    let cancelled = bench.journal.record_variant(&recorded, Wish::Cancel, draft(&["t:0"])).unwrap();
    bench.journal.record_signed(&cancelled, signed("tx1"), None).unwrap();
    assert!(matches!(bench.journal.wish(&id("wd-1"), Wish::Bump), Err(JournalError::Refused(_))));
    assert_eq!(bench.journal.wish(&id("wd-1"), Wish::Cancel).unwrap().wish, Some(Wish::Cancel), "a dearer one");
}

#[test]
fn what_another_signed_meanwhile_is_not_dropped() {
    let bench = Bench::new();
    let seen = drafted(&bench.journal, "wd-1", &["t:0"]);
    bench.journal.record_signed(&seen, signed("tx"), None).unwrap();
    assert!(matches!(bench.journal.drop_draft(&seen, &dropped()), Err(JournalError::Conflict(_))));
    assert!(matches!(bench.journal.next(&id("wd-1")).unwrap(), Next::Send(_)));
}

#[test]
fn a_transaction_that_paid_one_withdrawal_is_not_taken_in_as_the_payment_of_another() {
    let bench = Bench::new();
    sent(&bench.journal, "wd-1", &["t:0"], "tx");
    bench.journal.record_mined(&id("wd-1"), "tx", mined(100)).unwrap();
    let mut other = bench.journal.settle(&id("wd-1"), WithdrawalState::Confirmed, "confirmed").unwrap();
    assert!(matches!(bench.journal.import(&other, &signed("tx")).unwrap(), Imported::Known(_)));
    other.id = id("wd-9");
    assert!(matches!(bench.journal.import(&other, &signed("tx")), Err(JournalError::Conflict(_))));
}

#[test]
fn what_a_withdrawal_uses_is_held_until_it_is_settled() {
    let bench = Bench::new();
    sent(&bench.journal, "wd-1", &["t:0"], "tx");
    assert!(bench.journal.held(CHAIN).unwrap().contains("t:0"), "sent");
    bench.journal.record_mined(&id("wd-1"), "tx", mined(100)).unwrap();
    assert!(bench.journal.held(CHAIN).unwrap().contains("t:0"), "mined");
    bench.journal.settle(&id("wd-1"), WithdrawalState::Confirmed, "confirmed").unwrap();
    assert!(bench.journal.held(CHAIN).unwrap().is_empty());
}
