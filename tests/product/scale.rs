//! A log too long to be read whole before anything is served: the start reads its end, and the rest is checked while it
//! serves. Nothing that was not checked is used, and what is found ends signing.

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt,
    thread,
    time::{Duration, Instant},
};

use appliance_wire::{
    decode_hashes,
    tree::{leaf_hash, verify_inclusion},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use libtest_mimic::Trial;

use crate::harness::{Installation, Running, body::digest, long_log, trial, watcher::Watcher};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("scale::a_long_log_is_served_from_its_snapshot_and_found_whole_meanwhile", whole),
        trial("scale::a_long_log_goes_on_after_a_kill", killed),
        trial("scale::a_change_in_the_old_part_of_a_long_log_ends_signing", changed),
    ]
}

/// More than a start reads whole.
const ENTRIES: u64 = 21_000;

fn long() -> Installation {
    let installation = Installation::new();
    long_log::grow(&installation, ENTRIES);
    installation
}

/// What `look` finds. The scrub gives way to everything else that runs on the machine.
fn in_the_end<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "not within 180 s: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn wait_until_checked(running: &Running) {
    in_the_end("all of it is checked", || (running.metric("chancery_log_checked") >= ENTRIES).then_some(()));
}

fn whole() {
    let installation = long();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("new", digest("raw", 1));
    for index in [100, 15_000, ENTRIES - 1] {
        let stored = watcher.get(&format!("/v1/signatures/{}", long_log::request_id(index))).good();
        assert_eq!(stored["status"], "signed");
        let (entry, size) = (stored["entry"].as_u64().unwrap(), ENTRIES);
        let bytes = STANDARD.decode(watcher.get(&format!("/v1/log/entries/{entry}")).good()["entry"].as_str().unwrap());
        let answer = watcher.get(&format!("/v1/log/proof/inclusion?index={entry}&size={size}")).good();
        let proof = decode_hashes(&serde_json::from_value::<Vec<String>>(answer["proof"].clone()).unwrap()).unwrap();
        let (root, leaf) = (root(&installation, size), leaf_hash(&bytes.unwrap()));
        verify_inclusion(&leaf, entry, size, &proof, &root).unwrap();
        let again = watcher.refused(&long_log::request_id(index), digest("raw", 2));
        assert!(again.type_uri.ends_with("request-conflict"), "{again:?}");
    }
    wait_until_checked(&running);
    let status = installation.status();
    assert!(status["scrub"]["checked"] == status["scrub"]["of"] && status["scrub"].get("finding").is_none());
    assert_eq!(running.metric("chancery_log_not_whole"), 0);
    running.stop();
}

/// Of the first entries, by the lines alone.
fn root(installation: &Installation, size: u64) -> [u8; 32] {
    let log = std::fs::read_to_string(installation.path("state/log.jsonl")).unwrap();
    let mut frontier = appliance_wire::tree::Frontier::default();
    log.lines().take(size as usize).for_each(|line| {
        frontier.append(line.as_bytes());
    });
    frontier.root()
}

fn killed() {
    let installation = long();
    for round in 0..3 {
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        for number in 0..=round {
            watcher.signed(&format!("new-{number}"), digest("raw", number));
        }
        running.kill();
    }
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    assert_eq!(watcher.get("/v1/signatures/new-2").good()["status"], "signed");
    wait_until_checked(&running);
    running.stop();
}

fn changed() {
    let installation = long();
    let log = OpenOptions::new().read(true).write(true).open(installation.path("state/log.jsonl")).unwrap();
    // Within the first few dozen entries.
    let mut byte = [0];
    log.read_exact_at(&mut byte, 20_000).unwrap();
    log.write_all_at(&[byte[0] ^ 1], 20_000).unwrap();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let finding =
        in_the_end("the change is found", || installation.status()["scrub"]["finding"].as_str().map(str::to_owned));
    assert!(finding.contains("not whole at entry") && finding.contains("docs/recover.md"), "{finding}");
    assert_eq!(running.metric("chancery_log_not_whole"), 1);
    let refused = watcher.refused("new", digest("raw", 1));
    assert!(refused.type_uri.ends_with("audit-log-unavailable") && refused.detail.contains("not whole"), "{refused:?}");
    assert_eq!(running.monitor("/readyz").0, 503);
    drop(running);
}
