//! Entries that left the store for the archive: everything is answered as before, and what is wrong there is told.

use std::{fs, os::unix::process::ExitStatusExt, process::Output};

use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    export::{contents, sign, wait_for_checkpoint},
    harness::{Installation, body::digest, eventually, long_log, trial, watcher::Watcher},
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("archive::what_was_archived_is_answered_and_proven_as_before_and_comes_back", whole),
        trial("archive::an_archived_log_and_its_archive_verify_and_repeat_old_answers", verifies),
        trial("archive::a_long_log_starts_from_its_end_without_what_is_archived", long),
        trial("archive::without_its_archive_old_answers_are_told_to_be_away_and_new_ones_are_signed", away),
        trial("archive::a_damaged_archive_is_told_and_never_used", damaged),
        trial("archive::killed_as_the_stores_change_places_it_starts_whole_either_way", killed),
        trial("archive::what_cannot_be_archived_is_refused_and_changes_nothing", refused),
    ]
}

const ENTRIES: u64 = 3_000;
/// Full bundles of what 1,000 entries are not kept of.
const BORDER: u64 = 1_792;

/// With a log of `entries` that was served and stopped, and an archive to come.
fn served(entries: u64) -> Installation {
    let installation = Installation::new();
    long_log::grow(&installation, entries);
    configure(&installation);
    let running = installation.start();
    wait_for_checkpoint(&installation);
    running.stop();
    installation
}

fn configure(installation: &Installation) {
    installation.edit_config(|config| config.replace("[state]\n", "[state]\narchive_directory = \"archive\"\n"));
}

