//! Which calls of our programs a block comes to, told by bash itself: it runs the block with nothing to run, and every
//! command writes down its words instead.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::pages::{Block, PROGRAMS};

/// What stands before a block. Nothing outside the empty directory it runs in is named but by built-in commands, and
/// those that could do harm do nothing.
const STUBS: &str = r#"
PATH=/nonexistent LOG_KEY=WHAT-IT-SAID CHECKPOINT=WHAT-IT-SAID
record() { local call; printf -v call '%s\x1f' "$@"; printf '%s\x1e' "$call" >&9; echo WHAT-IT-SAID; }
command_not_found_handle() { record "$@"; }
for name in cd exit exec kill wait source read sleep; do eval "$name() { record $name \"\$@\"; }"; done
trap() { :; }
"#;

/// The calls, each as its words. A call behind `sudo`, `runuser` or the like begins where our program is named.
pub(super) fn in_block(block: &Block) -> Vec<Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let script = STUBS.to_owned() + &without_folders(&block.text);
    // `9` is where calls are written down: what the block says goes nowhere.
    let mut shell = Command::new("timeout")
        .args(["20", "bash", "--noprofile", "--norc", "-c", "exec 9>&1 >/dev/null 2>errors; eval \"$(cat)\""])
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    let calls = String::from_utf8(output.stdout).unwrap();
    let calls = calls.split('\x1e').map(|call| call.split_terminator('\x1f').map(str::to_owned).collect());
    let ours: Vec<Vec<String>> = calls.filter_map(|call: Vec<String>| from_our_program(&call)).collect();
    let shown = shown(&block.text);
    assert!(ours.len() >= shown, "{}: {shown} calls are shown, bash came to {}: {ours:?}", block.place(), ours.len());
    ours
}

/// A name with a slash is looked for as a file, and not given to the handler.
pub(super) fn without_folders(text: &str) -> String {
    ["target/debug/", "target/release/", "/usr/local/bin/", "/usr/bin/", "./"].iter().fold(
        text.to_owned(),
        |text, folder| {
            PROGRAMS
                .iter()
                .fold(text, |text, program| text.replace(&format!("{folder}{program} "), &format!("{program} ")))
        },
    )
}

fn from_our_program(call: &[String]) -> Option<Vec<String>> {
    let begins = call.iter().rposition(|word| PROGRAMS.contains(&word.as_str()));
    let begins = if call.first().is_some_and(|first| PROGRAMS.contains(&first.as_str())) { Some(0) } else { begins };
    // `adduser chancery`, `chown chancery` and the like only name a user.
    let wraps = ["systemd-run", "runuser", "sudo", "exec", "env", "timeout", "nohup", "time", "setpriv", "unshare"];
    let is_ours = begins == Some(0) || call.first().is_some_and(|first| wraps.contains(&first.as_str()));
    begins.filter(|_| is_ours).map(|begins| call[begins..].to_vec())
}

/// How many lines begin with one of our programs: bash must have come to as many at least.
fn shown(text: &str) -> usize {
    let text = without_folders(text).replace("\\\n", " ");
    let begins = |line: &&str| PROGRAMS.iter().any(|program| line.trim_start().starts_with(&format!("{program} ")));
    text.lines().filter(begins).count()
}
