//! The second copy of the log, and copies remade from each other.

use std::fs;

use libtest_mimic::Trial;

use crate::harness::{Installation, Running, body::digest, eventually, trial, watcher::Watcher};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("mirror::it_holds_every_entry_also_those_it_missed", follows),
        trial("mirror::one_that_fails_is_told_loudly_and_stops_no_signature", fails_open),
        trial("mirror::one_that_holds_more_or_other_entries_than_the_log_refuses_the_start", contradicts),
        trial("mirror::a_torn_last_line_of_it_is_cut", torn),
        trial("rebuild::a_lost_store_or_anchor_is_remade_from_the_log", from_log),
        trial("rebuild::a_lost_or_damaged_log_is_remade_from_the_store", from_store),
        trial("rebuild::a_disk_of_which_nothing_but_the_anchor_is_left_is_remade_from_the_mirror", from_mirror),
        trial("rebuild::what_is_damaged_or_too_short_rebuilds_nothing", refused),
    ]
}

fn with_mirror() -> Installation {
    let installation = Installation::new();
    fs::create_dir(installation.path("second")).unwrap();
    installation.edit_config(|config| config.replace("[state]\n", "[state]\nmirror_directory = \"second\"\n"));
    installation
}

fn sign(installation: &Installation, running: &Running, ids: &[&str]) {
    let watcher = Watcher::new(installation, running);
    ids.iter().for_each(|id| drop(watcher.signed(id, digest("raw", 1))));
}

fn log(installation: &Installation) -> Vec<u8> {
    fs::read(installation.path("state/log.jsonl")).unwrap()
}

fn mirror(installation: &Installation) -> Vec<u8> {
    fs::read(installation.path("second/log.jsonl")).unwrap_or_default()
}

fn wait_until_equal(installation: &Installation) {
    eventually("the mirror is equal", || (mirror(installation) == log(installation)).then_some(()));
}

