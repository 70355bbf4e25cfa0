//! Any sequence of runs and rollbacks: what all runs sign together stays within the limit. The sums are counted here, of
//! what was answered.

use std::{fs, path::PathBuf};

use super::{keep, keep_of_running, restore};
use crate::harness::{
    Installation, Running,
    body::payment,
    installation::POLICY,
    load::{self, Random},
    watcher::Watcher,
};

/// What the rollbacks of one log came to.
#[derive(Debug, Default)]
struct Tally {
    rollbacks: u64,
    /// Starts that were refused by the token's anchor.
    refused: u64,
    /// Starts that charged every limit.
    charged: u64,
    /// Base units, over all runs.
    signed: u64,
}

/// After so many nothing is left of the limit, were it only for what rollbacks are charged.
const ROLLBACKS_OF_A_LOG: u64 = 25;
const MOST: u64 = 100_000_000;
/// As much as a rollback can hide, in two parts.
const HALF_OF_THE_SHARE: u64 = 2_500_000;

pub(super) fn sums() {
    let seed = load::number("CHANCERY_TEST_SEED", 1) as u64;
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut left = load::number("CHANCERY_TEST_ROLLBACKS", 20) as u64;
    let (mut refused, mut charged, mut signed) = (0, 0, 0);
    while left > 0 {
        let tally = one_log(&mut random, left.min(ROLLBACKS_OF_A_LOG));
        println!("{tally:?}");
        assert_eq!(tally.rollbacks, tally.refused + tally.charged, "one was neither refused nor charged: {tally:?}");
        assert!(tally.signed <= MOST, "more than {MOST} over all runs: {tally:?}");
        left -= tally.rollbacks;
        refused += tally.refused;
        charged += tally.charged;
        signed = signed.max(tally.signed);
    }
    assert!(refused > 0 && charged > 0, "{refused} were refused and {charged} charged: that is no sequence of both");
    assert!(signed > MOST / 4, "{signed} at most: that is far from the limit");
}

/// Runs that end in order or are killed; before each a copy of any moment before is put back.
fn one_log(random: &mut Random, rollbacks: u64) -> Tally {
    let installation = Installation::with_policy(&POLICY.replace("max_amount = \"10\"", "max_amount = \"1\""));
    let mut tally = Tally::default();
    let mut copies = Vec::new();
    let mut is_older = false;
    for round in 0.. {
        let running = start(&installation, is_older, &mut tally);
        tally.signed += run(&installation, &running, random, round, &mut copies);
        if random.below(4) == 0 {
            running.stop()
        } else {
            running.kill()
        }
        keep(&installation, "newest");
        if tally.rollbacks == rollbacks {
            break;
        }
        // Mostly one of the last run, which the token may not know to be older.
        let among = if random.below(5) == 0 { copies.len() } else { copies.len().min(2) } as u64;
        let copy = &copies[copies.len() - 1 - random.below(among) as usize];
        let length = |name: &PathBuf| fs::metadata(name.join("log.jsonl")).unwrap().len();
        is_older = length(copy) < length(&installation.path("newest"));
        if is_older {
            restore(&installation, copy);
        }
    }
    installation.start().stop();
    installation.assert_log_verifies();
    tally
}

/// Where the start is refused, as it may be only of an older copy, the newest is brought back.
fn start(installation: &Installation, is_older: bool, tally: &mut Tally) -> Running {
    tally.rollbacks += u64::from(is_older);
    match Running::try_start(installation, &[]) {
        Err(said) => {
            assert!(is_older && said.contains("exit status: 78") && said.contains("anchor in token main"), "{said}");
            tally.refused += 1;
            restore(installation, &installation.path("newest"));
            installation.start()
        }
        Ok(running) => {
            let entries = installation.entries();
            let boot = entries.iter().rfind(|entry| entry["kind"] == "boot").unwrap();
            tally.charged += u64::from(is_older && boot["unanchored_percent"] == 5);
            running
        }
    }
}

/// Asks for as much as can be hidden, now and then for more, so that the token learns of it. What was signed.
fn run(
    installation: &Installation,
    running: &Running,
    random: &mut Random,
    round: u64,
    copies: &mut Vec<PathBuf>,
) -> u64 {
    let watcher = Watcher::new(installation, running);
    let copy = |copies: &mut Vec<PathBuf>| {
        copies.push(keep_of_running(installation, running, &format!("copy-{}", copies.len())));
    };
    let mut amounts = vec![HALF_OF_THE_SHARE, HALF_OF_THE_SHARE];
    if random.below(5) == 0 {
        amounts.push(1 + random.below(9_000_000));
    }
    let mut signed = 0;
    copy(copies);
    for (place, units) in amounts.into_iter().enumerate() {
        let number = 10 * round + place as u64;
        let answer = watcher.put(&format!("a-{number}"), payment(number, &format!("0.{units:08}"), "0"));
        match answer.status {
            200 => signed += units,
            _ => assert_eq!(answer.code(), "limit-exceeded"),
        }
        if random.below(4) == 0 {
            copy(copies);
        }
    }
    signed
}
