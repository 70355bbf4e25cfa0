//! An older copy of the state directory under a token that knows better: refused, or paid for out of every limit.
//!
//! For soak runs: `CHANCERY_TEST_ROLLBACKS` (older copies restored, 20), `CHANCERY_TEST_SEED` (1).

mod sums;
mod twins;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use libtest_mimic::Trial;
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::harness::{
    Installation, Running,
    body::{digest, payment},
    eventually, load, trial,
    watcher::Watcher,
    yubihsms::Yubihsm,
};

pub(crate) fn trials() -> Vec<Trial> {
    let of = |kind: &'static str, name: &str, test: fn(&Scene)| {
        Trial::test(format!("rollback::{kind}::{name}"), move || {
            test(&Scene::new(kind));
            Ok(())
        })
    };
    let kinds = ["softhsm", "yubihsm"].into_iter().flat_map(|kind| {
        [
            of(kind, "every_older_copy_is_refused_after_a_clean_stop", older_copies),
            of(kind, "a_start_after_a_kill_charges_every_limit_and_one_after_a_stop_none", charged),
            of(kind, "the_second_appliance_on_one_token_freezes_the_first", twins::the_first_is_frozen),
            of(
                kind,
                "the_second_appliance_on_one_token_is_refused_once_the_first_has_written",
                twins::the_second_is_refused,
            ),
        ]
    });
    let others = [
        trial("rollback::all_runs_together_stay_within_the_limit_however_often_it_is_rolled_back", sums::sums),
        trial("rollback::of_two_that_start_at_the_same_moment_one_signs_no_more_than_the_share", twins::at_once),
        trial("rollback::a_token_without_the_anchor_is_refused", anchor_gone),
        trial("rollback::starts_without_the_token_are_no_dead_end", without_token),
        trial("rollback::a_rollback_found_when_the_token_comes_back_ends_the_appliance", found_late),
    ];
    kinds.chain(others).collect()
}

/// An installation, and the device its token is, where it is no software.
struct Scene {
    installation: Installation,
    devices: Vec<Yubihsm>,
}

impl Scene {
    fn new(kind: &str) -> Self {
        if kind == "softhsm" {
            return Self { installation: Installation::new(), devices: Vec::new() };
        }
        let (installation, devices) = Installation::serving_yubihsms(1, std::time::Duration::ZERO);
        Self { installation, devices }
    }

    /// Frees the sessions of those that ended: a device holds sixteen, and forgets each after thirty seconds only.
    fn power_cycle(&self) {
        for device in &self.devices {
            device.unplug();
            device.plug_in();
        }
    }
}

fn copy_all(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn keep(installation: &Installation, name: &str) -> PathBuf {
    let copy = installation.path(name);
    copy_all(&installation.path("state"), &copy);
    copy
}

fn restore(installation: &Installation, copy: &Path) {
    copy_all(copy, &installation.path("state"));
}

/// A copy as a thief of the running disk has it: everything of one moment.
fn keep_of_running(installation: &Installation, running: &Running, name: &str) -> PathBuf {
    kill_process(running.pid(), Signal::STOP).unwrap();
    eventually("every thread of it stands still", || stands_still(running).then_some(()));
    let copy = keep(installation, name);
    kill_process(running.pid(), Signal::CONT).unwrap();
    copy
}

fn stands_still(running: &Running) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.pid().as_raw_nonzero())).unwrap();
    // PID (NAME) STATE ...
    let state = |stat: String| stat.rsplit_once(") ").unwrap().1.starts_with('T');
    tasks.map_while(Result::ok).all(|task| fs::read_to_string(task.path().join("stat")).is_ok_and(state))
}

/// What a start says that is refused for good.
fn refused(installation: &Installation, what: &str) -> String {
    let Err(said) = Running::try_start(installation, &[]) else { panic!("{what}: it serves") };
    assert!(said.contains("exit status: 78"), "{what}: {said}");
    said.lines().last().unwrap().to_owned()
}

fn used(watcher: &Watcher, name: &str) -> Value {
    let limits = watcher.get("/v1/limits").good();
    limits["limits"].as_array().unwrap().iter().find(|limit| limit["name"] == name).unwrap()["used"].clone()
}

