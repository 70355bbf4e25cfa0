//! Another version takes over: while watchers ask, forth and back, and onto a state that an older one must leave alone.
//!
//! The other version is a program file of its own: a copy of this one with more bytes at its end, that passes for another
//! release.

mod formats;
mod golden;

use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use rustls::ClientConfig;

use crate::harness::{
    Installation, Running, eventually,
    load::{self, Limit, Of, Shared, TIGHT},
    trial,
    watcher::Watcher,
    wire::{self, Connection},
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("upgrade::requests_go_on_over_upgrades_and_rollbacks_and_none_is_lost_or_paid_twice", drill),
        trial("upgrade::a_token_is_opened_again_although_the_program_file_was_replaced", replaced_while_it_serves),
    ];
    trials.extend(formats::trials());
    trials.extend(golden::trials());
    trials
}

const RELEASE: &str = "CHANCERY_TESTING_ONLY_RELEASE";
/// Of the same format as this program.
const SAME_FORMAT: &str = "0.2.0:1";
/// Writes what this program cannot read.
const NEWER_FORMAT: &str = "0.3.0:2";

/// A program file, and the release it passes for.
struct Version<'a> {
    file: &'a Path,
    release: Option<&'a str>,
}

impl Version<'_> {
    fn command(&self, installation: &Installation, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.file);
        command.arg0("chancery").args(arguments).args(["--config", "chancery.toml"]);
        command.current_dir(installation.directory()).stdin(Stdio::null()).env_remove("SOFTHSM2_CONF");
        command.envs(self.release.map(|release| (RELEASE, release)));
        command
    }

    fn start(&self, installation: &Installation) -> Running {
        let started = Running::spawn(installation, self.command(installation, &["serve"]));
        started.unwrap_or_else(|log| panic!("{:?} did not start:\n{log}", self.release))
    }
}

/// A copy of this program that is another file.
fn other_program(installation: &Installation) -> PathBuf {
    let file = installation.path("chancery-of-another-version");
    fs::copy(std::env::current_exe().unwrap(), &file).unwrap();
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"another version").unwrap();
    file
}

/// [`TIGHT`] with limits that are not met, and a second watcher.
fn wide(second: &str) -> String {
    let wide = TIGHT.replace("\"0.9\"", "\"9000\"").replace("\"0.12\"", "\"9000\"").replace("\"0.5\"", "\"9000\"");
    let wide = wide.replace("= 400", "= 1000000").replace("[\"btc-watcher\"]", "[\"btc-watcher\", \"second\"]");
    format!("{wide}\n[[watcher]]\nname = \"second\"\npublic_keys_sha256 = [\"{second}\"]\n")
}

const WIDE_LIMITS: [Limit; 2] = [
    Limit { name: "a day", most: 900_000_000_000, window_ms: 86_400_000, of: Of::Amount },
    Limit { name: "an hour", most: 1_000_000, window_ms: 3_600_000, of: Of::Signatures },
];

/// What watchers that never stop asking have in common.
struct Drill {
    address: Mutex<SocketAddr>,
    book: Shared,
    is_over: AtomicBool,
    /// Calls that brought no answer, or one to try again.
    tried_again: AtomicUsize,
    /// The last good answer, and the longest time between two.
    served: Mutex<(Instant, Duration)>,
}

/// Connections of each watcher.
const CONNECTIONS: usize = 4;
/// Requests signed between two changes of the program.
const EACH: usize = 60;

