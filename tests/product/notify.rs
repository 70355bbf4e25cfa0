//! What the service manager is told: ready, how it stands, reloading, stopping, alive.

use std::{fs, net::TcpListener, process::Child, thread, time::Duration};

use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{
    Installation, Running, block_on,
    body::digest,
    daemon::Daemon,
    eventually,
    notified::Notified,
    trial,
    watcher::Watcher,
    wire::{self, Connection},
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("notify::ready_is_said_when_a_signature_can_be_had_and_stopping_at_once", ready_and_stopping),
        trial("notify::the_status_follows_freezes_and_tokens_and_names_no_key", status),
        trial("notify::a_hangup_is_a_reload_that_ends_when_the_new_certificates_serve", reload),
        trial("notify::a_refused_start_says_why", refused),
        trial("notify::the_watchdog_hears_of_a_life_also_without_a_token", alive),
        trial("notify::the_watchdog_hears_nothing_once_the_writer_of_the_log_is_stuck", stuck),
        trial("notify::two_hundred_requests_under_way_are_all_answered_before_the_end", drain),
        trial("notify::the_watcher_says_ready_alive_reloading_and_stopping", watcher),
        trial("notify::a_client_shows_the_certificate_it_read_anew", client_reloads),
    ]
}

fn start(installation: &Installation, notified: &Notified) -> Running {
    Running::start(installation, &[("NOTIFY_SOCKET", &notified.name)])
}

fn worker_of(installation: &Installation) -> Pid {
    let worker = installation.status()["tokens"][0]["worker"].as_i64().unwrap();
    Pid::from_raw(worker.try_into().unwrap()).unwrap()
}

fn ready_and_stopping() {
    let installation = Installation::new();
    let notified = Notified::at_path(&installation);
    let (running, (first, logged)) = thread::scope(|scope| {
        let heard = scope.spawn(|| {
            let first = notified.next();
            (first, fs::read_to_string(installation.path("appliance.log")).unwrap())
        });
        (start(&installation, &notified), heard.join().unwrap())
    });
    assert_eq!(first, format!("READY=1\nSTATUS=serving watchers at {}", running.watcher));
    assert!(logged.contains("\"listening\""), "ready before it listened:\n{logged}");
    Watcher::new(&installation, &running).signed("a", digest("raw", 1));

    // A vendor's module could claim to be the appliance.
    let environment = fs::read(format!("/proc/{}/environ", worker_of(&installation).as_raw_nonzero())).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("NOTIFY_SOCKET"));

    running.stop();
    assert_eq!(notified.next(), "STOPPING=1\nSTATUS=stopping: requests under way are finished first");
    // Each step towards the end asks for its time, and nothing else is said.
    while let Some(rest) = notified.next_within(Duration::from_millis(1)) {
        assert!(rest.starts_with("EXTEND_TIMEOUT_USEC="), "{rest}");
    }
}

fn status() {
    let installation = Installation::new();
    let notified = Notified::abstract_one(&installation);
    let running = start(&installation, &notified);
    notified.until("READY=1");
    installation.run("chancery", &["freeze", "--key", "hot", "--reason", "drill"]);
    let serving = format!("STATUS=serving watchers at {}", running.watcher);
    assert_eq!(notified.next(), format!("{serving}; 1 freeze in force"));
    installation.run("chancery", &["freeze", "--all", "--reason", "drill"]);
    assert_eq!(notified.next(), "STATUS=frozen: nothing is signed; 2 freezes in force");
    for what in [&["--key", "hot"][..], &["--all"]] {
        installation.run("chancery", &[&["unfreeze", "--reason", "drill over"], what].concat());
    }
    assert_eq!(eventually("all is over", || Some(notified.next()).filter(|said| *said == serving)), serving);
    take_token_out(&installation);
    notified.until("; token main is ");
    put_token_back(&installation);
    assert_eq!(notified.until(&running.watcher.to_string()), serving);
    running.stop();
}

fn take_token_out(installation: &Installation) {
    let worker = worker_of(installation);
    fs::rename(installation.path("token/objects"), installation.path("token/away")).unwrap();
    kill_process(worker, Signal::KILL).unwrap();
}

fn put_token_back(installation: &Installation) {
    fs::rename(installation.path("token/away"), installation.path("token/objects")).unwrap();
}