fn run(installation: &Installation, arguments: &[&str]) -> (i32, String) {
    let output = installation.command("chancery", arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn rebuild(installation: &Installation, from: &str) -> serde_json::Value {
    let output = installation.run("chancery", &["audit", "rebuild", "--json", "--from", from]);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// It serves, knows what was signed, and the log verifies.
fn serves(installation: &Installation, known: &str) {
    let before = log(installation);
    let running = installation.start();
    let watcher = Watcher::new(installation, &running);
    let size = installation.entries().len();
    watcher.signed(known, digest("raw", 1));
    assert_eq!(installation.entries().len(), size, "{known} was signed again");
    running.stop();
    assert!(log(installation).starts_with(&before));
    installation.assert_log_verifies();
}

fn follows() {
    let installation = with_mirror();
    let running = installation.start();
    sign(&installation, &running, &["a", "b"]);
    wait_until_equal(&installation);
    assert_eq!(running.metric("chancery_mirror_failed"), 0);
    eventually("it is not behind", || (installation.status()["mirror"]["behind_bytes"] == 0).then_some(()));
    sign(&installation, &running, &["c"]);
    running.stop();
    assert_eq!(mirror(&installation), log(&installation), "at a clean stop it holds everything");

    // What was signed meanwhile is caught up.
    fs::rename(installation.path("second"), installation.path("away")).unwrap();
    let running = installation.start();
    sign(&installation, &running, &["d"]);
    running.stop();
    fs::rename(installation.path("away"), installation.path("second")).unwrap();
    let running = installation.start();
    wait_until_equal(&installation);
    sign(&installation, &running, &["e"]);
    wait_until_equal(&installation);
    running.kill();
    fs::remove_file(installation.path("second/log.jsonl")).unwrap();
    installation.start().stop();
    assert_eq!(mirror(&installation), log(&installation), "one that was lost is made anew");
}

fn fails_open() {
    let installation = with_mirror();
    let running = installation.start();
    wait_until_equal(&installation);
    fs::rename(installation.path("second"), installation.path("away")).unwrap();
    sign(&installation, &running, &["a"]);
    eventually("the metric tells", || (running.metric("chancery_mirror_failed") == 1).then_some(()));
    sign(&installation, &running, &["b"]);
    let status = installation.status();
    assert_eq!(status["mirror"]["up"], false);
    let shown = installation.run("chancery", &["status"]).stdout;
    assert!(String::from_utf8(shown).unwrap().contains("MIRROR            NOT WRITTEN: the mirror "));
    let logged = running.logged();
    assert_eq!(logged.matches("the mirror is not written").count(), 1, "{logged}");
    running.stop();
    // Also at start: the directory of a disk that is not mounted is never made.
    let running = installation.start();
    sign(&installation, &running, &["c"]);
    eventually("it tells", || running.logged().contains("is the disk mounted?").then_some(()));
    assert!(!installation.path("second").exists());
    running.stop();
}

fn refuses_to_start(installation: &Installation, words: &str) {
    let before = (log(installation), mirror(installation));
    let Err(said) = Running::try_start(installation, &[]) else { panic!("it serves: {words}") };
    assert!(said.contains("exit status: 78") && said.contains(words), "{said}");
    assert_eq!((log(installation), mirror(installation)), before, "nothing was changed");
}

fn contradicts() {
    let installation = with_mirror();
    let copied = |from: &str, to: &str| super::tamper::copy_all(&installation.path(from), &installation.path(to));
    installation.start().stop();
    copied("state", "older");
    let running = installation.start();
    sign(&installation, &running, &["a"]);
    running.stop();
    // Everything on the first disk is put back to an older copy: consistent in itself.
    fs::rename(installation.path("state"), installation.path("newer")).unwrap();
    copied("older", "state");
    refuses_to_start(&installation, "goes on behind the end of the log");
    let rebuilt = rebuild(&installation, "mirror");
    assert_eq!(rebuilt["entries"], mirror(&installation).iter().filter(|byte| **byte == b'\n').count());
    serves(&installation, "a");

    // One of another history.
    let other = Installation::new();
    other.start().stop();
    fs::copy(other.path("state/log.jsonl"), installation.path("second/log.jsonl")).unwrap();
    refuses_to_start(&installation, "holds other entries than the log");
    fs::remove_file(installation.path("second/log.jsonl")).unwrap();
    installation.start().stop();
}

fn torn() {
    let installation = with_mirror();
    installation.start().stop();
    let whole = mirror(&installation);
    for tail in [&b"{\"half"[..], &[0; 5_000]] {
        fs::write(installation.path("second/log.jsonl"), [&whole, tail].concat()).unwrap();
        installation.start().stop();
        assert_eq!(mirror(&installation), log(&installation));
    }
}

fn two_runs() -> Installation {
    let installation = with_mirror();
    for ids in [["a", "b"], ["c", "d"]] {
        let running = installation.start();
        sign(&installation, &running, &ids);
        running.stop();
    }
    installation
}

fn from_log() {
    let installation = two_runs();
    let state = installation.path("state");
    fs::remove_dir_all(state.join("store")).unwrap();
    refuses_to_start(&installation, "store");
    rebuild(&installation, "log");
    serves(&installation, "a");
    let db = state.join("store/db");
    let length = fs::metadata(&db).unwrap().len();
    fs::write(&db, vec![7; length as usize]).unwrap();
    fs::write(state.join("anchor"), "nothing").unwrap();
    let rebuilt = rebuild(&installation, "log");
    let kept = rebuilt["replaced"].as_array().unwrap();
    assert!(kept.len() == 2 && kept.iter().all(|path| fs::exists(path.as_str().unwrap()).unwrap()), "{rebuilt}");
    serves(&installation, "d");
    assert!(!state.join("rebuilding").exists());
}

fn from_store() {
    let installation = two_runs();
    let path = installation.path("state/log.jsonl");
    let whole = log(&installation);
    fs::remove_file(&path).unwrap();
    rebuild(&installation, "store");
    assert_eq!(log(&installation), whole);
    let mut bent = whole.clone();
    bent[whole.len() / 2] ^= 1;
    fs::write(&path, &bent).unwrap();
    rebuild(&installation, "store");
    assert_eq!(log(&installation), whole);

    // Entries that are in the log alone, and a damaged place before them.
    super::tamper::copy_all(&installation.path("state/store"), &installation.path("store-before"));
    super::tamper::copy_all(&installation.path("state/anchor"), &installation.path("anchor-before"));
    let running = installation.start();
    sign(&installation, &running, &["e"]);
    running.stop();
    let whole = log(&installation);
    let mut bent = whole.clone();
    bent[whole.len() / 3] ^= 1;
    fs::write(&path, &bent).unwrap();
    fs::remove_dir_all(installation.path("state/store")).unwrap();
    fs::rename(installation.path("store-before"), installation.path("state/store")).unwrap();
    fs::rename(installation.path("anchor-before"), installation.path("state/anchor")).unwrap();
    let rebuilt = rebuild(&installation, "store");
    assert!(rebuilt["kept_entries"].as_u64().unwrap() >= 3, "{rebuilt}");
    assert_eq!(log(&installation), whole);
    serves(&installation, "e");
}

fn from_mirror() {
    let installation = two_runs();
    let whole = log(&installation);
    fs::remove_dir_all(installation.path("state/store")).unwrap();
    fs::remove_file(installation.path("state/log.jsonl")).unwrap();
    rebuild(&installation, "mirror");
    assert_eq!(log(&installation), whole);
    serves(&installation, "d");
}

fn refused() {
    let installation = two_runs();
    let refused = |from: &str, status: i32, words: &str| {
        let before = super::export::contents(&installation.path("state"));
        let (code, err) = run(&installation, &["audit", "rebuild", "--from", from]);
        assert!(code == status && err.contains(words), "{from}: {code}: {err}");
        assert!(err.contains("Nothing was changed"), "{err}");
        let after = super::export::contents(&installation.path("state"));
        // Opening a store makes sled write to it.
        let but_store = |files: Vec<(std::path::PathBuf, Vec<u8>)>| -> Vec<_> {
            files.into_iter().filter(|(path, _)| !path.starts_with("store")).collect()
        };
        assert!(but_store(before) == but_store(after), "{from}: something was changed");
    };
    let running = installation.start();
    // Beside it the log and its checkpoint change by themselves.
    let (code, err) = run(&installation, &["audit", "rebuild", "--from", "log"]);
    assert!(code == 1 && err.contains("another process has it open"), "{code}: {err}");
    running.stop();
    // Shorter than what was signed, in each copy.
    let short: Vec<u8> = {
        let log = log(&installation);
        let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
        lines[..lines.len() - 3].concat()
    };
    let whole = log(&installation);
    fs::write(installation.path("state/log.jsonl"), &short).unwrap();
    refused("log", 3, "rebuild from another copy");
    fs::write(installation.path("second/log.jsonl"), &short).unwrap();
    refused("mirror", 3, "rebuild from another copy");
    fs::write(installation.path("state/log.jsonl"), &whole).unwrap();
    let bent: Vec<u8> =
        whole.iter().enumerate().map(|(at, byte)| if at == whole.len() / 2 { byte ^ 1 } else { *byte }).collect();
    fs::write(installation.path("second/log.jsonl"), bent).unwrap();
    refused("mirror", 3, "");
    fs::write(installation.path("state/anchor"), "nothing").unwrap();
    fs::rename(installation.path("state/checkpoint"), installation.path("checkpoint")).unwrap();
    refused("log", 3, "nothing tells how far the log went");
    installation.edit_config(|config| config.replace("mirror_directory = \"second\"\n", ""));
    let (code, err) = run(&installation, &["audit", "rebuild", "--from", "mirror"]);
    assert!(code == 1 && err.contains("state.mirror_directory"), "{err}");
}