fn drill() {
    let installation = Installation::with_second(wide);
    let (this, other) = (std::env::current_exe().unwrap(), other_program(&installation));
    let older = Version { file: &this, release: None };
    let newer = Version { file: &other, release: Some(SAME_FORMAT) };
    let raising = Version { file: &other, release: Some(NEWER_FORMAT) };

    let mut running = older.start(&installation);
    let drill = Arc::new(Drill {
        address: Mutex::new(running.watcher),
        book: Shared::default(),
        is_over: AtomicBool::new(false),
        tried_again: AtomicUsize::new(0),
        served: Mutex::new((Instant::now(), Duration::ZERO)),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut watchers = Vec::new();
    for (name, connection) in
        ["watcher", "second"].into_iter().flat_map(|name| (0..CONNECTIONS).map(move |n| (name, n)))
    {
        let tls = wire::tls(&installation.path("pki"), Some(name));
        watchers.push(runtime.spawn(watch(Arc::clone(&drill), tls, format!("{name}-{connection}"))));
    }
    for next in [&newer, &older, &newer, &older, &raising] {
        drill.wait_for_more();
        running.stop();
        running = next.start(&installation);
        *drill.address.lock().unwrap() = running.watcher;
    }
    drill.wait_for_more();
    running.stop();
    formats::assert_refused_untouched(&installation, &older);
    running = raising.start(&installation);
    *drill.address.lock().unwrap() = running.watcher;
    drill.wait_for_more();
    drill.is_over.store(true, Ordering::SeqCst);
    for watcher in watchers {
        runtime.block_on(watcher).unwrap();
    }
    let longest = drill.served.lock().unwrap().1;
    let tried_again = drill.tried_again.load(Ordering::SeqCst);

    let tls = load::watcher_tls(&installation);
    let limits = runtime.block_on(load::get(&running, &tls, "/v1/limits")).json();
    running.stop();
    let verified = raising.command(&installation, &["audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    account(&installation, &drill, &limits);
    let ids = drill.book.lock().unwrap().put.len();
    println!(
        "upgrade: {ids} requests over 7 starts, {tried_again} calls again, {longest:?} without service at the longest"
    );
}

fn account(installation: &Installation, drill: &Drill, limits: &serde_json::Value) {
    let (log, book) = (load::log_of(installation), drill.book.lock().unwrap());
    load::assert_account(&log, &WIDE_LIMITS, &book);
    load::assert_limits_agree(limits, &log, &WIDE_LIMITS);
    let lost: Vec<_> = book.put.iter().filter(|id| !book.answered.contains_key(*id)).collect();
    assert!(lost.is_empty(), "never answered: {lost:?}");
    for kind in ["accepted", "signed"] {
        assert_eq!(load::of_kind(&log, kind).count(), book.put.len(), "{kind}");
    }
    let boots: Vec<_> = load::of_kind(&log, "boot").collect();
    assert_eq!(boots.len(), 7);
    assert!(boots.iter().all(|boot| boot.get("unanchored_percent").is_none()), "a stop was not in order");
    let programs: std::collections::BTreeSet<_> = boots.iter().map(|boot| boot["program_sha256"].as_str()).collect();
    assert_eq!(programs.len(), 2, "it was another program");
    let formats: Vec<_> = log.iter().filter_map(|entry| Some((&entry["kind"], entry.get("format")?))).collect();
    assert_eq!(formats.len(), 1, "{formats:?}");
    assert_eq!((formats[0].0, &formats[0].1["number"]), (&serde_json::json!("boot"), &serde_json::json!(2)));
}

impl Drill {
    fn answered(&self) -> usize {
        self.book.lock().unwrap().answered.len()
    }

    fn wait_for_more(&self) {
        let before = self.answered();
        eventually("more requests signed", || (self.answered() >= before + EACH).then_some(()));
    }

    fn tell(&self, id: &str, answer: &wire::Answer) {
        self.book.lock().unwrap().tell(id, answer);
        if answer.status == 200 {
            let mut served = self.served.lock().unwrap();
            served.1 = served.1.max(served.0.elapsed());
            served.0 = Instant::now();
        }
    }
}

/// One connection of a watcher: an id after the other, each asked for until it is signed, and now and then an old one again.
async fn watch(drill: Arc<Drill>, tls: Arc<ClientConfig>, name: String) {
    let mut connection = None;
    for number in 0_usize.. {
        if drill.is_over.load(Ordering::SeqCst) {
            return;
        }
        let new = format!("{name}-{number}");
        let old = (number % 4 == 3).then(|| format!("{name}-{}", number / 2));
        for id in [Some(new), old].into_iter().flatten() {
            drill.book.lock().unwrap().put.insert(id.clone());
            while !is_signed(&drill, &tls, &mut connection, &id).await {
                drill.tried_again.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Asks once.
async fn is_signed(drill: &Drill, tls: &Arc<ClientConfig>, kept: &mut Option<Connection>, id: &str) -> bool {
    let address = *drill.address.lock().unwrap();
    let open = match kept.take() {
        Some(connection) => Ok(connection),
        None => Connection::open(address, tls).await,
    };
    let Ok(mut connection) = open else { return false };
    let Ok(answer) = load::put(&mut connection, id).await else { return false };
    drill.tell(id, &answer);
    let text = String::from_utf8_lossy(&answer.body);
    assert!(matches!(answer.status, 200 | 202 | 503), "{id}: {text}");
    *kept = Some(connection);
    answer.status == 200
}

/// A package's upgrade puts another file in the program's place long before the appliance is started again.
fn replaced_while_it_serves() {
    let installation = Installation::new();
    let file = installation.path("chancery");
    let this = std::env::current_exe().unwrap();
    fs::hard_link(&this, &file).or_else(|_| fs::copy(&this, &file).map(drop)).unwrap();
    let running = Version { file: &file, release: None }.start(&installation);
    fs::write(installation.path("chancery.new"), "another program").unwrap();
    fs::rename(installation.path("chancery.new"), &file).unwrap();

    let worker = || installation.status()["tokens"][0]["worker"].as_i64();
    let first = worker().unwrap();
    kill_process(Pid::from_raw(first as i32).unwrap(), Signal::KILL).unwrap();
    eventually("another worker", || worker().filter(|pid| *pid != first));
    let watcher = Watcher::new(&installation, &running);
    let signed = eventually("a signature", || {
        let answer = watcher.put("after", load::order("after"));
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(signed.json()["status"], "signed");
    running.stop();
    installation.assert_log_verifies();
}