fn reload() {
    let installation = Installation::new();
    let notified = Notified::at_path(&installation);
    let running = start(&installation, &notified);
    notified.until("READY=1");
    let served = || {
        let tls = wire::tls(&installation.path("pki"), Some("watcher"));
        block_on(async { Connection::open(running.watcher, &tls).await.unwrap().server_certificate() })
    };
    let before = served();
    installation.run("chancery-provision", &["pki", "renew", "server", "--new-key", "--directory", "pki"]);
    running.hang_up();
    let reloading = notified.next();
    let usec = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{reloading}"));
    assert!(usec.parse::<u64>().unwrap() > 0);
    assert_eq!(notified.next(), format!("READY=1\nSTATUS=serving watchers at {}", running.watcher));
    assert_ne!(served(), before, "ready, and the certificate before is served");

    // Also a reload that is refused ends.
    fs::copy(installation.path("pki/watcher.key"), installation.path("pki/server.key")).unwrap();
    running.hang_up();
    notified.until("RELOADING=1");
    assert!(notified.next().ends_with("; certificates not reloaded"));
    running.stop();
}

fn refused() {
    let installation = Installation::new();
    let notified = Notified::at_path(&installation);
    fs::write(installation.path("token/pin"), "0000\n").unwrap();
    let log = Running::try_start(&installation, &[("NOTIFY_SOCKET", &notified.name)]).err().unwrap();
    assert!(log.contains("exit status: 78"), "{log}");
    let told = notified.next();
    assert!(told.starts_with("STATUS=not serving: token main: ") && !told.contains('\n'), "{told}");
}

/// Short, and long enough for a machine that is busy.
const WATCHDOG: Duration = Duration::from_secs(2);

fn start_watched(installation: &Installation, notified: &Notified, more: &[(&str, &str)]) -> Running {
    let usec = WATCHDOG.as_micros().to_string();
    let watched = [("NOTIFY_SOCKET", notified.name.as_str()), ("WATCHDOG_USEC", &usec)];
    Running::start(installation, &[&watched, more].concat())
}

fn alive() {
    let installation = Installation::new();
    let notified = Notified::at_path(&installation);
    let running = start_watched(&installation, &notified, &[]);
    notified.until("READY=1");
    notified.until("WATCHDOG=1");
    take_token_out(&installation);
    notified.until("; token main is ");
    // It is down all the while.
    for _ in 0..3 {
        notified.until("WATCHDOG=1");
    }
    assert_ne!(installation.status()["tokens"][0]["state"], "up");
    running.stop();

    // Another process is watched: this one has nothing to say.
    put_token_back(&installation);
    let running = start_watched(&installation, &notified, &[("WATCHDOG_PID", "1")]);
    notified.until("READY=1");
    assert_eq!(notified.next_within(2 * WATCHDOG), None);
    running.stop();
}

fn stuck() {
    let installation = Installation::new();
    let notified = Notified::at_path(&installation);
    let stall = [("CHANCERY_TESTING_ONLY_STALL_AT", "after-sync:8")];
    let running = start_watched(&installation, &notified, &stall);
    notified.until("READY=1");
    notified.until("WATCHDOG=1");
    let watcher = Watcher::new(&installation, &running);
    // One after the other: each has syncs of its own.
    let asking = thread::spawn(move || {
        (0..8).for_each(|number| watcher.try_put_at_once([(format!("a-{number}"), digest("raw", number))]));
    });
    // One may have been on its way; then no more, though listeners and runtime go on.
    eventually("no life is heard of", || notified.next_within(2 * WATCHDOG).is_none().then_some(()));
    assert_eq!(running.monitor("/livez").0, 200);
    running.kill();
    asking.join().unwrap();
}

fn drain() {
    const REQUESTS: u64 = 200;
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let worker = worker_of(&installation);
    kill_process(worker, Signal::STOP).unwrap();
    let requests: Vec<_> = (0..REQUESTS).map(|number| (format!("a-{number}"), digest("raw", number))).collect();
    let answers = thread::scope(|scope| {
        let answers = scope.spawn(|| watcher.put_at_once(requests.clone()));
        eventually("all are accepted", || (installation.status()["open_requests"] == REQUESTS).then_some(()));
        kill_process(running.pid(), Signal::TERM).unwrap();
        eventually("it drains", || running.logged().contains("requests under way are finished first").then_some(()));
        kill_process(worker, Signal::CONT).unwrap();
        answers.join().unwrap()
    });
    // A 202 is a promise: the entry is there.
    assert!(answers.iter().all(|answer| [200, 202].contains(&answer.status)), "{answers:?}");
    let status = running.wait();
    assert_eq!(status.code(), Some(0));
    let entries = installation.entries();
    let count = |kind: &str| entries.iter().filter(|entry| entry["kind"] == kind).count() as u64;
    assert_eq!((count("accepted"), count("signed")), (REQUESTS, REQUESTS));

    // What came of it can be had again.
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    for ((id, body), answer) in requests.into_iter().zip(answers) {
        let again = watcher.put(&id, body);
        again.good();
        assert!(answer.status == 202 || again.body == answer.body, "{id}");
    }
    running.stop();
    installation.assert_log_verifies();
}

