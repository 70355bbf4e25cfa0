//! Power cut at every point of what is done once: the genesis, the first start, a start after a kill.

use std::os::unix::process::ExitStatusExt;

use faulty_disk::Unsynced;
use libtest_mimic::Trial;
use rustix::process::Signal;

use super::on_disk::{OnDisk, both};
use crate::harness::{Installation, Running, body::digest, installation::POLICY, trial, watcher::Watcher};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("power_cut::a_genesis_cut_at_any_point_can_be_had_again_and_one_that_was_told_stays", genesis),
        trial("power_cut::a_first_start_cut_at_any_point_is_followed_by_a_good_one", first_start),
        trial("power_cut::a_start_after_a_kill_cut_at_any_point_is_followed_by_a_good_one", start_after_kill),
    ]
}

fn genesis() {
    let on_disk = OnDisk::without_log();
    let OnDisk { disk, installation } = &on_disk;
    installation.write_policy(POLICY);
    let empty = on_disk.save();
    let before = disk.changes();
    assert!(on_disk.genesis().status.success());
    let changes = disk.changes() - before;
    assert!(changes > 10, "{changes} changes make a log?");

    disk.cut(Unsynced::Dropped);
    disk.power_on();
    installation.assert_log_verifies();
    for nth in 1..=changes {
        // Torn, a point differs little from the next one: every fourth is enough.
        for unsynced in both(nth).into_iter().take(if nth.is_multiple_of(4) { 2 } else { 1 }) {
            on_disk.restore(&empty);
            disk.cut_before_change(nth, unsynced);
            let cut = on_disk.genesis();
            assert!(!cut.status.success() && !disk.is_on(), "change {nth} of {changes}: the genesis says it is done");
            disk.power_on();
            begin_after_cut(&on_disk, &format!("change {nth} of {changes}, {unsynced:?}"));
        }
    }
    signs(installation, "after-all");
}

/// There is a whole log, or the same command makes one.
fn begin_after_cut(on_disk: &OnDisk, what: &str) {
    let again = on_disk.genesis();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    if !again.status.success() {
        assert!(said.contains("there is a log"), "{what}: {said}");
    }
    on_disk.installation.assert_log_verifies();
    let kinds: Vec<_> = on_disk.installation.entries().iter().map(|entry| entry["kind"].to_string()).collect();
    assert_eq!(kinds[..2], ["\"genesis\"", "\"policy\""], "{what}");
}

fn first_start() {
    let on_disk = OnDisk::with_policy(POLICY);
    let fresh = on_disk.save();
    every_point_of_a_start(&on_disk, || on_disk.restore(&fresh));
}

fn start_after_kill() {
    let on_disk = OnDisk::with_policy(POLICY);
    let installation = &on_disk.installation;
    installation.start().stop();
    // Written, and killed before the sync: what the next start reads back is not durable.
    let plan = "before-sync:2";
    let running = Running::start(installation, &[("CHANCERY_TESTING_ONLY_KILL_AT", plan)]);
    Watcher::new(installation, &running).try_put_at_once([("a".to_owned(), digest("raw", 1))]);
    assert_eq!(running.wait().signal(), Some(Signal::KILL.as_raw()));
    assert_eq!(installation.kinds_of("a"), ["accepted"], "nothing was left that is not synced");
    let killed = on_disk.save();
    every_point_of_a_start(&on_disk, || on_disk.restore(&killed));
}

/// Cuts a start before each of its changes; the next one, without a cut, must serve.
fn every_point_of_a_start(on_disk: &OnDisk, prepare: impl Fn()) {
    for nth in 1.. {
        let mut came = false;
        for unsynced in both(nth) {
            prepare();
            came |= on_disk.start_and_cut_before(nth, unsynced);
            let started = Running::try_start(&on_disk.installation, &[]);
            let running = started.unwrap_or_else(|said| panic!("cut before change {nth}, {unsynced:?}: {said}"));
            drop(running);
            on_disk.installation.assert_log_verifies();
        }
        if !came {
            assert!(nth > 3, "a start has more changes");
            break;
        }
    }
    signs(&on_disk.installation, "after-all");
}

fn signs(installation: &Installation, id: &str) {
    let running = installation.start();
    Watcher::new(installation, &running).signed(id, digest("raw", 1));
    running.stop();
    installation.assert_log_verifies();
}
