//! Power cut at any moment under load.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use faulty_disk::Unsynced;
use libtest_mimic::Trial;
use rustls::ClientConfig;
use tokio::task::JoinSet;

use super::on_disk::OnDisk;
use crate::{
    crash::account_after_restart,
    harness::{
        block_on,
        load::{self, Random, Shared, TIGHT, TIGHT_LIMITS},
    },
};

/// The limits of [`TIGHT`] are reached within so many cuts; then a new log begins.
const CUTS_OF_A_LOG: usize = 10;
/// Trials, so that some can run at once.
const PARTS: usize = 8;

pub(super) fn trials() -> Vec<Trial> {
    let part = |number: usize| {
        let (what, torn) = if number.is_multiple_of(2) { ("drops", false) } else { ("tears", true) };
        let name = format!("power_cut::a_cut_that_{what}_what_was_not_synced_loses_no_answer_{}", number / 2 + 1);
        Trial::test(name, move || {
            cut_under_load(number, torn);
            Ok(())
        })
    };
    (0..PARTS).map(part).collect()
}

fn cut_under_load(part: usize, torn: bool) {
    let on_disk = OnDisk::with_policy(TIGHT);
    let fresh = on_disk.save();
    let mut random = Random(load::number("CHANCERY_TEST_SEED", 1) as u64 ^ ((part as u64) << 32));
    let mut left = load::number("CHANCERY_TEST_CUTS", 200).div_ceil(PARTS);
    let (mut logs, mut answers) = (0, 0);
    while left > 0 {
        on_disk.restore(&fresh);
        let cuts = left.min(CUTS_OF_A_LOG);
        answers += one_log(&on_disk, &mut random, &format!("{part}-{logs}"), cuts, torn);
        left -= cuts;
        logs += 1;
    }
    assert!(answers > 100 * logs, "{answers} answers are no load");
}

/// Cuts one log so often, and accounts for it. Returns how many answers there were.
fn one_log(on_disk: &OnDisk, random: &mut Random, name: &str, cuts: usize, torn: bool) -> usize {
    let OnDisk { disk, installation } = on_disk;
    let tls = load::watcher_tls(installation);
    let book = Shared::default();
    for cut in 0..cuts {
        let seed = random.next();
        let unsynced = if torn { Unsynced::Torn(seed) } else { Unsynced::Dropped };
        println!("log {name}, cut {cut}: {unsynced:?}");
        // A disk without delay hardly ever has anything that is not synced.
        disk.slow_sync(Duration::from_millis([0, 3, 15][random.below(3) as usize]));
        match cut % 5 {
            4 => drop(on_disk.start_and_cut_before(1 + random.below(30), unsynced)),
            3 => {
                load_until(on_disk, &tls, &book, &format!("{name}-{cut}"), 20 + random.below(100), None);
                on_disk.start_and_cut_before(1 + random.below(30), unsynced);
            }
            _ => {
                let wait = 20 + random.below(131);
                load_until(on_disk, &tls, &book, &format!("{name}-{cut}"), wait, Some(unsynced));
            }
        }
    }
    disk.slow_sync(Duration::ZERO);
    let running = installation.start();
    account_after_restart(installation, &running, &book);
    running.stop();
    installation.assert_log_verifies();
    book.lock().unwrap().told.values().sum()
}

/// Starts, accounts for what was before, and puts load on it for so many milliseconds from the first answer on. Then
/// it is killed, at the moment of a cut or without one.
fn load_until(on_disk: &OnDisk, tls: &Arc<ClientConfig>, book: &Shared, round: &str, ms: u64, cut: Option<Unsynced>) {
    let running = on_disk.installation.start();
    load::assert_account(&load::log_of(&on_disk.installation), &TIGHT_LIMITS, &book.lock().unwrap());
    let answers = || book.lock().unwrap().told.values().sum::<usize>();
    let before = answers();
    block_on(async {
        let mut tasks = JoinSet::new();
        load::clients(&mut tasks, running.watcher, tls, round, book);
        let begun = Instant::now();
        while answers() == before {
            assert!(begun.elapsed() < Duration::from_secs(30), "no answer");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(ms)).await;
        if let Some(unsynced) = cut {
            on_disk.disk.cut(unsynced);
        }
        running.kill();
        while tasks.join_next().await.is_some() {}
    });
    on_disk.disk.power_on();
}
