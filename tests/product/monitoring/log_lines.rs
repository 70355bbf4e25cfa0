//! The program's log: one line a request, and nothing in it that a stranger to the exchange should read.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStderr, Stdio},
    sync::Arc,
};

use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{
    Installation, Running, block_on,
    body::{DESTINATION, digest, message, payment},
    eventually, trial,
    watcher::Watcher,
    wire::{self, Connection},
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("monitoring::log_lines::a_request_is_one_line_and_tells_no_secret_address_digest_or_amount", one_line),
        trial("monitoring::log_lines::what_is_polled_is_told_at_debug_only", polled),
        trial("monitoring::log_lines::a_log_that_nobody_reads_stops_no_signature", unread),
    ]
}

/// The lines, each JSON, behind so many bytes of the log.
fn lines(running: &Running, from: usize) -> Vec<Value> {
    let logged = running.logged();
    let whole = logged[from..].lines().filter(|line| line.ends_with('}'));
    whole.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// What the one line says that follows something.
fn told(running: &Running, act: impl FnOnce()) -> Value {
    let before = running.logged().len();
    act();
    let line = eventually("its line", || lines(running, before).into_iter().next());
    let all = lines(running, before);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(line["fields"]["message"], "request", "{line}");
    assert!(line["timestamp"].is_string() && line["fields"]["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{line}");
    line
}

/// Listener, call, watcher, key, request id, outcome, status; `-` where a line has no such field.
fn words(line: &Value) -> String {
    let names = ["listener", "call", "watcher", "key", "request_id", "outcome", "status"];
    let word = |name: &&str| {
        let value = &line["fields"][*name];
        if value.is_null() { "-".to_owned() } else { value.as_str().map_or_else(|| value.to_string(), str::to_owned) }
    };
    names.iter().map(word).collect::<Vec<_>>().join(" | ")
}

const SIGN: &str = "PUT /v1/signatures/{request_id}";

fn one_line() {
    let installation = Installation::new();
    installation.issue("stranger");
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let stranger = Watcher::named(&installation, &running, "stranger");
    eventually("it rests", || running.logged().contains("checked from its first entry").then_some(()));

    let line = |act: &mut dyn FnMut()| words(&told(&running, act));
    let put = |id: &str, body: Value| line(&mut || drop(watcher.put(id, body.clone())));
    let signed = |id: &str, key: &str| format!("watcher | {SIGN} | btc-watcher | {key} | {id} | signed | 200");
    let refused = |id: &str, key: &str, code: &str, status: u16| {
        format!("watcher | {SIGN} | btc-watcher | {key} | {id} | {code} | {status}")
    };
    assert_eq!(put("a", payment(7, "0.1234567", "0.0001")), signed("a", "hot"));
    assert_eq!(put("a", payment(7, "0.1234567", "0.0001")), signed("a", "hot"));
    assert_eq!(put("m", message(b"a message of ours")), signed("m", "ed"));
    assert_eq!(put("b", payment(8, "0.7654321", "0.0001")), refused("b", "hot", "denied", 403));
    assert_eq!(put("c", digest("madeup", 9)), refused("c", "-", "unknown-key", 404));
    assert_eq!(put("d", "{".into()), refused("d", "-", "malformed", 400));
    assert_eq!(put("a", digest("raw", 10)), refused("a", "raw", "request-conflict", 409));

    let get = |path: &str| line(&mut || drop(watcher.get(path)));
    assert_eq!(get("/v1/signatures/a"), "watcher | GET /v1/signatures/{request_id} | btc-watcher | - | a | ok | 200");
    assert_eq!(get("/v1/keys/raw"), "watcher | GET /v1/keys/{key} | btc-watcher | raw | - | ok | 200");
    assert_eq!(get("/v1/keys/madeup"), "watcher | GET /v1/keys/{key} | btc-watcher | - | - | unknown-key | 404");
    assert_eq!(get("/madeup/path"), "watcher | GET - | - | - | - | not-found | 404");
    let unknown = line(&mut || drop(stranger.get("/v1/keys")));
    assert_eq!(unknown, "watcher | GET /v1/keys | - | - | - | unauthenticated | 401");
    let admin = line(&mut || drop(installation.run("chancery", &["status"])));
    assert_eq!(admin, "admin | GET /status | - | - | - | ok | 200");
    let monitor = line(&mut || assert_eq!(running.monitor("/madeup").0, 404));
    assert_eq!(monitor, "monitor | GET - | - | - | - | not-found | 404");

    let logged = running.logged();
    let mut never = vec![DESTINATION.to_owned(), "madeup".to_owned(), "0.1234567".to_owned(), "0.7654321".to_owned()];
    never.extend(["12345670", "76543210"].map(str::to_owned));
    never.extend((7..11).map(|number| format!("{number:064x}")));
    never.push(hex::encode(b"a message of ours"));
    for file in ["token/pin", "token/so-pin"] {
        never.push(std::fs::read_to_string(installation.path(file)).unwrap().trim().to_owned());
    }
    for secret in never {
        assert!(!logged.contains(&secret), "{secret} is in the log:\n{logged}");
    }
    running.stop();
}

fn polled() {
    let installation = Installation::new();
    let running = installation.start();
    let poll = |running: &Running| {
        for path in ["/livez", "/readyz", "/metrics"] {
            assert_eq!(running.monitor(path).0, 200);
        }
        Watcher::new(&installation, running).get("/healthz");
    };
    poll(&running);
    let mark = told(&running, || drop(running.monitor("/nothing")));
    assert_eq!(mark["level"], "INFO");
    assert!(!running.logged().contains("/metrics") && !running.logged().contains("/healthz"));
    running.stop();

    let running = Running::start(&installation, &[("CHANCERY_LOG", "appliance=debug")]);
    poll(&running);
    for call in ["GET /livez", "GET /readyz", "GET /metrics", "GET /healthz"] {
        eventually(call, || {
            let of_call = |line: &Value| line["fields"]["call"] == call && line["level"] == "DEBUG";
            (lines(&running, 0).iter().filter(|line| of_call(line)).count() == 1).then_some(())
        });
    }
    running.stop();
}

/// An appliance whose log goes into a pipe.
struct Piped {
    child: Child,
    /// Kept open, and after the start not read any more.
    log: BufReader<ChildStderr>,
}

impl Piped {
    fn start(installation: &Installation) -> Self {
        let mut command = installation.command("chancery", &["serve"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Where it listens for watchers, once it says so.
    fn watcher(&mut self) -> SocketAddr {
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "it does not serve");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["fields"]["message"] == "listening" {
                let address = line["fields"]["watcher"].as_str().unwrap();
                return address.trim_start_matches("Some(").trim_end_matches(')').parse().unwrap();
            }
        }
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unread() {
    let installation = Installation::new();
    let mut piped = Piped::start(&installation);
    let address = piped.watcher();
    let tls = wire::tls(&installation.path("pki"), Some("watcher"));
    // A pipe holds 64 KiB: some 200 lines. Each thread of the appliance writes some of these.
    block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for lane in 0..8 {
            let tls = Arc::clone(&tls);
            tasks.spawn(async move {
                let mut connection = Connection::open(address, &tls).await.unwrap();
                for number in 0..100 {
                    let path = format!("/v1/signatures/{lane}-{number}");
                    let body = digest("raw", 100 * lane + number).to_string();
                    assert_eq!(connection.request("PUT", &path, body.as_bytes()).await.unwrap().status, 200);
                }
            });
        }
        tasks.join_all().await;
    });
    // It also ends in order: who reads nothing is not waited for.
    kill_process(Pid::from_child(&piped.child), Signal::TERM).unwrap();
    assert!(piped.child.wait().unwrap().success());
}
