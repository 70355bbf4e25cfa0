//! Pages told from top to bottom: what they show is typed, in its order, into one shell on a box of the page's own.
//!
//! A comment above a block says what has come to pass before it (`setting: ...`, a function of `stage.sh`), or why it
//! is
//! not typed here (`not run: ...`). A command ends well, but where the page says `exit status N` beside it. The box is
//! at
//! `/etc/chancery`, in a mount and network namespace, which takes root.

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use libtest_mimic::Trial;

use super::{
    pages::{self, Block, Page},
    program_lines::without_folders,
};
use crate::harness::repository;

const STAGE: &str = include_str!("stage.sh");
const NAMESPACES: [&str; 7] =
    ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation=private"];

/// How a story ends where something in it is not as the page says.
const FAILED: &str = r#"
failed() {
    printf 'FAILED at %s, status %s:\n%s\n' "$1" "$2" "$3"
    tail -n 5 "$stage/serve.log" 2> /dev/null
    exit 9
}
"#;

/// What is told on one box, from its first page to its last.
struct Story {
    name: String,
    pages: Vec<Page>,
}

/// Pages of this folder are short, and one story: each begins while the box serves.
const ALARMS: &str = "docs/alarms/";

/// One for each page with something to type.
pub(super) fn trials() -> Vec<Trial> {
    let can = Command::new("unshare").args(NAMESPACES).arg("true").output().is_ok_and(|tried| tried.status.success());
    if !can {
        eprintln!("the stories of the book are not told: no mount namespace without root");
    }
    let trial = |story: Story| {
        Trial::test(format!("book::story::{}", story.name), move || {
            tell(&story);
            Ok(())
        })
        .with_ignored_flag(!can)
    };
    stories().into_iter().map(trial).collect()
}

fn stories() -> Vec<Story> {
    let pages = pages::all().into_iter().filter(|page| page.shell_blocks().iter().any(Block::is_run));
    let (alarms, others): (Vec<Page>, Vec<Page>) = pages.partition(|page| page.path.starts_with(ALARMS));
    let name = |page: &Page| page.path.trim_start_matches("docs/").trim_end_matches(".md").replace(['/', '-'], "_");
    let mut stories: Vec<Story> =
        others.into_iter().map(|page| Story { name: name(&page), pages: vec![page] }).collect();
    if !alarms.is_empty() {
        stories.push(Story { name: "alarms".to_owned(), pages: alarms });
    }
    stories
}

fn tell(story: &Story) {
    let stage = tempfile::Builder::new().prefix("book").tempdir().unwrap();
    fs::create_dir(stage.path().join("bin")).unwrap();
    for program in ["chancery", "chancery-watcher", "chancery-provision"] {
        symlink(std::env::current_exe().unwrap(), stage.path().join("bin").join(program)).unwrap();
    }
    let mut script = format!("{STAGE}{FAILED}");
    let mut typed = 0;
    for page in &story.pages {
        if page.path.starts_with(ALARMS) {
            script += if typed == 0 { "a_box_with_an_alarm\n" } else { "serving\n" };
        }
        typed += write_page(page, &mut script);
    }
    fs::write(stage.path().join("story.sh"), script + "stopped\n:\n").unwrap();
    let told = play(stage.path());
    let shown = String::from_utf8_lossy(&told.stdout);
    let last: Vec<&str> = shown.lines().rev().take(40).collect();
    let last: String = last.into_iter().rev().map(|line| format!("{line}\n")).collect();
    assert!(told.status.success(), "{}: {}\n{last}", story.name, told.status);
    println!("{}: {typed} commands typed", story.name);
}

fn play(stage: &Path) -> std::process::Output {
    let mut command = Command::new("timeout");
    command.args(["200", "unshare"]).args(NAMESPACES).args(["bash", "--noprofile", "--norc", "-c"]);
    command.arg("exec 2>&1; source ./story.sh").current_dir(stage).stdin(Stdio::null());
    command.env_remove("SOFTHSM2_CONF").env("repository", repository()).output().unwrap()
}

/// Writes a page's commands; how many they are.
fn write_page(page: &Page, script: &mut String) -> usize {
    let mut typed = 0;
    for block in page.shell_blocks().iter().filter(|block| block.is_run()) {
        let place = block.place();
        for setting in block.settings() {
            let named = setting.replace('\'', "");
            *script += &format!("{{ {setting}; }} > \"$stage/setting.log\"\nstatus=$?\n");
            *script +=
                &format!("[ $status -eq 0 ] || failed '{place}, {named}' $status \"$(cat \"$stage/setting.log\")\"\n");
        }
        let mut wanted = 0;
        for command in commands(&block.text) {
            wanted = exit_status(&command).unwrap_or(wanted);
            if command.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
                continue;
            }
            typed += 1;
            let command = without_folders(&command);
            *script += &format!("read -r -d '' typed << 'END OF WHAT IS TYPED'\n{command}END OF WHAT IS TYPED\n");
            *script += &format!("printf '== {place}\\n%s\\n' \"$typed\"\neval \"$typed\"\nstatus=$?\n");
            *script += &format!("[ $status -eq {wanted} ] || failed '{place}' $status \"$typed\"\n");
            wanted = 0;
        }
    }
    typed
}

/// What the page says of how a command ends.
fn exit_status(command: &str) -> Option<i32> {
    let (_, comment) = command.split_once('#')?;
    let (_, status) = comment.split_once("exit status ")?;
    status.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The commands of a block, by what bash takes for a whole one.
fn commands(text: &str) -> Vec<String> {
    let (mut commands, mut open) = (Vec::new(), String::new());
    for line in text.lines() {
        if open.is_empty() && line.is_empty() {
            continue;
        }
        open += line;
        open.push('\n');
        if !line.ends_with('\\') && is_whole(&open) {
            commands.push(std::mem::take(&mut open));
        }
    }
    assert!(open.is_empty(), "no command: {open}");
    commands
}

/// A loop without its end is an error, a document without its end a warning.
fn is_whole(text: &str) -> bool {
    let mut bash = Command::new("bash")
        .args(["--noprofile", "--norc", "-n"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let judged = bash.wait_with_output().unwrap();
    judged.status.success() && judged.stderr.is_empty()
}
