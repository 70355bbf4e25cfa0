//! `chancery audit export`: what outsiders mirror, read by code that others wrote (`tlog_tiles`, `signed_note`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation, Running,
    body::{digest, digests},
    eventually, trial,
    watcher::Watcher,
};

mod bad;
mod others;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("export::others_read_the_same_roots_proofs_and_checkpoints", others::agree),
        trial("export::it_grows_by_what_is_new_and_keeps_what_was_published", grows),
        trial("export::since_a_checkpoint_it_writes_what_completes_an_older_copy", since),
        trial("export::entries_too_long_for_a_bundle_have_one_of_their_own_form", long_entries),
        trial("export::it_needs_a_checkpoint_and_a_place_of_its_own", places),
    ];
    trials.extend(bad::trials());
    trials
}

/// Exit status, stdout, stderr.
pub(super) fn chancery(installation: &Installation, arguments: &[&str]) -> (i32, String, String) {
    let output = installation.command("chancery", arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

pub(super) fn fails(installation: &Installation, arguments: &[&str], status: i32, words: &str) {
    let (code, out, err) = chancery(installation, arguments);
    assert_eq!(code, status, "{arguments:?}: {out}{err}");
    assert!(err.contains(words), "{arguments:?}: {words:?} is not in {err}");
}

/// Exports to `out`; what it says.
pub(super) fn export(installation: &Installation, out: &str, more: &[&str]) -> Value {
    let arguments = [&["audit", "export", "--json", "--out", out], more].concat();
    serde_json::from_slice(&installation.run("chancery", &arguments).stdout).unwrap()
}

pub(super) fn verify(installation: &Installation, export: &str) -> Value {
    let arguments = ["audit", "verify", "--json", "--export", export];
    serde_json::from_slice(&installation.run("chancery", &arguments).stdout).unwrap()
}

/// Signs so many digests, each a request, and waits until a checkpoint covers them.
pub(super) fn sign(installation: &Installation, running: &Running, name: &str, count: u64) {
    let watcher = Watcher::new(installation, running);
    let numbers: Vec<u64> = (0..count).collect();
    for part in numbers.chunks(64) {
        let requests = part.iter().map(|n| (format!("{name}-{n}"), digest("raw", *n)));
        watcher.put_at_once(requests).iter().for_each(|answer| drop(answer.good()));
    }
    wait_for_checkpoint(installation);
}

pub(super) fn wait_for_checkpoint(installation: &Installation) {
    eventually("a checkpoint covers it", || {
        let status = installation.status();
        (status["checkpoint"] == status["entries"]).then_some(())
    });
}

/// Every file below, by its path.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(at) = directories.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path.strip_prefix(directory).unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

/// What is in them.
pub(super) fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files(directory).into_iter().map(|path| (path.clone(), fs::read(directory.join(path)).unwrap())).collect()
}

pub(super) fn copy(installation: &Installation, from: &str, to: &str) {
    let status = Command::new("cp").arg("-a").args([from, to]).current_dir(installation.directory()).status();
    assert!(status.unwrap().success());
}

fn grows() {
    let installation = Installation::new();
    let running = installation.start();
    sign(&installation, &running, "a", 20);
    let first = export(&installation, "log", &[]);
    assert_eq!(first["entries"], first["new_entries"]);
    let size = first["entries"].as_u64().unwrap();
    assert!(size < 256 && first["files"] == 3, "{first}");
    let log = installation.path("log");
    let names =
        |log: &Path| -> Vec<String> { files(log).iter().map(|path| path.to_str().unwrap().to_owned()).collect() };
    let at_first = ["checkpoint".to_owned(), format!("tile/0/000.p/{size}"), format!("tile/entries/000.p/{size}")];
    assert_eq!(names(&log), at_first);
    assert_eq!(verify(&installation, "log")["verification"]["entries"], size);

    // Nothing new, nothing written.
    let again = export(&installation, "log", &[]);
    assert_eq!((&again["new_entries"], &again["files"]), (&0.into(), &0.into()));

    sign(&installation, &running, "b", 20);
    let second = export(&installation, "log", &[]);
    let grown = second["entries"].as_u64().unwrap();
    assert_eq!(second["new_entries"], grown - size);
    // Whoever holds the older checkpoint still finds its tiles.
    assert!(names(&log).contains(&format!("tile/0/000.p/{size}")));

    sign(&installation, &running, "c", 120);
    let third = export(&installation, "log", &[]);
    let size = third["entries"].as_u64().unwrap();
    let after = names(&log);
    assert!(size > 256 && !after.iter().any(|name| name.contains("000.p/2")), "{after:?}");
    for name in ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"] {
        assert!(after.contains(&name.to_owned()), "{after:?}");
    }
    assert!(!after.iter().any(|name| name.starts_with("tile/0/000.p") || name.ends_with(".next")), "{after:?}");
    let verified = verify(&installation, "log");
    assert_eq!(verified["verification"]["entries"], size);
    assert!(verified["entries_per_second"].as_u64().unwrap() > 0);
    running.stop();
    // The same in one go.
    export(&installation, "whole", &[]);
    for path in files(&installation.path("whole")) {
        assert_eq!(
            fs::read(installation.path("whole").join(&path)).ok(),
            fs::read(installation.path("log").join(&path)).ok()
        );
    }
}

