//! The disk through the kernel: what was synced stays, what was not is gone, and faults come as told.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::FileExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use faulty_disk::{Call, Errno, Fault, FaultyDisk, Unsynced};
use tempfile::TempDir;

struct Bench {
    disk: FaultyDisk,
    at: TempDir,
}

impl Bench {
    fn new() -> Self {
        let at = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::mount(at.path()).unwrap();
        Self { disk, at }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.at.path().join(name)
    }

    /// A file with these bytes, durable with its name.
    fn durable(&self, name: &str, bytes: &[u8]) -> File {
        let mut file = File::create_new(self.path(name)).unwrap();
        file.write_all(bytes).unwrap();
        file.sync_all().unwrap();
        self.sync_names();
        file
    }

    fn sync_names(&self) {
        File::open(self.at.path()).unwrap().sync_all().unwrap();
    }

    fn cut(&self, unsynced: Unsynced) {
        self.disk.cut(unsynced);
        self.disk.power_on();
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.at.path()).unwrap();
        let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn what_was_synced_stays_and_what_was_not_is_gone() {
    let bench = Bench::new();
    let mut file = bench.durable("log", b"durable");
    file.write_all(b", and lost").unwrap();
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"durable, and lost", "a process sees what it wrote");
    bench.cut(Unsynced::Dropped);
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"durable");

    let file = OpenOptions::new().write(true).open(bench.path("log")).unwrap();
    file.write_all_at(b"D", 0).unwrap();
    file.sync_data().unwrap();
    file.set_len(3).unwrap();
    bench.cut(Unsynced::Dropped);
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"Durable", "a length that was not synced is gone, too");
}

#[test]
fn a_name_is_durable_by_a_sync_of_its_directory_only() {
    let bench = Bench::new();
    let file = File::create_new(bench.path("nameless")).unwrap();
    file.sync_all().unwrap();
    fs::create_dir(bench.path("directory")).unwrap();
    bench.cut(Unsynced::Dropped);
    assert_eq!(bench.names(), [""; 0]);

    File::create_new(bench.path("empty")).unwrap().write_all(b"not synced").unwrap();
    bench.durable("removed", b"still there");
    fs::remove_file(bench.path("removed")).unwrap();
    bench.cut(Unsynced::Dropped);
    assert_eq!(bench.names(), ["empty", "removed"]);
    assert_eq!(fs::read(bench.path("empty")).unwrap(), b"");
    assert_eq!(fs::read(bench.path("removed")).unwrap(), b"still there");
}

#[test]
fn a_rename_happened_or_did_not() {
    for seed in 0..40 {
        let bench = Bench::new();
        bench.durable("state", b"old");
        bench.durable("next", b"new");
        fs::rename(bench.path("next"), bench.path("state")).unwrap();
        bench.cut(Unsynced::Torn(seed));
        match bench.names().as_slice() {
            [state] if state == "state" => assert_eq!(fs::read(bench.path("state")).unwrap(), b"new"),
            [next, state] if next == "next" && state == "state" => {
                assert_eq!(fs::read(bench.path("state")).unwrap(), b"old");
                assert_eq!(fs::read(bench.path("next")).unwrap(), b"new");
            }
            other => panic!("half a rename: {other:?}"),
        }
    }
}

#[test]
fn a_torn_write_leaves_any_part_of_what_was_not_synced_and_all_of_what_was() {
    let mut lengths = std::collections::BTreeSet::new();
    let (mut holes, mut torn) = (0, 0);
    for seed in 0..60 {
        let bench = Bench::new();
        let mut file = bench.durable("log", &[1; 5_000]);
        file.write_all(&[2; 20_000]).unwrap();
        bench.cut(Unsynced::Torn(seed));
        let left = fs::read(bench.path("log")).unwrap();
        assert!(left.len() >= 5_000 && left[..5_000] == [1; 5_000], "what was synced is touched, seed {seed}");
        let behind = &left[5_000..];
        assert!(behind.iter().all(|byte| [0, 2].contains(byte)), "seed {seed}");
        holes += usize::from(behind.contains(&0));
        torn += usize::from(!matches!(left.len(), 5_000 | 8_192 | 12_288 | 16_384 | 20_480 | 24_576 | 25_000));
        lengths.insert(left.len());

        let again = Bench::new();
        again.durable("log", &[1; 5_000]).write_all(&[2; 20_000]).unwrap();
        again.cut(Unsynced::Torn(seed));
        assert_eq!(fs::read(again.path("log")).unwrap(), left, "the same seed, another cut");
    }
    assert!(lengths.contains(&5_000) && lengths.len() > 10, "{lengths:?}");
    assert!(holes > 5 && torn > 5, "{holes} files with pages that never came, {torn} torn within a page");
}

