//! Rates of several tokens add up. The tokens are slow, not the machine: what is measured is how well each is kept busy.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    harness::{Installation, body::digest, eventually, shim::Shim, trial, watcher::Watcher},
    several_tokens::twins,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("rates::four_yubihsms_of_70_ms_a_signature_are_four_times_as_fast_as_one", yubihsms),
        trial("rates::two_softhsm_tokens_are_twice_as_fast_as_one", softhsms),
    ]
}

/// What several tokens must reach of their number times the rate of one.
const SHARE: f64 = 0.9;
/// Other work on the machine disturbs a measurement, not the best of some.
const TRIES: usize = 3;
/// Enough requests wait at each token, and for long enough, that what the last ones wait does not count.
const AT_EACH: usize = 12;
const WARM_UP: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(3);

/// Signatures a second of so many tokens.
fn rate(installation: &Installation, tokens: usize) -> f64 {
    let running = installation.start();
    eventually("all tokens are up, with their keys", || {
        let status = installation.status();
        let all = status["tokens"].as_array().unwrap();
        let fit = all.iter().all(|token| token["state"] == "up" && token["unfit_keys"] == json!([]));
        (fit && all.len() == tokens).then_some(())
    });
    let watcher = Watcher::new(installation, &running);
    let best = (0..TRIES).map(|number| measure(&watcher, &format!("try-{number}"), tokens * AT_EACH));
    let best = best.fold(0.0, f64::max);
    running.stop();
    best
}

/// Signatures a second within the window, by connections that each put one request after the other.
fn measure(watcher: &Watcher, name: &str, connections: usize) -> f64 {
    let signed = Arc::new(AtomicUsize::new(0));
    watcher.block_on(async {
        let mut tasks = JoinSet::new();
        let begun = Instant::now();
        for place in 0..connections {
            let (mut connection, name, signed) = (watcher.connect().await, name.to_owned(), Arc::clone(&signed));
            tasks.spawn(async move {
                for number in 0.. {
                    let path = format!("/v1/signatures/{name}-{place}-{number}");
                    let answer = connection.request("PUT", &path, digest("raw", number).to_string().as_bytes()).await;
                    assert_eq!(answer.unwrap().status, 200);
                    let after = begun.elapsed();
                    if after > WARM_UP + WINDOW {
                        return;
                    }
                    signed.fetch_add(usize::from(after > WARM_UP), Ordering::Relaxed);
                }
            });
        }
        tasks.join_all().await;
    });
    signed.load(Ordering::Relaxed) as f64 / WINDOW.as_secs_f64()
}

fn assert_adds_up(one: f64, several: f64, tokens: usize) {
    println!("rate of one: {one:.1}/s; of {tokens}: {several:.1}/s, {:.2} of each", several / one / tokens as f64);
    assert!(several >= SHARE * tokens as f64 * one, "{tokens} tokens: {several:.1}/s, one: {one:.1}/s");
}

fn yubihsms() {
    let signing_time = Duration::from_millis(70);
    let (one, _devices) = Installation::serving_yubihsms(1, signing_time);
    let one = rate(&one, 1);
    let (several, _devices) = Installation::serving_yubihsms(4, signing_time);
    assert_adds_up(one, rate(&several, 4), 4);
}

/// Each signature takes as long as in a device; a token has four sessions.
fn softhsms() {
    let slow = |installation: &Installation| Shim::between(installation).set(&["C_Sign always delay 60".to_owned()]);
    let one = Installation::new();
    slow(&one);
    let one = rate(&one, 1);
    let several = twins();
    slow(&several);
    assert_adds_up(one, rate(&several, 2), 2);
}
