//! A journal of each format, made once by the version of its day: today's reads the same of it, and goes on with it.
//!
//! `UPDATE=1` makes that of today's format where there is none; what is there is never overwritten.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::*;
use crate::chains::Block;

/// Files `journal-N`, and beside each what it says.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Of every state something, and of every table.
fn fill(journal: &Journal) {
    journal.begin_chain(CHAIN, &block(100, "a")).unwrap();
    journal.add_addresses(CHAIN, &[testing::address(Some(3)), testing::address(Some(4))]).unwrap();
    journal.assign(CHAIN, "customer-1").unwrap();
    journal.create(&id("wd-wanted"), CHAIN, &order("1")).unwrap();
    drafted(journal, "wd-drafted", &["t:0"]);
    let signing = drafted(journal, "wd-signed", &["t:1"]);
    journal.record_signed(&signing, signed("tx-1"), Some(7)).unwrap();
    sent(journal, "wd-sent", &["t:2"], "tx-2");
    sent(journal, "wd-mined", &["t:3"], "tx-3");
    journal.record_mined(&id("wd-mined"), "tx-3", mined(103)).unwrap();
    sent(journal, "wd-confirmed", &["t:4"], "tx-4");
    journal.record_mined(&id("wd-confirmed"), "tx-4", mined(101)).unwrap();
    journal.settle(&id("wd-confirmed"), WithdrawalState::Confirmed, "confirmed").unwrap();
    journal.create(&id("wd-cancelled"), CHAIN, &order("2")).unwrap();
    journal.wish(&id("wd-cancelled"), Wish::Cancel).unwrap();
    let found = vec![sighting("t1", 1, Some(block(102, "a"))), sighting("t2", 2, Some(block(104, "a")))];
    observe(journal, &observation(100, 104, "a", found));
    journal.move_cursor("http://receiver/", 3).unwrap();
}

/// Everything a flow or a backend asks of it.
fn told(journal: &Journal) -> Value {
    let withdrawals = journal.withdrawals(&Filter::default(), 100).unwrap();
    json!({
        "held": journal.held(CHAIN).unwrap(),
        "open": journal.open_withdrawals(CHAIN).unwrap(),
        "deposits": journal.deposits(None, 0, 100).unwrap(),
        "events": journal.events(0, 100).unwrap(),
        "cursor": journal.cursor("http://receiver/").unwrap(),
        "addresses": journal.addresses(CHAIN).unwrap().into_iter().map(|own| own.address).collect::<Vec<_>>(),
        "assigned": journal.assigned(CHAIN, None, 100).unwrap(),
        "pool": journal.pool(CHAIN).unwrap(),
        "chain": journal.chain(CHAIN).unwrap(),
        "withdrawals": withdrawals,
    })
}

#[test]
fn a_journal_of_every_format_is_read_as_it_was_and_gone_on_with() {
    let (folder, today) = (golden(), golden().join("journal-1"));
    if std::env::var_os("UPDATE").is_some() && !today.exists() {
        let bench = Bench::new();
        fill(&bench.journal);
        let told = serde_json::to_string_pretty(&told(&bench.journal)).unwrap();
        let Bench { journal, folder: made } = bench;
        drop(journal);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("journal-1.json"), told + "\n").unwrap();
        fs::copy(made.path().join("journal"), &today).unwrap();
    }
    let mut judged = 0;
    for kept in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if kept.extension().is_some() {
            continue;
        }
        let copy = tempfile::tempdir().unwrap();
        let file = copy.path().join("journal");
        fs::copy(&kept, &file).unwrap();
        let journal = Journal::open(&file).unwrap();
        let before: Value = serde_json::from_slice(&fs::read(kept.with_extension("json")).unwrap()).unwrap();
        let now = told(&journal);
        for (part, before) in before.as_object().unwrap() {
            assert_eq!(now[part], *before, "{part} of {}", kept.display());
        }
        // The same bytes are asked for and sent again, and it goes on.
        let Next::Sign(again) = journal.next(&id("wd-drafted")).unwrap() else { panic!("not drafted") };
        assert_eq!(again.transaction().draft, draft(&["t:0"]));
        let Next::Send(recorded) = journal.next(&id("wd-signed")).unwrap() else { panic!("not signed") };
        assert_eq!(recorded.signed(), &signed("tx-1"));
        journal.record_sent(&recorded).unwrap();
        let taken = journal.create(&id("wd-wanted"), CHAIN, &order("2"));
        assert!(matches!(taken, Err(JournalError::Conflict(_))), "{taken:?}");
        sent(&journal, "wd-of-today", &["t:9"], "tx-9");
        let read_up_to = journal.chain(CHAIN).unwrap();
        assert!(format!("{read_up_to:?}").contains(&format!("{:?}", Block { height: 104, hash: "a104".to_owned() })));
        judged += 1;
    }
    assert!(judged > 0, "no journal in {}: `UPDATE=1` makes it", folder.display());
}
