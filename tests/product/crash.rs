//! kill -9 at every station of a request, at random moments, and of the token's worker, each under load.
//!
//! For soak runs: `CHANCERY_TEST_CYCLES` (random kills, 20), `CHANCERY_TEST_KILL_AT` (passages of each station at which
//! to kill, `1,7,40`), `CHANCERY_TEST_SEED` (1).

use std::{
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::{
    Installation, Running, block_on, eventually,
    load::{self, Book, Limit, Random, Shared, TIGHT, TIGHT_LIMITS},
    trial,
    wire::Connection,
};

/// Every station there is; see `appliance/src/testing_only.rs`.
const STATIONS: [&str; 8] = [
    "before-sync",
    "after-sync",
    "before-sign",
    "after-sign",
    "before-answer",
    "before-store-flush",
    "after-store-flush",
    "after-anchor",
];

pub(crate) fn trials() -> Vec<Trial> {
    let stations = STATIONS.into_iter().map(|station| {
        Trial::test(format!("crash::killed_at_{station}_it_forgets_and_doubles_nothing"), move || {
            killed_at(station);
            Ok(())
        })
    });
    stations
        .chain([
            trial("crash::killed_at_any_moment_it_forgets_and_doubles_nothing", killed_at_random),
            trial("crash::a_killed_token_worker_costs_no_request_and_no_budget", killed_worker),
            trial("crash::what_was_cut_from_the_log_is_recorded_also_after_a_failed_start", cut_is_recorded),
        ])
        .collect()
}

fn killed_at(station: &'static str) {
    let installation = Installation::with_policy(TIGHT);
    let tls = load::watcher_tls(&installation);
    let book = Shared::default();
    let counts = std::env::var("CHANCERY_TEST_KILL_AT").unwrap_or_else(|_| "1,7,40".to_owned());
    for (round, count) in counts.split(',').enumerate() {
        // A follower passes a tenth of a second after the other: at most ten a second.
        let follower = station.contains("store") || station.contains("anchor");
        let count = if follower { count.parse::<u64>().unwrap().min(12).to_string() } else { count.to_owned() };
        let plan = format!("{station}:{count}");
        // At its first passage a station may lie in the start itself.
        if let Ok(running) = Running::try_start(&installation, &[("CHANCERY_TESTING_ONLY_KILL_AT", &plan)]) {
            let address = running.watcher;
            block_on(async {
                let mut tasks = JoinSet::new();
                load::clients(&mut tasks, address, &tls, &format!("{station}-{round}"), &book);
                let all = async { while tasks.join_next().await.is_some() {} };
                tokio::time::timeout(Duration::from_secs(60), all).await.expect("the station was never passed");
            });
            assert_eq!(running.wait().signal(), Some(Signal::KILL.as_raw()), "{plan}");
        }
        let running = installation.start();
        account_after_restart(&installation, &running, &book);
        // The next round begins where this one left off, now and then stopped in order.
        if round % 2 == 0 {
            running.stop()
        } else {
            running.kill()
        }
        installation.assert_log_verifies();
    }
    if station.ends_with("-sign") {
        // The device may have signed: the next attempt is recorded before it begins.
        let log = load::log_of(&installation);
        let lost =
            |entry: &&Value| entry["reason"].as_str().is_some_and(|reason| reason.contains("without a recorded"));
        assert!(load::of_kind(&log, "failed").any(|entry| lost(&entry)), "attempts were repeated in silence");
    }
    let book = book.lock().unwrap();
    // Where the last life ended with the hour's last signature, nobody was there to be refused.
    let refused = book.count("403 limit-exceeded") > 0 || book.count("200") as u64 >= TIGHT_LIMITS[2].most;
    assert!(book.count("200") > 0 && refused, "no load at a limit: {:?}", book.told);
}

/// Everything promised over a crash.
pub(crate) fn account_after_restart(installation: &Installation, running: &Running, book: &Shared) {
    account_within(installation, running, book, &TIGHT_LIMITS);
}

fn account_within(installation: &Installation, running: &Running, book: &Shared, promised: &[Limit]) {
    let tls = load::watcher_tls(installation);
    load::assert_account(&load::log_of(installation), promised, &book.lock().unwrap());
    let limits = block_on(async {
        load::put_all_again(running.watcher, &tls, book, &load::log_of(installation)).await;
        load::get(running, &tls, "/v1/limits").await.json()
    });
    let log = load::log_of(installation);
    load::assert_account(&log, promised, &book.lock().unwrap());
    load::assert_limits_agree(&limits, &log, promised);
    assert_eq!(load::of_kind(&log, "accepted").count(), load::of_kind(&log, "signed").count(), "one was left behind");
}

/// [`TIGHT`] with windows that end: every start after a kill charges a twentieth, and a day would be full after twenty.
fn brief() -> (String, Vec<Limit>) {
    let policy = ["24h", "12h", "1h"].iter().fold(TIGHT.to_owned(), |policy, window| policy.replace(window, "10s"));
    let limits = TIGHT_LIMITS.map(|limit| Limit { window_ms: limit.window_ms.min(10_000), ..limit });
    (policy, limits.to_vec())
}

fn killed_at_random() {
    let (policy, limits) = brief();
    let installation = Installation::with_policy(&policy);
    let tls = load::watcher_tls(&installation);
    let book = Shared::default();
    let seed = load::number("CHANCERY_TEST_SEED", 1) as u64;
    let mut random = Random(seed);
    let token = softhsm_token(&installation);
    let token = (token.clone(), std::fs::read(token).unwrap());
    for cycle in 0..load::number("CHANCERY_TEST_CYCLES", 20) {
        let wait = Duration::from_millis(5 + random.below(116));
        if cycle % 5 == 4 {
            // Killed while it starts.
            let mut command = installation.command("chancery", &["serve"]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(wait * 2);
            child.kill().unwrap();
            child.wait().unwrap();
            mend_softhsm(&installation, &token);
        } else {
            let running = installation.start();
            let address = running.watcher;
            block_on(async {
                let mut tasks = JoinSet::new();
                load::clients(&mut tasks, address, &tls, &format!("random-{cycle}"), &book);
                // The first hundred milliseconds are handshakes: a moment is counted from the first answers on.
                let begun = Instant::now();
                let before = book.lock().unwrap().told.values().sum::<usize>();
                while book.lock().unwrap().told.values().sum::<usize>() == before {
                    assert!(begun.elapsed() < Duration::from_secs(30), "no answer");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                tokio::time::sleep(wait).await;
                running.kill();
                while tasks.join_next().await.is_some() {}
            });
        }
        load::assert_account(&load::log_of(&installation), &limits, &book.lock().unwrap());
        if cycle % 7 == 6 {
            let running = installation.start();
            account_within(&installation, &running, &book, &limits);
            running.kill();
            installation.assert_log_verifies();
            let answered = book.lock().unwrap().answered.clone();
            // A soak run would put every id of a thousand cycles again, and again.
            *book.lock().unwrap() = Book { answered, ..Book::default() };
        }
    }
    let running = installation.start();
    let answered = book.lock().unwrap().answered.keys().cloned().collect();
    book.lock().unwrap().put = answered;
    account_within(&installation, &running, &book, &limits);
    running.stop();
    installation.assert_log_verifies();
}

/// The file SoftHSM keeps the token's label and PINs in.
fn softhsm_token(installation: &Installation) -> PathBuf {
    let tokens = std::fs::read_dir(installation.path("token/objects")).unwrap();
    tokens.map(|token| token.unwrap().path().join("token.object")).find(|file| file.exists()).unwrap()
}

/// SoftHSM writes that file anew, in place, at every login: one that is killed just then leaves it empty, and the token is
/// lost. That is not what is tried here.
fn mend_softhsm(installation: &Installation, (file, content): &(PathBuf, Vec<u8>)) {
    // The worker may be at it a moment longer than the appliance.
    thread::sleep(Duration::from_millis(100));
    if std::fs::read(softhsm_token(installation)).unwrap().len() != content.len() {
        std::fs::write(file, content).unwrap();
    }
}

fn killed_worker() {
    const EACH: usize = 6;
    let installation = Installation::new();
    let tls = load::watcher_tls(&installation);
    let running = installation.start();
    let (pid, address) = (running.pid(), running.watcher);
    let worker = || installation.status()["tokens"][0]["worker"].as_i64();
    let first = worker().unwrap();
    let signed = block_on(async {
        let mut tasks = JoinSet::new();
        for client in 0..load::CLIENTS {
            let tls = Arc::clone(&tls);
            tasks.spawn(async move {
                let mut connection = Connection::open(address, &tls).await.unwrap();
                let mut refused = 0;
                for number in 0..EACH {
                    let id = format!("worker-{client}-{number}");
                    loop {
                        let answer = load::put(&mut connection, &id).await.unwrap();
                        if answer.status == 200 {
                            break;
                        }
                        assert!(matches!(answer.status, 202 | 503), "{}", String::from_utf8_lossy(&answer.body));
                        refused += 1;
                        assert!(refused < 500, "{id}: {}", String::from_utf8_lossy(&answer.body));
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
                refused
            });
        }
        // Two workers die while requests are in them.
        let installation = &installation;
        for _ in 0..2 {
            let seen = load::log_of(installation).len();
            while load::log_of(installation).len() < seen + 40 && !tasks.is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            if let Some(worker) = installation.status()["tokens"][0]["worker"].as_i64() {
                kill_with_a_request_in_it(installation, Pid::from_raw(worker as i32).unwrap()).await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let mut refused = 0;
        while let Some(done) = tasks.join_next().await {
            refused += done.unwrap();
        }
        refused
    });
    assert!(signed > 0, "no request met a dead worker");
    assert_ne!(eventually("another worker", worker), first);
    assert_eq!(running.pid(), pid);
    let log = load::log_of(&installation);
    load::assert_account(&log, &[], &Book::default());
    assert_eq!(load::of_kind(&log, "accepted").count(), load::CLIENTS * EACH, "charged once each");
    assert_eq!(load::of_kind(&log, "signed").count(), load::CLIENTS * EACH);
    assert!(load::of_kind(&log, "failed").count() > 0, "a failed attempt is recorded");
    assert_eq!(load::of_kind(&log, "boot").count(), 1);
    running.stop();
    installation.assert_log_verifies();
}

/// Held first, until an acceptance waits for it: between two anchors it may have nothing to sign.
async fn kill_with_a_request_in_it(installation: &Installation, worker: Pid) {
    let waits = || {
        let log = load::log_of(installation);
        let ended = load::of_kind(&log, "signed").count();
        load::of_kind(&log, "accepted").count() > ended
    };
    for _ in 0..50 {
        let _ = kill_process(worker, Signal::STOP);
        // What was signed already is recorded meanwhile.
        tokio::time::sleep(Duration::from_millis(50)).await;
        if waits() {
            break;
        }
        let _ = kill_process(worker, Signal::CONT);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let _ = kill_process(worker, Signal::KILL);
}

/// An incomplete last line is cut when the log is opened. Where the start then fails for another reason, the next
/// `boot` must still tell of it.
fn cut_is_recorded() {
    let installation = Installation::new();
    installation.start().stop();
    let path = installation.path("state/log.jsonl");
    let whole = std::fs::read(&path).unwrap();
    let torn = br#"{"accepted":17,"elapsed":"#;
    std::fs::write(&path, [whole.as_slice(), torn].concat()).unwrap();
    // A PIN file that others may read ends the start after the log was opened.
    let pin = installation.path("token/pin");
    let away = installation.path("token/pin.away");
    std::fs::rename(&pin, &away).unwrap();
    assert!(Running::try_start(&installation, &[]).is_err(), "it starts without a PIN");
    std::fs::rename(&away, &pin).unwrap();
    installation.start().stop();
    let log = load::log_of(&installation);
    let boot = load::of_kind(&log, "boot").last().unwrap();
    assert_eq!(boot["cut_bytes"], torn.len(), "25 bytes were cut, and no boot entry says so: {boot}");
    installation.assert_log_verifies();
}