fn since() {
    let installation = Installation::new();
    let running = installation.start();
    sign(&installation, &running, "a", 150);
    export(&installation, "mirror", &[]);
    copy(&installation, "mirror/checkpoint", "old.txt");
    sign(&installation, &running, "b", 150);
    running.stop();
    let part = export(&installation, "part", &["--since", "old.txt"]);
    assert!(!installation.path("part/tile/0/000").exists() && installation.path("part/tile/0/001").exists(), "{part}");
    fails(&installation, &["audit", "verify", "--export", "part"], 3, "tile/entries/000 is missing");
    copy(&installation, "part/.", "mirror");
    let verified = verify(&installation, "mirror");
    assert_eq!((&verified["valid"], &verified["verification"]["entries"]), (&true.into(), &part["entries"]));
    installation.run("chancery", &["audit", "verify", "--export", "mirror", "--since", "old.txt"]);
}

fn long_entries() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("large", digests("nist", 0..256));
    wait_for_checkpoint(&installation);
    assert!(installation.entries().iter().any(|entry| entry.to_string().len() > 65_535));
    let exported = export(&installation, "log", &[]);
    let size = exported["entries"].as_u64().unwrap();
    assert_eq!(exported["long_bundles"], 1);
    assert!(installation.path(&format!("log/tile/long-entries/000.p/{size}")).exists());
    assert!(!installation.path("log/tile/entries").exists());
    verify(&installation, "log");
    // Once full, the bundle replaces its partial ones.
    sign(&installation, &running, "a", 150);
    running.stop();
    export(&installation, "log", &[]);
    assert!(installation.path("log/tile/long-entries/000").exists());
    assert!(!installation.path("log/tile/long-entries/000.p").exists());
    assert_eq!(verify(&installation, "log")["verification"]["signatures"], 256 + 150);
}

fn places() {
    let installation = Installation::new();
    fails(&installation, &["audit", "export", "--out", "log"], 1, "an export ends at a signed checkpoint");
    assert!(!installation.path("log").exists());
    let running = installation.start();
    wait_for_checkpoint(&installation);
    running.stop();
    fails(&installation, &["audit", "export", "--out", "pki"], 1, "and no export");
    // One that was cut short is gone on with.
    fs::create_dir_all(installation.path("log/tile/0")).unwrap();
    fs::write(installation.path("log/tile/0/000"), "half").unwrap();
    export(&installation, "log", &[]);
    verify(&installation, "log");
    fails(&installation, &["audit", "export", "--out", "log", "--since", "absent.txt"], 1, "--since");
    fails(&installation, &["audit", "export"], 2, "--out");
    fails(&installation, &["audit", "verify", "--export", "absent"], 1, "is no directory");
    fails(&installation, &["audit", "verify", "--export", "pki"], 3, "there is no checkpoint in it");
}
