//! A state directory that was changed: the start is refused and says where, or nothing was lost. Never a shorter log,
//! never an empty one, never a hang.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use libtest_mimic::Trial;

use crate::harness::{Installation, Running, body::digest, trial, watcher::Watcher};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("tamper::any_changed_line_of_the_log_is_refused_at_its_index", changed_lines),
        trial("tamper::a_file_that_is_gone_or_empty_is_refused_or_harmless", missing_files),
        trial("tamper::an_older_part_beside_newer_ones_is_refused_or_harmless", older_parts),
        trial("tamper::a_changed_byte_of_the_store_or_the_anchor_is_refused_or_harmless", changed_store),
        trial("tamper::a_link_a_pipe_or_a_folder_in_place_of_a_file_refuses_the_start", odd_files),
        trial("tamper::two_appliances_on_one_log_are_not_possible", two_at_once),
    ]
}

/// An installation whose log was made in two runs, and copies of its state after each; of its token after the second.
struct Scene {
    installation: Installation,
    older: PathBuf,
    newer: PathBuf,
    lines: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        let installation = Installation::new();
        let (older, newer) = (installation.path("older"), installation.path("newer"));
        for (run, copy) in [(0, &older), (1, &newer)] {
            let running = installation.start();
            let watcher = Watcher::new(&installation, &running);
            (0..8).for_each(|n| drop(watcher.signed(&format!("{run}-{n}"), digest("raw", n))));
            running.stop();
            copy_all(&installation.path("state"), copy);
        }
        copy_all(&installation.path("token"), &installation.path("newer-token"));
        let log = fs::read_to_string(newer.join("log.jsonl")).unwrap();
        let lines = log.lines().map(|line| format!("{line}\n")).collect();
        Self { installation, older, newer, lines }
    }

    /// Starts on the newer state as `change` leaves it. What the refusal says; none where it serves with every entry.
    fn start_after(&self, what: &str, change: impl FnOnce(&Path)) -> Option<String> {
        let state = self.installation.path("state");
        fs::remove_dir_all(&state).unwrap();
        copy_all(&self.newer, &state);
        // With the anchor as it was then, for the starts before this one have moved it on.
        let token = self.installation.path("token");
        fs::remove_dir_all(&token).unwrap();
        copy_all(&self.installation.path("newer-token"), &token);
        change(&state);
        match Running::try_start(&self.installation, &[]) {
            Ok(running) => {
                running.stop();
                let log = fs::read_to_string(state.join("log.jsonl")).unwrap();
                assert!(log.starts_with(&self.lines.concat()), "{what}: it serves, and entries are gone");
                self.installation.assert_log_verifies();
                None
            }
            Err(said) => {
                assert!(said.contains("exit status: 78"), "{what}: {said}");
                let last = said.lines().last().unwrap().to_owned();
                assert!(last.starts_with("chancery: "), "{what}: {said}");
                Some(last)
            }
        }
    }

    fn refused(&self, what: &str, change: impl FnOnce(&Path)) -> String {
        self.start_after(what, change).unwrap_or_else(|| panic!("{what}: it serves"))
    }

    fn write_lines(&self, state: &Path, lines: &[String]) {
        fs::write(state.join("log.jsonl"), lines.concat()).unwrap();
    }

    /// Exit status of `audit verify` on what the last start left.
    fn verify(&self) -> Option<i32> {
        self.installation.command("chancery", &["audit", "verify"]).output().unwrap().status.code()
    }
}