#[test]
fn without_power_every_call_fails_and_open_files_stay_dead_to_the_past() {
    let bench = Bench::new();
    let mut file = bench.durable("log", b"1");
    bench.disk.cut(Unsynced::Dropped);
    assert!(!bench.disk.is_on());
    let failures = [
        fs::read(bench.path("log")).map(drop),
        file.write_all(b"2"),
        file.sync_data(),
        fs::read_dir(bench.at.path()).map(drop),
        fs::create_dir(bench.path("new")),
        fs::rename(bench.path("log"), bench.path("other")),
    ];
    for failure in failures {
        assert_eq!(failure.unwrap_err().raw_os_error(), Some(Errno::IO.raw_os_error()));
    }
    bench.disk.power_on();
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"1");
}

#[test]
fn a_planned_cut_comes_before_the_change_it_was_planned_for() {
    for nth in 1..=3 {
        let bench = Bench::new();
        let mut file = bench.durable("log", b"");
        bench.disk.cut_before_change(nth, Unsynced::Dropped);
        let done = [file.write_all(b"a"), file.sync_data(), file.write_all(b"b")];
        assert_eq!(done.iter().filter(|done| done.is_ok()).count() as u64, nth - 1);
        assert!(!bench.disk.is_on());
        bench.disk.power_on();
        assert_eq!(fs::read(bench.path("log")).unwrap(), if nth == 3 { b"a".as_slice() } else { b"" });
    }
}

#[test]
fn a_full_disk_takes_what_fits() {
    let bench = Bench::new();
    let mut file = bench.durable("log", b"");
    bench.disk.fill(Some(3));
    assert_eq!(file.write(b"abcdef").unwrap(), 3);
    assert_eq!(file.write(b"def").unwrap_err().kind(), ErrorKind::StorageFull);
    file.write_all_at(b"A", 0).unwrap();
    bench.disk.fill(None);
    file.write_all(b"def").unwrap();
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"Abcdef");
}

#[test]
fn calls_fail_as_told_and_as_often() {
    let bench = Bench::new();
    let mut file = bench.durable("log", b"");
    let fault = Fault { call: Call::Write, name: Some("log".to_owned()), errno: Errno::NOSPC, count: 2 };
    bench.disk.fail(fault);
    bench.durable("other", b"untouched");
    assert_eq!(file.write_all(b"1").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.write_all(b"1").unwrap_err().kind(), ErrorKind::StorageFull);
    file.write_all(b"1").unwrap();
    assert_eq!(bench.disk.failed(), 2);
}

#[test]
fn a_sync_that_failed_is_not_made_good_by_the_next_one() {
    let bench = Bench::new();
    let mut file = bench.durable("log", b"");
    bench.disk.fail(Fault { call: Call::Sync, name: None, errno: Errno::IO, count: 1 });
    file.write_all(b"1").unwrap();
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"1", "until the power is cut it can be read");
    bench.cut(Unsynced::Dropped);
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"");
}

#[test]
fn a_slow_sync_holds_up_nobody_else_and_a_cut_comes_before_its_end() {
    let bench = Bench::new();
    let mut file = bench.durable("log", b"");
    bench.disk.slow_sync(Duration::from_millis(300));
    file.write_all(b"1").unwrap();
    let begun = Instant::now();
    file.sync_data().unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));

    file.write_all(b"2").unwrap();
    let (path, changes) = (bench.path("log"), bench.disk.changes());
    let cut = std::thread::scope(|scope| {
        let syncing = scope.spawn(|| file.sync_data());
        while bench.disk.changes() == changes {
            std::thread::yield_now();
        }
        assert_eq!(fs::read(path).unwrap(), b"12");
        bench.cut(Unsynced::Dropped);
        syncing.join().unwrap()
    });
    assert!(cut.is_err(), "a sync returned 0 over a cut");
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"1");
}

#[test]
fn an_image_brings_everything_back() {
    let bench = Bench::new();
    let mut file = bench.durable("log", b"1");
    file.write_all(b"2").unwrap();
    let image = bench.disk.image();
    file.write_all(b"3").unwrap();
    bench.durable("more", b"");
    bench.disk.restore(&image);
    assert_eq!(bench.names(), ["log"]);
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"12");
    bench.cut(Unsynced::Dropped);
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"1", "what was not synced then is not synced now");
}
