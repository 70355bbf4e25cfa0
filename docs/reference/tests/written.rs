//! What `reference` writes, by its program.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

fn written(command: &str, directory: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_reference")).arg(command).arg(directory).status().unwrap();
    assert!(status.success(), "reference {command}: {status}");
}

/// Every file below `directory`, by its path in there.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, text)| (format!("{name}/{inner}"), text)));
        } else {
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    found
}

#[test]
fn every_program_and_subcommand_has_a_page_but_a_hidden_one() {
    let directory = tempfile::tempdir().unwrap();
    written("man", directory.path());
    let pages = files(directory.path());
    for page in [
        "chancery",
        "chancery-serve",
        "chancery-audit-verify",
        "chancery-provision-ceremony-rehearse",
        "chancery-watcher-sign",
    ] {
        let text = pages.get(&format!("{page}.1")).expect(page);
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    assert!(pages["chancery-serve.1"].contains("Serves watchers until SIGTERM"), "{}", pages["chancery-serve.1"]);
    assert!(!pages.keys().any(|name| name.contains("token-worker") || name.contains("help")), "{:?}", pages.keys());
    assert!(!pages.values().any(|text| text.contains("token-worker") || text.contains("token\\-worker")));
}

#[test]
fn each_shell_completes_each_program_and_no_hidden_subcommand() {
    let directory = tempfile::tempdir().unwrap();
    written("completions", directory.path());
    let scripts = files(directory.path());
    for program in ["chancery", "chancery-provision", "chancery-watcher"] {
        for script in [format!("bash/{program}"), format!("zsh/_{program}"), format!("fish/{program}.fish")] {
            assert!(
                scripts.get(&script).is_some_and(|text| text.contains("--json") || text.contains("-l json")),
                "{script}"
            );
        }
    }
    assert!(scripts["bash/chancery"].contains("serve"));
    assert!(!scripts.values().any(|text| text.contains("token-worker")));
}

#[test]
fn two_runs_write_the_same_bytes() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for command in ["man", "completions"] {
        for directory in [one.path(), other.path()] {
            written(command, &directory.join(command));
        }
    }
    assert_eq!(files(one.path()), files(other.path()));
}