/// A chain whose node is not there: nothing is asked of the signer.
const CHAIN: &str = r#"
[[chain]]
name = "bitcoin"
chain = "bitcoin-regtest"
node = "http://127.0.0.1:1"
key = "hot"
asset = "BTC"
confirmations = 3
max_fee = "0.001"
"#;

fn watcher() {
    let installation = Installation::new();
    let signer = installation.start();
    let api = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let issue = |command: &[&str]| {
        installation.run("chancery-provision", &[&["pki"], command, &["--directory", "pki"]].concat());
    };
    issue(&["issue", "api", "--server", "--san", "127.0.0.1"]);
    Daemon::configure(&installation, signer.watcher, CHAIN);
    let config = fs::read_to_string(installation.path("watcher.toml")).unwrap();
    let shown = format!("listen = \"{api}\"\ncertificate = \"pki/api.crt\"\nprivate_key = \"pki/api.key\"\n");
    let line = config.lines().find(|line| line.starts_with("listen = ")).unwrap();
    fs::write(installation.path("watcher.toml"), config.replace(&format!("{line}\n"), &shown)).unwrap();

    let notified = Notified::abstract_one(&installation);
    let mut command = installation.command("chancery-watcher", &["run", "--config", "watcher.toml"]);
    let log = fs::File::create(installation.path("daemon.log")).unwrap();
    let mut child = Killed(
        command
            .env("NOTIFY_SOCKET", &notified.name)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    let ready = notified.until("READY=1");
    assert!(ready.contains("\nSTATUS=serving bitcoin"), "{ready}");
    // Its first round may have been faster.
    if !ready.contains("; in trouble: bitcoin") {
        notified.until("STATUS=serving bitcoin; in trouble: bitcoin");
    }
    for _ in 0..3 {
        notified.until("WATCHDOG=1");
    }

    let tls = wire::tls(&installation.path("pki"), None);
    let shown = || block_on(async { Connection::open(api, &tls).await.unwrap().server_certificate() });
    let before = shown();
    issue(&["renew", "api", "--new-key"]);
    let pid = Pid::from_child(&child.0);
    kill_process(pid, Signal::HUP).unwrap();
    notified.until("RELOADING=1");
    notified.until("READY=1");
    assert_ne!(shown(), before);
    fs::write(installation.path("pki/watcher.crt"), "no certificate").unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    notified.until("RELOADING=1");
    notified.until("READY=1");
    let logged = fs::read_to_string(installation.path("daemon.log")).unwrap();
    assert!(logged.contains("those read before stay in force"), "{logged}");

    kill_process(pid, Signal::TERM).unwrap();
    notified.until("STOPPING=1");
    assert!(child.0.wait().unwrap().success());
    signer.stop();
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn client_reloads() {
    let installation = Installation::with_second_watcher();
    let running = installation.start();
    let client = installation.client(&running);
    let config = watcher_client::Config::load(&installation.path("watcher.toml")).unwrap();
    let sees_hot = || {
        let answer = block_on(client.keys()).unwrap();
        answer.keys.iter().any(|key| key.name.as_str() == "hot")
    };
    assert!(sees_hot());
    for kind in ["crt", "key"] {
        fs::copy(installation.path(&format!("pki/second.{kind}")), installation.path(&format!("pki/watcher.{kind}")))
            .unwrap();
    }
    assert!(sees_hot(), "they were not read again yet");
    client.reload(&config).unwrap();
    assert!(!sees_hot(), "it comes as the watcher of before");

    fs::write(installation.path("pki/watcher.key"), "no key").unwrap();
    assert!(client.reload(&config).unwrap_err().to_string().contains("watcher.key"));
    assert!(!sees_hot());
    running.stop();
}
