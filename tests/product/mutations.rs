//! A state directory of which anything was changed: refused in words that help and without a trace, or as good as before.
//! Never shorter, never with other answers or budgets, never a panic or a hang.
//!
//! For soak runs: `CHANCERY_TEST_MUTATIONS` (random ones, 1000), `CHANCERY_TEST_SEED` (1).

mod change;
pub(crate) mod files;
mod opener;
mod scene;
mod systematic;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use libtest_mimic::Trial;
use serde_json::Value;

use self::{
    change::{Change, KINDS},
    files::Files,
    opener::{Opener, Verdict},
    scene::Scene,
};
use crate::harness::{
    Running,
    load::{self, Random},
    trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("mutations::every_place_changed_once_is_refused_or_harmless", every_place),
        trial("mutations::the_program_refuses_and_serves_as_the_log_is_judged_here", programs),
    ];
    trials.extend((0..PARTS).map(|part| {
        Trial::test(format!("mutations::random_changes_are_refused_or_harmless_{}", part + 1), move || {
            at_random(part);
            Ok(())
        })
    }));
    trials
}

/// Runs as the process that opens directories, where this one was started as such.
pub(crate) fn program() -> Option<ExitCode> {
    std::env::args_os().next().is_some_and(|name| name == opener::PROGRAM).then(opener::run)
}

/// Trials, so that some can run at once.
const PARTS: usize = 2;
const STARTS: usize = 56;

/// Opens changed copies of a scene's directory, and keeps what was wrong.
struct Judge {
    opener: Opener,
    /// Memory where there is such a disk: thousands of directories are made and synced.
    _beside: tempfile::TempDir,
    directory: PathBuf,
    /// What the unchanged directory opens as.
    expected: Value,
    refused: usize,
    harmless: usize,
    slowest: Duration,
    wrong: Vec<String>,
}

impl Judge {
    fn new(scene: &Scene) -> Self {
        let memory = PathBuf::from("/dev/shm");
        let beside = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let beside = tempfile::Builder::new().prefix("chancery").tempdir_in(beside).unwrap();
        let directory = beside.path().join("case");
        let mut opener = Opener::new(scene.write_known());
        scene.newest.write(&directory);
        let (Verdict::Opened(expected), _) = opener.open(&directory) else { panic!("the unchanged one is refused") };
        assert_eq!(
            (&expected["wrong"], &expected["works"]),
            (&Value::Array(vec![]), &serde_json::json!({ "Ok": null }))
        );
        opener.anchor_at(&expected);
        let (refused, harmless, slowest, wrong) = (0, 0, Duration::ZERO, Vec::new());
        let mut judge = Self { opener, _beside: beside, directory, expected, refused, harmless, slowest, wrong };
        // Twice harmless: as the last run left it, and as a killed one would have.
        judge.judge("unchanged", &scene.newest);
        judge.judge("behind", &scene.behind);
        assert_eq!((judge.harmless, &judge.wrong), (2, &Vec::new()));
        judge
    }

    /// Whether it is refused.
    fn judge(&mut self, what: &str, files: &Files) -> bool {
        files.write(&self.directory);
        let (verdict, took) = self.opener.open(&self.directory);
        self.slowest = self.slowest.max(took);
        match verdict {
            Verdict::Refused(reason) => {
                self.refused += 1;
                let changed = opener::changed(files, &self.directory);
                if !changed.is_empty() {
                    self.wrong.push(format!("{what}: refused ({reason}), and changed {changed:?}"));
                }
                if !helps(&reason) {
                    self.wrong.push(format!("{what}: what to do? {reason}"));
                }
                true
            }
            Verdict::Opened(found) => {
                self.harmless += 1;
                if found != self.expected {
                    self.wrong.push(format!("{what}: accepted as another: {}", difference(&found, &self.expected)));
                }
                false
            }
            Verdict::Bad(bad) => {
                self.wrong.push(format!("{what}: {bad}"));
                true
            }
        }
    }

    fn finish(self, most_harmless: usize) {
        let Self { refused, harmless, slowest, wrong, .. } = self;
        println!("{refused} refused, {harmless} harmless, the slowest in {slowest:?}");
        let shown: Vec<&String> = wrong.iter().take(12).collect();
        assert!(wrong.is_empty(), "{} are wrong:\n{shown:#?}", wrong.len());
        assert!(harmless <= most_harmless, "{harmless} are harmless: what is changed is not read");
    }
}

/// Whether a refusal names where, and says what to do.
fn helps(reason: &str) -> bool {
    let places = ["entry ", "log.jsonl", "store", "anchor", "checkpoint", "mirror", "there is none", "state"];
    let advice = ["docs/recover.md", "Restore", "estore the newest", "Bring", "ring the", "rebuild", "`chancery"];
    places.iter().any(|place| reason.contains(place)) && advice.iter().any(|advice| reason.contains(advice))
}

