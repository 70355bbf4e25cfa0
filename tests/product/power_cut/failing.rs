//! A disk that fails without a power cut: ENOSPC and EIO at each write and sync, and syncs that take seconds.

use std::time::{Duration, Instant};

use faulty_disk::{Call, Errno, Fault, Unsynced};
use libtest_mimic::Trial;

use super::on_disk::OnDisk;
use crate::harness::{Running, body::digest, eventually, installation::POLICY, trial, watcher::Watcher};

/// Every file that is written while the appliance serves, and whether an answer waits for it.
const WRITTEN: [(&str, bool); 3] = [("log.jsonl", true), ("db", false), ("anchor", false)];

/// sled may wait for ever for a write that failed; the appliance waits half a minute for sled.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("power_cut::a_sync_of_ten_seconds_delays_answers_and_loses_none", slow),
        trial("power_cut::a_checkpoint_that_cannot_be_written_costs_no_signature", checkpoint),
    ];
    for (name, waits) in WRITTEN {
        for (call, what) in [(Call::Write, "write"), (Call::Sync, "sync")] {
            let file = name.replace('.', "_");
            let name_of_trial = format!("power_cut::a_failed_{what}_of_{file}_releases_nothing_and_a_restart_mends_it");
            trials.push(Trial::test(name_of_trial, move || {
                [Errno::NOSPC, Errno::IO].into_iter().for_each(|errno| failing(name, waits, call, errno));
                Ok(())
            }));
        }
    }
    trials
}

fn failing(name: &str, waits: bool, call: Call, errno: Errno) {
    let on_disk = OnDisk::with_policy(POLICY);
    let OnDisk { disk, installation } = &on_disk;
    let running = installation.start();
    let watcher = Watcher::new(installation, &running);
    let before = watcher.signed("before", digest("raw", 0));

    disk.fail(Fault { call, name: Some(name.to_owned()), errno, count: 1 });
    let mut answered = Vec::new();
    let begun = Instant::now();
    let problem = loop {
        let id = format!("during-{}", answered.len());
        let answer = watcher.put(&id, digest("raw", 1));
        match answer.status {
            503 => break answer.problem(),
            // Accepted, and its signature waits with the log: nothing left.
            202 => {}
            _ => answered.push((id, answer.good())),
        }
        assert!(begun.elapsed() < NOTICED_WITHIN, "{call:?} of {name}, {errno}: it goes on");
        // Each of these is asked again in every life: few enough for the half minute that sled may hang.
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(problem.type_uri, "urn:chancery:problem:audit-log-unavailable");
    assert_eq!(disk.failed(), 1);
    assert!(!waits || answered.is_empty(), "{answered:?} left, and what holds it was not written");
    // The disk is well again, and nobody knows what is on it.
    let problem = watcher.refused("while-broken", digest("raw", 2));
    assert!(problem.detail.contains("restart"), "{}", problem.detail);
    assert_eq!(watcher.signed("before", digest("raw", 0)), before, "what is signed is still answered");
    running.kill();
    answered.push(("before".to_owned(), before));

    // What the failed sync should have made durable can be read until the power is cut; and then it is cut, twice. Of
    // the store nobody can write all of it again: there a cut may take what only the log then has.
    let cuts = (name, call) != ("db", Call::Sync);
    for life in 0..3 {
        let running = Running::try_start(installation, &[])
            .unwrap_or_else(|said| panic!("{call:?} of {name}, {errno}, life {life}: {said}"));
        let watcher = Watcher::new(installation, &running);
        for (id, answer) in &answered {
            let number = if id == "before" { 0 } else { 1 };
            assert_eq!(watcher.signed(id, digest("raw", number)), *answer, "{id}, life {life}");
        }
        answered.push((format!("after-{life}"), watcher.signed(&format!("after-{life}"), digest("raw", 1))));
        if cuts {
            disk.cut(Unsynced::Dropped);
        }
        running.kill();
        disk.power_on();
        installation.assert_log_verifies();
    }
}

fn checkpoint() {
    let on_disk = OnDisk::with_policy(POLICY);
    let OnDisk { disk, installation } = &on_disk;
    let running = installation.start();
    let watcher = Watcher::new(installation, &running);
    for (call, name) in
        [(Call::Write, "checkpoint.next"), (Call::Sync, "checkpoint.next"), (Call::Rename, "checkpoint")]
    {
        let failed = disk.failed();
        disk.fail(Fault { call, name: Some(name.to_owned()), errno: Errno::IO, count: 1 });
        watcher.signed(&format!("{call:?}"), digest("raw", 1));
        eventually("the fault", || (disk.failed() > failed).then_some(()));
        watcher.signed(&format!("{call:?}-after"), digest("raw", 1));
    }
    let size = installation.entries().len() as u64;
    let newest = || std::fs::read_to_string(installation.path("state/checkpoint")).ok()?.lines().nth(1)?.parse().ok();
    eventually("a checkpoint of all", || newest().filter(|newest: &u64| *newest >= size));
    disk.cut(Unsynced::Dropped);
    running.kill();
    disk.power_on();
    installation.start().stop();
    installation.assert_log_verifies();
}

fn slow() {
    const SYNC: Duration = Duration::from_secs(10);
    let on_disk = OnDisk::with_policy(POLICY);
    let OnDisk { disk, installation } = &on_disk;
    let running = installation.start();
    let watcher = Watcher::new(installation, &running);
    let requests = || (0..8).map(|number| (format!("slow-{number}"), digest("raw", number)));
    disk.slow_sync(SYNC);
    let begun = Instant::now();
    let answers = watcher.put_at_once(requests());
    assert!(begun.elapsed() >= SYNC, "answered in {:?}, and the sync takes {SYNC:?}", begun.elapsed());
    for answer in answers.iter().filter(|answer| !matches!(answer.status, 200 | 202)) {
        assert_eq!(answer.problem().type_uri, "urn:chancery:problem:audit-log-unavailable");
    }
    disk.slow_sync(Duration::ZERO);
    let signed = requests().map(|(id, body)| {
        eventually("signed", || {
            let answer = watcher.put(&id, &body);
            (answer.status == 200).then(|| answer.json())
        })
    });
    let signed: Vec<_> = signed.collect();
    disk.cut(Unsynced::Dropped);
    running.kill();
    disk.power_on();
    let running = installation.start();
    let watcher = Watcher::new(installation, &running);
    for ((id, body), answer) in requests().zip(signed) {
        assert_eq!(watcher.signed(&id, body), answer);
        assert_eq!(installation.kinds_of(&id), ["accepted", "signed"], "{id}");
    }
    running.stop();
    installation.assert_log_verifies();
}
