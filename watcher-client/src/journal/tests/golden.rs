//! A journal of each format, made once by the version of its day: today's reads the same of it, and goes on with it.
//!
//! `UPDATE=1` makes that of today's format where there is none; what is there is never overwritten.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use appliance_wire::sha256_hex;
use serde_json::{Value, json};

use super::*;

/// Files `journal-N`, and beside each what it says.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn gzip(options: &str, file: &Path) -> Vec<u8> {
    let output = Command::new("gzip").arg(options).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
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

/// Makes the one of today's format.
fn make(folder: &Path) {
    let bench = Bench::new();
    fill(&bench.journal);
    let told = told(&bench.journal).to_string();
    let Bench { journal, folder: made } = bench;
    drop(journal);
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("journal-1.json"), told + "\n").unwrap();
    fs::write(folder.join("journal-1.gz"), gzip("-9nc", &made.path().join("journal"))).unwrap();
}

#[test]
fn a_journal_of_every_format_is_read_as_it_was_and_gone_on_with() {
    let folder = golden();
    if std::env::var_os("UPDATE").is_some() && !folder.join("journal-1.gz").exists() {
        make(&folder);
    }
    let kept = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<PathBuf> = kept.filter(|path| path.extension().is_some_and(|kind| kind == "gz")).collect();
    assert!(!kept.is_empty(), "no journal in {}: `UPDATE=1` makes it", folder.display());
    for packed in kept {
        let copy = tempfile::tempdir().unwrap();
        let file = copy.path().join("journal");
        fs::write(&file, gzip("-dc", &packed)).unwrap();
        let journal = Journal::open(&file).unwrap();
        let before: Value = serde_json::from_slice(&fs::read(packed.with_extension("json")).unwrap()).unwrap();
        let now = told(&journal);
        for (part, before) in before.as_object().unwrap() {
            assert_eq!(now[part], *before, "{part} of {}", packed.display());
        }
        go_on(&journal);
    }
}

/// The same bytes are asked for and sent again, ids stay bound, and more follows.
fn go_on(journal: &Journal) {
    let Next::Sign(again) = journal.next(&id("wd-drafted")).unwrap() else { panic!("not drafted") };
    assert_eq!(again.transaction().draft, draft(&["t:0"]));
    let Next::Send(recorded) = journal.next(&id("wd-signed")).unwrap() else { panic!("not signed") };
    assert_eq!(recorded.signed(), &signed("tx-1"));
    journal.record_sent(&recorded).unwrap();
    let taken = journal.create(&id("wd-wanted"), CHAIN, &order("2"));
    assert!(matches!(taken, Err(JournalError::Conflict(_))), "{taken:?}");
    sent(journal, "wd-of-today", &["t:9"], "tx-9");
}

#[test]
fn golden_journals_are_never_changed() {
    for line in fs::read_to_string(golden().join("SHA256SUMS")).unwrap().lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        let found = sha256_hex(&fs::read(golden().join(name)).unwrap());
        assert_eq!(found, sum, "{name}: a golden journal is not changed, another is added");
    }
}