fn difference(found: &Value, expected: &Value) -> String {
    let members = expected.as_object().unwrap().keys().filter(|name| found[*name] != expected[*name]);
    let brief = |value: &Value| value.to_string().chars().take(600).collect::<String>();
    members.map(|name| format!("{name} {} in place of {}; ", brief(&found[name]), brief(&expected[name]))).collect()
}

fn every_place() {
    let scene = Scene::new();
    let mut judge = Judge::new(&scene);
    let changes = systematic::all(&scene.newest, &scene);
    assert!(changes.len() >= 500, "{} changes are no system", changes.len());
    println!("{} changes, one at a time", changes.len());
    for change in &changes {
        let mut files = scene.newest.clone();
        change.apply(&mut files, &scene);
        judge.judge(&format!("{change:?}"), &files);
    }
    judge.finish(changes.len() / 2);
}

/// Up to three changes, of the directory as it was left by a run that ended in order, or by one that was killed.
fn mutate(random: &mut Random, kind: usize, scene: &Scene) -> (String, Files) {
    let (mut files, of) = match random.below(3) {
        0 => (scene.behind.clone(), "behind"),
        _ => (scene.newest.clone(), "newest"),
    };
    let mut changes: Vec<Change> = Vec::new();
    for nth in 0..[1, 1, 1, 1, 2, 3][random.below(6) as usize] {
        let kind = if nth == 0 { kind } else { random.below(KINDS as u64) as usize };
        let change = change::random(random, kind, &files, scene);
        change.apply(&mut files, scene);
        changes.push(change);
    }
    (format!("{of}: {changes:?}"), files)
}

fn at_random(part: usize) {
    let scene = Scene::new();
    let mut judge = Judge::new(&scene);
    let seed = load::number("CHANCERY_TEST_SEED", 1) as u64 ^ ((part as u64) << 32);
    let count = load::number("CHANCERY_TEST_MUTATIONS", 1_000).div_ceil(PARTS);
    println!("{count} changes at random, seed {seed}");
    let mut random = Random(seed);
    for nth in 0..count {
        let (what, files) = mutate(&mut random, nth % KINDS, &scene);
        judge.judge(&format!("{nth}, {what}"), &files);
    }
    judge.finish(count * 2 / 3);
}

/// A sample, each kind among it, through the real program with its token.
fn programs() {
    let scene = Scene::new();
    let mut judge = Judge::new(&scene);
    let mut random = Random(load::number("CHANCERY_TEST_SEED", 1) as u64 ^ 0xffff);
    for nth in 0..STARTS {
        let (what, files) = mutate(&mut random, nth % KINDS, &scene);
        let refused = judge.judge(&what, &files);
        start(&scene, &files, refused, &what);
    }
    judge.finish(STARTS * 2 / 3);
    assert_mended_from_the_mirror(&scene);
}

/// A tail that is not in the store yet and was changed: only checkpoint and token know. The start that is refused has not
/// brought it into store and anchor, so that the mirror mends it.
fn assert_mended_from_the_mirror(scene: &Scene) {
    let mut files = scene.behind.clone();
    let log = files.bytes_mut("state/log.jsonl").unwrap();
    let salt = log.windows(8).rposition(|part| part == b"\"salt\":\"").unwrap() + 8;
    log[salt] = if log[salt] == b'0' { b'1' } else { b'0' };
    start(scene, &files, true, "another salt");
    scene.installation.run("chancery", &["audit", "rebuild", "--from", "mirror"]);
    scene.installation.start().stop();
    scene.installation.assert_log_verifies();
    let log = std::fs::read(scene.installation.path("state/log.jsonl")).unwrap();
    assert!(log.starts_with(scene.newest.bytes("state/log.jsonl").unwrap()));
}

fn start(scene: &Scene, files: &Files, refused: bool, what: &str) {
    let installation = &scene.installation;
    scene.restore_token();
    scene::NAMES.iter().for_each(|name| drop(std::fs::remove_dir_all(installation.path(name))));
    files.write_into(installation.directory());
    match Running::try_start(installation, &[]) {
        Err(said) => {
            assert!(refused && said.contains("exit status: 78"), "{what}: {said}");
            let last = said.lines().last().unwrap();
            assert!(last.starts_with("chancery: ") && helps(last), "{what}: {last}");
            let changed = opener::changed(files, installation.directory());
            assert!(changed.is_empty(), "{what}: refused, and changed {changed:?}: {last}");
        }
        Ok(running) => {
            assert!(!refused, "{what}: it serves");
            let watcher = Watcher::new(installation, &running);
            for (id, (body, answer)) in scene.asked.iter().step_by(29) {
                assert_eq!(watcher.put(id, body).body, *answer, "{what}: {id}");
            }
            running.stop();
        }
    }
}
