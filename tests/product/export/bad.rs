//! Exports and logs that are not what they say: found, told, and nothing changed.

use std::{fs, path::Path};

use libtest_mimic::Trial;

use super::{contents, copy, export, fails, files, sign, wait_for_checkpoint};
use crate::harness::{Installation, trial};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("export::a_changed_cut_or_missing_file_of_an_export_is_found", changed),
        trial("export::a_checkpoint_by_another_key_of_another_log_or_too_large_is_refused", checkpoints),
        trial("export::another_log_is_never_written_over", foreign),
        trial("export::a_log_that_is_not_what_was_signed_is_not_exported", not_what_was_signed),
    ]
}

/// An installation of over 256 entries, exported to `log`.
fn exported() -> Installation {
    let installation = Installation::new();
    let running = installation.start();
    sign(&installation, &running, "a", 140);
    running.stop();
    export(&installation, "log", &[]);
    installation
}

fn is_not_valid(installation: &Installation, what: &str, change: impl FnOnce(&Path)) {
    let copied = installation.path("copy");
    let _ = fs::remove_dir_all(&copied);
    copy(installation, "log", "copy");
    change(&copied);
    let before = contents(&copied);
    let (status, out, err) = super::chancery(installation, &["audit", "verify", "--export", "copy"]);
    assert_eq!(status, 3, "{what}: {out}{err}");
    assert!(err.contains("copy is NOT valid: ") && err.lines().count() == 1, "{what}: {err}");
    assert!(contents(&copied) == before, "{what}: it was changed");
}

fn changed() {
    let installation = exported();
    let all = files(&installation.path("log"));
    assert!(all.len() >= 6, "{all:?}");
    for path in &all {
        let name = path.display();
        let good = fs::read(installation.path("log").join(path)).unwrap();
        is_not_valid(&installation, &format!("no {name}"), |copy| fs::remove_file(copy.join(path)).unwrap());
        let is_bad = |what: &str, bytes: &[u8]| {
            is_not_valid(&installation, &format!("{name}, {what}"), |copy| fs::write(copy.join(path), bytes).unwrap());
        };
        // A note holds without its last line end, and with lines that are nobody's signature.
        let is_note = path == Path::new("checkpoint");
        let end = good.len() - usize::from(is_note);
        for position in [0, end / 2, end - 1] {
            let mut bent = good.clone();
            bent[position] ^= 1;
            is_bad(&format!("byte {position}"), &bent);
            is_bad(&format!("cut at {position}"), &good[..position]);
        }
        if !is_note {
            is_bad("longer", &[&good[..], b"x"].concat());
        }
    }
}

fn checkpoints() {
    let installation = exported();
    let other = exported();
    let foreign = fs::read(other.path("log/checkpoint")).unwrap();
    is_not_valid(&installation, "another log's", |copy| fs::write(copy.join("checkpoint"), foreign).unwrap());
    let key = other.log_key();
    fails(&installation, &["audit", "verify", "--export", "log", "--log-key", &key], 3, "not the one given");
    let own = fs::read_to_string(installation.path("log/checkpoint")).unwrap();
    let size = own.lines().nth(1).unwrap().to_owned();
    for (place, instead) in [(0, "other.example/0011223344556677"), (1, "18446744073709551615"), (1, "1"), (1, "0")] {
        let lines: Vec<&str> =
            own.lines().enumerate().map(|(at, line)| if at == place { instead } else { line }).collect();
        is_not_valid(&installation, instead, |copy| {
            fs::write(copy.join("checkpoint"), lines.join("\n") + "\n").unwrap()
        });
    }
    // Signed, and of a later size than the entries that are there.
    let running = installation.start();
    sign(&installation, &running, "b", 1);
    running.stop();
    let later = fs::read(installation.path("state/checkpoint")).unwrap();
    is_not_valid(&installation, "larger than the tree", |copy| fs::write(copy.join("checkpoint"), &later).unwrap());
    fs::write(installation.path("later.txt"), &later).unwrap();
    let since = ["audit", "verify", "--export", "log", "--since", "later.txt"];
    fails(&installation, &since, 3, "was signed, but the log ends here");
    installation.run("chancery", &["audit", "verify", "--export", "log"]);
    assert_eq!(own.lines().nth(1), Some(size.as_str()));
}

fn foreign() {
    let (installation, other) = (exported(), exported());
    let out = other.path("log");
    let before = contents(&out);
    let out = out.to_str().unwrap();
    fails(&installation, &["audit", "export", "--out", out], 3, "holds another log");
    let since = other.path("log/checkpoint");
    let since = ["audit", "export", "--out", "new", "--since", since.to_str().unwrap()];
    fails(&installation, &since, 3, "--since: the checkpoint is of");
    assert!(!installation.path("new").exists());
    assert!(contents(Path::new(out)) == before);
}

fn not_what_was_signed() {
    let installation = exported();
    copy(&installation, "state", "older");
    let running = installation.start();
    sign(&installation, &running, "b", 3);
    wait_for_checkpoint(&installation);
    running.stop();
    export(&installation, "log", &[]);
    let before = contents(&installation.path("log"));
    // An older copy of the log must not take published entries back.
    fails(&installation, &["audit", "export", "--out", "log", "--state", "older"], 3, "older copy, or was shortened");
    // A log that was rewritten or cut does not have the signed root.
    let path = installation.path("state/log.jsonl");
    let log = fs::read_to_string(&path).unwrap();
    fs::write(&path, log.replacen("a-100", "a-999", 1)).unwrap();
    fails(&installation, &["audit", "export", "--out", "log"], 3, "another root than the log");
    fails(&installation, &["audit", "export", "--out", "new"], 3, "another root than the log");
    fs::write(&path, &log[..log.len() / 2]).unwrap();
    fails(&installation, &["audit", "export", "--out", "new"], 3, "log.jsonl ends before entry");
    assert!(!installation.path("new").exists());
    assert!(contents(&installation.path("log")) == before);
}