pub(crate) fn copy_all(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn flip(path: &Path, position: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[position] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn changed_lines() {
    let scene = Scene::new();
    let length = scene.lines.concat().len();
    for position in (0..length).step_by(length / 25) {
        let said = scene.refused(&format!("byte {position}"), |state| flip(&state.join("log.jsonl"), position));
        let index = scene.lines.concat()[..position].matches('\n').count();
        // A changed line end joins two entries, and the first of them is bad.
        assert!(
            said.contains(&format!("at entry {index}")) || said.contains(&format!("at entry {}", index + 1)),
            "{said}"
        );
        assert_eq!(scene.verify(), Some(3), "byte {position}");
    }
    let last = scene.lines.len() - 1;
    for index in [0, 1, last / 2, last] {
        let mut without = scene.lines.clone();
        let line = without.remove(index);
        scene.refused(&format!("without line {index}"), |state| scene.write_lines(state, &without));
        assert_eq!(scene.verify(), Some(3));
        let mut twice = scene.lines.clone();
        twice.insert(index, line);
        scene.refused(&format!("line {index} twice"), |state| scene.write_lines(state, &twice));
        assert_eq!(scene.verify(), Some(3));
    }
    let mut swapped = scene.lines.clone();
    swapped.swap(last - 1, last);
    scene.refused("swapped", |state| scene.write_lines(state, &swapped));
    for cut in [1, length / 3, length / 2, length - 1] {
        scene.refused(&format!("cut at {cut}"), |state| {
            fs::write(state.join("log.jsonl"), &scene.lines.concat()[..cut]).unwrap();
        });
        assert_eq!(scene.verify(), Some(3));
    }
    // An incomplete line behind the last entry is what a crash leaves: cut, and the cut is recorded.
    let torn = [scene.lines.concat().as_bytes(), b"{\"half"].concat();
    assert_eq!(scene.start_after("torn", |state| fs::write(state.join("log.jsonl"), torn).unwrap()), None);
    let boot = scene.installation.entries().pop().unwrap();
    assert_eq!((&boot["kind"], &boot["cut_bytes"]), (&"boot".into(), &6.into()));
}

fn missing_files() {
    let scene = Scene::new();
    for name in ["log.jsonl", "anchor", "store/db"] {
        scene.refused(&format!("no {name}"), |state| fs::remove_file(state.join(name)).unwrap());
        scene.refused(&format!("empty {name}"), |state| fs::write(state.join(name), []).unwrap());
    }
    scene.refused("no store", |state| fs::remove_dir_all(state.join("store")).unwrap());
    let said = scene.refused("nothing", |state| {
        fs::remove_dir_all(state).unwrap();
        fs::create_dir(state).unwrap();
    });
    assert!(said.contains("--genesis"), "{said}");
    for name in ["lock", "checkpoint"] {
        assert_eq!(scene.start_after(name, |state| fs::remove_file(state.join(name)).unwrap()), None);
    }
    scene.refused("empty checkpoint", |state| fs::write(state.join("checkpoint"), []).unwrap());
}

fn odd_files() {
    let scene = Scene::new();
    let run = |program: &str, arguments: &[&Path]| {
        assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
    };
    for name in ["log.jsonl", "anchor", "checkpoint", "format", "lock"] {
        // What the link leads to is good.
        let said = scene.refused(&format!("a link as {name}"), |state| {
            let elsewhere = scene.installation.path("elsewhere");
            fs::rename(state.join(name), &elsewhere).unwrap();
            std::os::unix::fs::symlink(&elsewhere, state.join(name)).unwrap();
        });
        assert!(said.contains(name) && said.contains("it is a symbolic link"), "{said}");
        let said = scene.refused(&format!("a pipe as {name}"), |state| {
            fs::remove_file(state.join(name)).unwrap();
            run("mkfifo", &[&state.join(name)]);
        });
        assert!(said.contains(name), "{said}");
        let said = scene.refused(&format!("a folder as {name}"), |state| {
            fs::remove_file(state.join(name)).unwrap();
            fs::create_dir(state.join(name)).unwrap();
        });
        assert!(said.contains(name), "{said}");
    }
}

fn older_parts() {
    let scene = Scene::new();
    let put_older = |state: &Path, name: &str| {
        let target = state.join(name);
        let _ = fs::remove_dir_all(&target).or_else(|_| fs::remove_file(&target));
        copy_all(&scene.older.join(name), &target);
    };
    scene.refused("older log", |state| put_older(state, "log.jsonl"));
    scene.refused("older store", |state| put_older(state, "store"));
    assert_eq!(scene.start_after("older anchor", |state| put_older(state, "anchor")), None);
    // Everything older but the checkpoint: consistent in itself, and yet something newer was signed.
    let said = scene.refused("older but for the checkpoint", |state| {
        ["log.jsonl", "store", "anchor"].iter().for_each(|name| put_older(state, name));
    });
    assert!(said.contains("checkpoint"), "{said}");
    // Older store and anchor under a newer log: the log brings them up to date.
    let behind =
        scene.start_after("log ahead", |state| ["store", "anchor"].iter().for_each(|name| put_older(state, name)));
    assert_eq!(behind, None);
}

fn changed_store() {
    let scene = Scene::new();
    let length = fs::metadata(scene.newer.join("store/db")).unwrap().len() as usize;
    for position in (0..length).step_by(length / 20) {
        scene.start_after(&format!("store byte {position}"), |state| flip(&state.join("store/db"), position));
    }
    for slot in [0, 1] {
        let damaged =
            scene.start_after(&format!("anchor slot {slot}"), |state| flip(&state.join("anchor"), slot * 512 + 80));
        assert_eq!(damaged, None, "the other slot is whole");
    }
    let said =
        scene.refused("both slots", |state| (0..2).for_each(|slot| flip(&state.join("anchor"), slot * 512 + 80)));
    assert!(said.contains("anchor"), "{said}");
}

fn two_at_once() {
    let installation = Installation::new();
    let running = installation.start();
    installation.edit_config(|config| config.replace("admin.sock", "other.sock"));
    let Err(said) = Running::try_start(&installation, &[]) else { panic!("two on one log") };
    assert!(said.contains("exit status: 78") && said.contains("another process has it open"), "{said}");
    running.stop();
}
