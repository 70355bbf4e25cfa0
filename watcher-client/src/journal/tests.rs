//! The journal by itself.

use super::{
    testing::{CHAIN, block, draft, drafted, id, observation, observe, order, own, sent, sighting, signed},
    *,
};

mod chains;
mod golden;
mod withdrawals;

/// A journal in a folder of its own.
struct Bench {
    journal: Journal,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { journal: Journal::open(&folder.path().join("journal")).unwrap(), folder }
    }

    /// As after the process was killed.
    fn reopened(self) -> Self {
        let Self { journal, folder } = self;
        drop(journal);
        Self { journal: Journal::open(&folder.path().join("journal")).unwrap(), folder }
    }

    fn kinds(&self) -> Vec<EventKind> {
        self.journal.events(0, 1_000).unwrap().into_iter().map(|event| event.kind).collect()
    }

    fn deposits(&self) -> Vec<(String, DepositState)> {
        let found = self.journal.deposits(None, 0, 100).unwrap();
        found.into_iter().map(|deposit| (deposit.id, deposit.state)).collect()
    }
}

fn waiting(why: &str) -> Waiting {
    Waiting { why: why.to_owned(), code: None, since: now(), attempts: 1, again_at_ms: 0 }
}

fn mined(height: u64) -> Option<Mined> {
    Some(Mined { block: block(height, "a"), succeeded: true })
}

#[test]
fn one_process_has_the_journal_and_another_file_is_none() {
    let bench = Bench::new();
    let file = bench.folder.path().join("journal");
    assert!(matches!(Journal::open(&file), Err(JournalError::Held { .. })));
    let other = bench.folder.path().join("other");
    std::fs::write(&other, "something else").unwrap();
    assert!(matches!(Journal::open(&other), Err(JournalError::Open { .. })));
    assert_eq!(std::fs::read(&other).unwrap(), b"something else", "it is left as it was");
}

#[test]
fn a_journal_of_a_newer_version_is_refused_in_one_sentence_and_left_as_it_is() {
    let Bench { journal, folder } = Bench::new();
    let file = folder.path().join("journal");
    journal.create(&id("wd-1"), CHAIN, &order("1")).unwrap();
    journal
        .write(|pages| {
            let mut meta = pages.transaction.open_table(tables::META)?;
            meta.insert("format", b"chancery watcher journal 2".as_slice())?;
            meta.insert("version", b"0.3.0".as_slice())?;
            Ok(())
        })
        .unwrap();
    drop(journal);
    let before = std::fs::read(&file).unwrap();
    let refused = Journal::open(&file).unwrap_err();
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(
        refused.to_string(),
        format!(
            "the journal {} is not opened: it was written by chancery-watcher 0.3.0 (format 2), and this is \
             chancery-watcher {own}, which reads up to format 1: install chancery-watcher 0.3.0 or later; nothing was \
             changed",
            file.display()
        )
    );
    assert!(std::fs::read(&file).unwrap() == before, "it was changed");
}

#[test]
fn a_file_that_is_no_journal_of_a_watcher_is_told_from_a_newer_one() {
    let bench = Bench::new();
    let file = bench.folder.path().join("journal");
    for name in ["something else", "chancery watcher journal x", "chancery watcher journal 0"] {
        let found = check_format(&file, Some(name.as_bytes()), None);
        assert!(matches!(found, Err(JournalError::OtherFormat { .. })), "{name}");
    }
    assert!(check_format(&file, Some(FORMAT), None).is_ok() && check_format(&file, None, None).is_ok());
}

#[test]
fn events_go_on_after_a_restart_without_gaps_and_followers_hear_of_each() {
    let bench = Bench::new();
    let news = bench.journal.follow();
    bench.journal.create(&id("wd-1"), CHAIN, &order("1")).unwrap();
    assert_eq!(*news.borrow(), 1);
    drop(news);
    let bench = bench.reopened();
    assert_eq!(*bench.journal.follow().borrow(), 1);
    bench.journal.create(&id("wd-2"), CHAIN, &order("1")).unwrap();
    let numbers: Vec<u64> = bench.journal.events(0, 10).unwrap().iter().map(|event| event.number).collect();
    assert_eq!(numbers, [1, 2]);
    bench.journal.move_cursor("http://a/", 1).unwrap();
    let bench = bench.reopened();
    assert_eq!((bench.journal.cursor("http://a/").unwrap(), bench.journal.cursor("http://b/").unwrap()), (1, 0));
}