fn chancery(installation: &Installation, arguments: &[&str]) -> (i32, String) {
    let Output { status, stderr, .. } = installation.command("chancery", arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

const ARCHIVE: [&str; 5] = ["audit", "archive", "--json", "--keep", "1000"];

fn archive(installation: &Installation) -> Value {
    serde_json::from_slice(&installation.run("chancery", &ARCHIVE).stdout).unwrap()
}

/// What is told of entries on both sides of the border, of every bundle.
fn seen(watcher: &Watcher) -> Vec<Value> {
    let mut seen = Vec::new();
    for index in (100..ENTRIES).step_by(77).chain(BORDER - 3..BORDER + 3) {
        let mut stored = watcher.get(&format!("/v1/signatures/{}", long_log::request_id(index))).good();
        stored.as_object_mut().unwrap().remove("receipt"); // of the newest checkpoint
        seen.push(stored);
        seen.push(watcher.get(&format!("/v1/log/entries/{index}")).good());
        seen.push(watcher.get(&format!("/v1/log/proof/inclusion?index={index}&size={ENTRIES}")).good());
        seen.push(watcher.get(&format!("/v1/log/proof/consistency?from={index}&to={ENTRIES}")).good());
    }
    seen
}

fn seen_at_a_start(installation: &Installation) -> Vec<Value> {
    let running = installation.start();
    let seen = seen(&Watcher::new(installation, &running));
    wait_for_checkpoint(installation);
    found_whole(installation);
    running.stop();
    seen
}

fn found_whole(installation: &Installation) {
    eventually("the scrub is through", || {
        let scrub = installation.status()["scrub"].clone();
        assert!(scrub.get("finding").is_none(), "{scrub}");
        (scrub["checked"] == scrub["of"]).then_some(())
    });
}

/// No more than before, in the state directory.
fn assert_nothing_left_behind(installation: &Installation) {
    let names = fs::read_dir(installation.path("state")).unwrap().map(|file| file.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains("before-")).collect();
    assert!(left.is_empty() && !installation.path("state/rebuilding").exists(), "{left:?}");
}

fn whole() {
    let installation = served(ENTRIES);
    let before = seen_at_a_start(&installation);
    let log = fs::read(installation.path("state/log.jsonl")).unwrap();
    let archived = archive(&installation);
    assert_eq!((&archived["archived_entries"], &archived["newly_archived_entries"]), (&BORDER.into(), &BORDER.into()));
    assert!(archived["store_bytes"].as_u64() < archived["store_bytes_before"].as_u64(), "{archived}");
    assert_eq!(fs::read(installation.path("state/log.jsonl")).unwrap(), log);
    assert_nothing_left_behind(&installation);
    assert_eq!(seen_at_a_start(&installation), before);

    // More leaves when there is more.
    let running = installation.start();
    sign(&installation, &running, "new", 200);
    let again = Watcher::new(&installation, &running).refused(&long_log::request_id(100), digest("raw", 1));
    assert!(again.type_uri.ends_with("request-conflict"), "{again:?}");
    running.stop();
    let more = archive(&installation);
    assert!(more["newly_archived_entries"].as_u64().unwrap() >= 256, "{more}");
    assert_eq!(seen_at_a_start(&installation), before);

    let (code, told) = chancery(&installation, &["audit", "rebuild", "--from", "store"]);
    assert!(code == 3 && told.contains("are in the archive"), "{code}: {told}");
    installation.run("chancery", &["audit", "rebuild", "--from", "log"]);
    fs::rename(installation.path("archive"), installation.path("away")).unwrap();
    assert_eq!(seen_at_a_start(&installation), before, "everything is in the store again");
}

/// The entries of a long log are none that policy and keys would have allowed; these are.
fn verifies() {
    let installation = Installation::new();
    configure(&installation);
    let running = installation.start();
    sign(&installation, &running, "a", 700);
    running.stop();
    assert_eq!(archive(&installation)["archived_entries"], 256);
    installation.assert_log_verifies();
    installation.run("chancery", &["audit", "verify", "--export", "archive"]);
    installation.run("chancery", &["audit", "export", "--out", "out"]);
    assert_eq!(contents(&installation.path("out")), contents(&installation.path("archive")));
    let signed = |entries: &[Value]| entries.iter().filter(|entry| entry["kind"] == "signed").count();
    let before = signed(&installation.entries());
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    (0..40).for_each(|number| drop(watcher.signed(&format!("a-{number}"), digest("raw", number))));
    running.stop();
    assert_eq!(signed(&installation.entries()), before, "an archived request was signed again");
    installation.assert_log_verifies();
}

fn long() {
    let installation = served(21_000);
    let before = seen_at_a_start(&installation);
    assert!(archive(&installation)["archived_entries"].as_u64().unwrap() > 19_000);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("new", digest("raw", 1));
    running.kill();
    assert_eq!(seen_at_a_start(&installation), before);
}

/// Refused for want of an archived entry, for this reason.
fn is_away(watcher: &Watcher, reason: &str) {
    let id = long_log::request_id(100);
    let answers = [
        watcher.get(&format!("/v1/signatures/{id}")),
        watcher.get("/v1/log/entries/101"),
        watcher.put(&id, digest("raw", 1)),
    ];
    for answer in answers {
        let problem = answer.problem();
        assert!(problem.type_uri.ends_with("audit-log-unavailable"), "{problem:?}");
        assert!(problem.detail.contains(reason) && problem.detail.contains("bring the archive back"), "{problem:?}");
    }
}

fn away() {
    let installation = served(ENTRIES);
    archive(&installation);
    fs::rename(installation.path("archive"), installation.path("away")).unwrap();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    is_away(&watcher, "archive/tile/entries/000");
    watcher.get(&format!("/v1/log/proof/inclusion?index=101&size={ENTRIES}")).good();
    watcher.get(&format!("/v1/signatures/{}", long_log::request_id(BORDER + 2))).good();
    watcher.signed("new", digest("raw", 1));
    found_whole(&installation);
    assert_eq!(running.metric("chancery_log_not_whole"), 0);
    fs::rename(installation.path("away"), installation.path("archive")).unwrap();
    watcher.get("/v1/log/entries/101").good();
    running.stop();

    installation.edit_config(|config| {
        config.replace("archive_directory", "mirror_directory").replace("\"archive\"", "\"second\"")
    });
    fs::create_dir(installation.path("second")).unwrap();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    is_away(&watcher, "names no state.archive_directory");
    watcher.signed("newer", digest("raw", 2));
    running.stop();
}

fn damaged() {
    let installation = served(ENTRIES);
    archive(&installation);
    let (first, second) =
        (installation.path("archive/tile/entries/000"), installation.path("archive/tile/entries/001"));
    let bytes = fs::read(&first).unwrap();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let entry = |index: u64| watcher.get(&format!("/v1/log/entries/{index}"));
    let indices = [100, 101, 200];
    let good = indices.map(|index| entry(index).good());
    let end = bytes.len();
    let mut changes = vec![bytes[..end / 4].to_vec(), Vec::new(), vec![0xff; end]];
    changes.extend((0..end).step_by(end / 40).map(|at| {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        flipped
    }));
    // Last a bundle that is whole, of other entries.
    changes.push(fs::read(&second).unwrap());
    for change in changes {
        fs::write(&first, change).unwrap();
        for (index, good) in indices.into_iter().zip(&good) {
            let answer = entry(index);
            if answer.status == 200 {
                assert_eq!(answer.json(), *good);
                continue;
            }
            let problem = answer.problem();
            assert!(problem.type_uri.ends_with("audit-log-unavailable"), "{problem:?}");
            assert!(problem.detail.contains("archive/tile/entries/000"), "{problem:?}");
        }
    }
    let told = entry(101).problem();
    assert!(told.detail.contains("it was altered"), "a bundle of other entries: {told:?}");
    watcher.signed("new", digest("raw", 1));
    wait_for_checkpoint(&installation);
    running.stop();

    let (code, told) = chancery(&installation, &ARCHIVE);
    assert!(code == 3 && told.contains("is not whole") && told.contains("The store is as it was"), "{code}: {told}");
    fs::write(first, bytes).unwrap();
    archive(&installation);
}

fn killed() {
    for station in ["before-exchange", "after-exchange"] {
        let installation = served(ENTRIES);
        let before = seen_at_a_start(&installation);
        let plan = format!("{station}:1");
        let mut command = installation.command("chancery", &ARCHIVE);
        let output = command.env("CHANCERY_TESTING_ONLY_KILL_AT", plan).output().unwrap();
        assert_eq!(output.status.signal(), Some(Signal::KILL.as_raw()), "{station}");
        assert_eq!(seen_at_a_start(&installation), before, "{station}");
        assert_eq!(archive(&installation)["archived_entries"], BORDER, "{station}");
        assert_eq!(seen_at_a_start(&installation), before, "{station}");
    }
}

fn refused() {
    let installation = Installation::new();
    let fails = |arguments: &[&str], status: i32, words: &str| {
        let (code, told) = chancery(&installation, arguments);
        assert!(code == status && told.contains(words), "{arguments:?}: {code}: {told}");
    };
    fails(&ARCHIVE, 1, "names no state.archive_directory");
    configure(&installation);
    fails(&ARCHIVE, 1, "an export ends at a signed checkpoint");
    fails(&["audit", "archive"], 2, "--keep");
    fails(&["audit", "archive", "--keep", "999"], 2, "1000");
    let running = installation.start();
    wait_for_checkpoint(&installation);
    fails(&ARCHIVE, 1, "another process has it open");
    running.stop();
    fs::create_dir(installation.path("archive")).unwrap();
    fs::write(installation.path("archive/letters"), "").unwrap();
    fails(&ARCHIVE, 1, "name an empty directory");
    fs::remove_file(installation.path("archive/letters")).unwrap();
    let store = fs::read(installation.path("state/store/db")).unwrap();
    let archived = archive(&installation);
    assert_eq!(
        (&archived["archived_entries"], &archived["newly_archived_entries"]),
        (&0.into(), &0.into()),
        "a short log"
    );
    assert_eq!(fs::read(installation.path("state/store/db")).unwrap().len(), store.len());
}