fn older_copies(scene: &Scene) {
    let installation = &scene.installation;
    let count = load::number("CHANCERY_TEST_ROLLBACKS", 20);
    let mut copies = Vec::new();
    for number in 0..count {
        scene.power_cycle();
        copies.push(keep(installation, &format!("copy-{number}")));
        let running = installation.start();
        Watcher::new(installation, &running).signed(&format!("a-{number}"), digest("raw", number as u64));
        running.stop();
    }
    keep(installation, "newest");
    for (number, copy) in copies.iter().enumerate() {
        scene.power_cycle();
        if number % 10 == 9 {
            // Starts that are refused leave their traces in the device's own log, and it is emptied only while serving.
            restore(installation, &installation.path("newest"));
            installation.start().stop();
            keep(installation, "newest");
        }
        restore(installation, copy);
        let said = refused(installation, &format!("copy {number}"));
        assert!(said.contains("a valid but shorter log") && said.contains("Restore the newest copy"), "{said}");
    }
    restore(installation, &installation.path("newest"));
    let running = installation.start();
    let watcher = Watcher::new(installation, &running);
    (0..count).for_each(|number| drop(watcher.signed(&format!("a-{number}"), digest("raw", number as u64))));
    running.stop();
    installation.assert_log_verifies();
}

fn charged(scene: &Scene) {
    let installation = &scene.installation;
    let percents = || -> Vec<Value> {
        let entries = installation.entries();
        entries.iter().filter(|entry| entry["kind"] == "boot").map(|boot| boot["unanchored_percent"].clone()).collect()
    };
    for (place, (expected, end)) in
        [("0", "stop"), ("0.1", "kill"), ("0.7", "kill"), ("1.3", "stop"), ("1.4", "stop")].into_iter().enumerate()
    {
        let running = installation.start();
        let watcher = Watcher::new(installation, &running);
        assert_eq!(used(&watcher, "hot wallet, a day"), expected, "start {place}");
        watcher.signed(&format!("a-{place}"), payment(place as u64, "0.0999", "0.0001"));
        if end == "stop" { running.stop() } else { running.kill() }
    }
    let none = Value::Null;
    assert_eq!(percents(), [none.clone(), none.clone(), 5.into(), 5.into(), none]);
    assert!(installation.entries().iter().filter(|entry| entry["kind"] == "boot").all(|boot| boot["anchored"] == true));
    installation.assert_log_verifies();
}

fn anchor_gone() {
    let installation = Installation::new();
    copy_all(&installation.path("token"), &installation.path("token-before"));
    installation.start().stop();
    copy_all(&installation.path("token"), &installation.path("token-after"));
    copy_all(&installation.path("token-before"), &installation.path("token"));
    let said = refused(&installation, "an older token");
    assert!(said.contains("holds its anchor, and there is none"), "{said}");
    copy_all(&installation.path("token-after"), &installation.path("token"));
    installation.start().stop();
}

fn unplug(installation: &Installation) {
    fs::rename(installation.path("token/objects"), installation.path("token/away")).unwrap();
}

fn plug_in(installation: &Installation) {
    fs::rename(installation.path("token/away"), installation.path("token/objects")).unwrap();
}

fn without_token() {
    let installation = Installation::new();
    let running = installation.start();
    Watcher::new(&installation, &running).signed("before", digest("raw", 1));
    running.stop();
    unplug(&installation);
    for end in ["stop", "kill", "stop"] {
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        assert_eq!(watcher.put("a", digest("raw", 2)).code(), "token-unavailable");
        installation.run("chancery", &["freeze", "--key", "ed", "--reason", "while the token is away"]);
        if end == "stop" { running.stop() } else { running.kill() }
    }
    plug_in(&installation);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", digest("raw", 2));
    // Each start without the token might have been over a rolled back disk; the last one was not.
    assert_eq!(used(&watcher, "hot wallet, a day"), "1.5");
    running.stop();
    installation.assert_log_verifies();
}

fn found_late() {
    let installation = Installation::new();
    let older = keep(&installation, "older");
    let running = installation.start();
    Watcher::new(&installation, &running).signed("before", digest("raw", 1));
    running.stop();
    restore(&installation, &older);
    unplug(&installation);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.put("a", digest("raw", 2)).code(), "token-unavailable");
    plug_in(&installation);
    assert_eq!(running.wait().code(), Some(78));
    let said = fs::read_to_string(installation.path("appliance.log")).unwrap();
    assert!(said.lines().last().unwrap().contains("a valid but shorter log"), "{said}");
    assert!(!installation.kinds_of("a").contains(&"accepted".to_owned()));
}
