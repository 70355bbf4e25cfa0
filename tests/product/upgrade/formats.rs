//! A state whose format was raised: who serves it, who leaves it alone, and in what words.

use std::{collections::BTreeSet, fs, process::Output};

use libtest_mimic::Trial;

use super::{NEWER_FORMAT, Version};
use crate::{
    harness::{Installation, Running, load, trial, watcher::Watcher},
    mutations::files::Files,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("upgrade::an_older_program_refuses_a_newer_state_in_one_sentence_and_changes_nothing", refused),
        trial("upgrade::a_newer_program_that_did_not_come_to_serve_leaves_the_state_to_the_older", not_raised),
        trial("upgrade::an_older_auditor_says_which_version_is_needed_and_still_finds_what_was_changed", auditor),
    ]
}

const NEEDED: &str = "it was written by chancery 0.3.0 (format 2), and this is chancery ";
const INSTALL: &str = ", which reads up to format 1: install chancery 0.3.0 or later";

fn files(installation: &Installation) -> Files {
    Files::read(installation.directory(), &["state"])
}

fn changed(before: &Files, after: &Files) -> Vec<String> {
    let names = before.0.keys().chain(after.0.keys()).collect::<BTreeSet<_>>();
    names.into_iter().filter(|name| before.0.get(*name) != after.0.get(*name)).cloned().collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `serve` of an older program, on a state of a newer format.
pub(super) fn assert_refused_untouched(installation: &Installation, older: &Version<'_>) {
    let before = files(installation);
    let refused = older.command(installation, &["serve"]).output().unwrap();
    let said = said(&refused);
    assert_eq!(refused.status.code(), Some(78), "{said}");
    let sentence = said.lines().find_map(|line| line.strip_prefix("chancery: the audit log in ")).unwrap();
    let (_, sentence) = sentence.split_once(" is refused: ").unwrap();
    assert_eq!(sentence, format!("{NEEDED}{}{INSTALL}. Nothing was changed", env!("CARGO_PKG_VERSION")));
    assert_eq!(changed(&before, &files(installation)), Vec::<String>::new());
}

fn start_as(installation: &Installation, release: Option<&str>) -> Running {
    let program = std::env::current_exe().unwrap();
    Version { file: &program, release }.start(installation)
}

fn signed_by(installation: &Installation, release: Option<&str>, id: &str) -> Vec<u8> {
    let running = start_as(installation, release);
    let answer = Watcher::new(installation, &running).put(id, load::order(id));
    assert_eq!(answer.status, 200);
    running.stop();
    answer.body
}

fn refused() {
    let installation = Installation::new();
    let program = std::env::current_exe().unwrap();
    let older = Version { file: &program, release: None };
    let format = installation.path("state/format");
    assert!(fs::read_to_string(&format).unwrap().contains("\"number\":1,"));
    // A state of before has no number, and is served.
    fs::remove_file(&format).unwrap();
    let first = signed_by(&installation, None, "wd-1");
    assert!(!format.exists());

    assert_eq!(signed_by(&installation, Some(NEWER_FORMAT), "wd-1"), first);
    assert!(fs::read_to_string(&format).unwrap().contains("{\"number\":2,\"version\":\"0.3.0\"}"));
    assert_refused_untouched(&installation, &older);

    let before = files(&installation);
    for arguments in [&["audit", "rebuild", "--from", "log"][..], &["audit", "rebuild", "--from", "store"]] {
        let output = older.command(&installation, arguments).output().unwrap();
        assert!(!output.status.success() && said(&output).contains(NEEDED), "{arguments:?}: {}", said(&output));
    }
    assert_eq!(changed(&before, &files(&installation)), Vec::<String>::new());

    // The log says it by itself, too: at the first entry of the newer program.
    let number = fs::read(&format).unwrap();
    fs::remove_file(&format).unwrap();
    let before = files(&installation);
    let output = older.command(&installation, &["serve"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let boot = installation.entries().iter().position(|entry| entry.get("format").is_some()).unwrap();
    let at = format!("is refused at entry {boot}: its kind is \"boot\", and {NEEDED}");
    assert!(said(&output).contains(&at), "{}", said(&output));
    let changed = changed(&before, &files(&installation));
    assert!(changed.iter().all(|path| path.starts_with("state/store/")), "beside sled's own files: {changed:?}");
    fs::write(&format, number).unwrap();

    assert_eq!(signed_by(&installation, Some(NEWER_FORMAT), "wd-1"), first);
    assert_eq!(load::of_kind(&load::log_of(&installation), "accepted").count(), 1);
}

fn not_raised() {
    let installation = Installation::new();
    let first = signed_by(&installation, None, "wd-1");
    let format = fs::read(installation.path("state/format")).unwrap();
    // Without its PIN it ends after it has read the whole log.
    let (pin, away) = (installation.path("token/pin"), installation.path("token/pin.away"));
    fs::rename(&pin, &away).unwrap();
    assert!(Running::try_start(&installation, &[(super::RELEASE, NEWER_FORMAT)]).is_err(), "it starts without a PIN");
    fs::rename(&away, &pin).unwrap();
    assert_eq!(fs::read(installation.path("state/format")).unwrap(), format);
    assert_eq!(signed_by(&installation, None, "wd-1"), first);
    // One of the same format may come and go.
    assert_eq!(signed_by(&installation, Some(super::SAME_FORMAT), "wd-1"), first);
    assert_eq!(fs::read(installation.path("state/format")).unwrap(), format);
    assert_eq!(signed_by(&installation, None, "wd-1"), first);
    installation.assert_log_verifies();
}

fn auditor() {
    let installation = Installation::new();
    signed_by(&installation, None, "wd-1");
    signed_by(&installation, Some(NEWER_FORMAT), "wd-2");
    let program = std::env::current_exe().unwrap();
    let verify = |release, state: &str| {
        let version = Version { file: &program, release };
        version.command(&installation, &["audit", "verify", "--json", "--state", state]).output().unwrap()
    };
    assert_eq!(verify(Some(NEWER_FORMAT), "state").status.code(), Some(0));
    let output = verify(None, "state");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("cannot be verified: entry ") && said(&output).contains(NEEDED),
        "{}",
        said(&output)
    );
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["valid"], serde_json::Value::Null);

    // Neither before nor behind the entry it cannot read may anything be another.
    let log = fs::read_to_string(installation.path("state/log.jsonl")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let boot = lines.iter().position(|line| line.contains("\"format\":{")).unwrap();
    for altered in [boot - 1, boot + 1] {
        let copy = installation.path("copy");
        fs::create_dir_all(&copy).unwrap();
        fs::copy(installation.path("state/anchor"), copy.join("anchor")).unwrap();
        let salt = |line: &str| {
            let (before, after) = line.split_once("\"salt\":\"").unwrap();
            let digit = if after.starts_with('0') { '1' } else { '0' };
            format!("{before}\"salt\":\"{digit}{}", &after[1..])
        };
        let lines = lines.iter().enumerate();
        let altered: String =
            lines.map(|(place, line)| if place == altered { salt(line) } else { (*line).to_owned() } + "\n").collect();
        fs::write(copy.join("log.jsonl"), altered).unwrap();
        let output = verify(None, "copy");
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    }
}
