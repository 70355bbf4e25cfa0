//! What the process that a vendor's module is loaded into may do: use its token, and no more than that.

use std::{
    collections::BTreeMap,
    fs, io,
    os::{
        linux::{fs::MetadataExt, net::SocketAddrExt},
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    process::Command,
};

use libtest_mimic::Trial;
use rustix::{
    fs::OFlags,
    process::{Resource, Rlimit, getuid, prlimit},
};
use serde_json::Value;

use crate::{
    harness::{Installation, Running, body::digest, eventually, shim::Shim, trial, watcher::Watcher},
    several_tokens::twins,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("worker_privileges::a_module_gets_at_nothing_of_the_appliances_and_at_all_it_needs", attempts),
        trial("worker_privileges::a_worker_gains_no_rights_and_leaves_no_core", process),
        trial("worker_privileges::a_worker_is_told_of_that_keeps_files_it_should_not_have", inherited),
        trial("worker_privileges::a_worker_whose_module_hangs_ends_with_the_appliance", ends_with_the_appliance),
    ]
}

fn token(installation: &Installation) -> Value {
    let status: Value = serde_json::from_slice(&installation.run("chancery", &["status", "--json"]).stdout).unwrap();
    status["tokens"][0].clone()
}

/// Process id of the first token's worker.
fn worker(installation: &Installation) -> i64 {
    eventually("the token is up", || token(installation)["worker"].as_i64())
}

fn signal(signal: &str, process: i64) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

/// Ends the first token's worker; process id of the next.
fn next_worker(installation: &Installation, signal_by: &str) -> i64 {
    let ended = worker(installation);
    signal(signal_by, ended);
    eventually("another worker serves", || token(installation)["worker"].as_i64().filter(|worker| *worker != ended))
}

/// Whether this kernel has no Landlock; then the log must say so.
fn is_without_landlock(installation: &Installation, running: &Running) -> bool {
    let caveats = token(installation)["worker_caveats"].to_string();
    let without = caveats.contains("no Landlock");
    assert_eq!(running.logged().contains("this kernel has no Landlock"), without, "{caveats}");
    without
}

fn attempts() {
    let installation = twins();
    let shim = Shim::between(&installation);
    let running = installation.start();
    let socket = format!("chancery-test-{}", std::process::id());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&socket).unwrap()).unwrap();
    let at = |path: &str| installation.path(path).display().to_string();
    let refused = [
        format!("list {}", at("state")),
        format!("read {}", at("state/log.jsonl")),
        format!("write {}", at("state/log.jsonl")),
        format!("rename {}", at("state/log.jsonl")),
        format!("make {}", at("state/new")),
        format!("rename {}", at("state")),
        format!("rename {}", at("admin.sock")),
        format!("read {}", at("chancery.toml")),
        format!("write {}", at("chancery.toml")),
        format!("read {}", at("pki/server.key")),
        format!("write {}", at("pki/server.crt")),
        format!("write {}", at("pki/ca.crt")),
        // Its own, for it is told its PIN, and the other's.
        format!("read {}", at("token/pin")),
        format!("read {}", at("copy/pin")),
        format!("write {}", at("copy/pin")),
        format!("make {}", at("new")),
        "listen".to_owned(),
        format!("abstract {socket}"),
        format!("signal {}", running.pid().as_raw_nonzero()),
        format!("write /proc/{}/mem", running.pid().as_raw_nonzero()),
    ];
    let allowed = [
        format!("read {}", at("token/softhsm2.conf")),
        format!("list {}", at("token/objects")),
        format!("make {}", at("token/objects/new")),
        format!("make {}", at("shim/new")),
        "read /proc/self/status".to_owned(),
        "read /sys/kernel/mm/transparent_hugepage/enabled".to_owned(),
        "list /usr".to_owned(),
        "write /dev/null".to_owned(),
    ];
    let faults: Vec<String> =
        refused.iter().chain(&allowed).map(|attempt| format!("C_OpenSession 1 try {attempt}")).collect();
    let identities = shim.set(&faults);
    next_worker(&installation, "-KILL");
    let outcomes: BTreeMap<u64, String> =
        shim.calls().into_iter().filter_map(|call| Some((*call.faults.first()?, call.value))).collect();
    let outcome = |place: usize| outcomes[&identities[place]].as_str();
    if !is_without_landlock(&installation, &running) {
        for (place, attempt) in refused.iter().enumerate() {
            assert!(["PermissionDenied", "CrossesDevices"].contains(&outcome(place)), "{attempt}: {}", outcome(place));
        }
        assert_eq!(token(&installation)["worker_caveats"].as_array().unwrap().len(), passed_on().len().min(1));
    }
    for (place, attempt) in allowed.iter().enumerate() {
        assert_eq!(outcome(refused.len() + place), "done", "{attempt}");
    }
    // All that was there is there, and the tokens sign.
    Watcher::new(&installation, &running).signed("a", digest("raw", 1));
    running.stop();
    installation.assert_log_verifies();
}

/// A line of a file of `/proc/PID`.
fn line(process: i64, file: &str, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Files beside stdin, stdout and stderr that this process was started with, and that whatever it starts is started with.
fn passed_on() -> Vec<PathBuf> {
    let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let info = fs::read_to_string(Path::new("/proc/self/fdinfo").join(entry.file_name())).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?.trim().to_owned();
        let closes = u32::from_str_radix(&flags, 8).unwrap() & OFlags::CLOEXEC.bits() != 0;
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        (number > 2 && !closes).then(|| fs::read_link(entry.path()).ok())?
    });
    open.collect()
}

fn process() {
    let installation = Installation::new();
    let running = installation.start();
    // A limit that the worker would inherit.
    let hard = rustix::process::getrlimit(Resource::Core).maximum;
    prlimit(Some(running.pid()), Resource::Core, Rlimit { current: hard, maximum: hard }).unwrap();
    let worker = next_worker(&installation, "-KILL");
    assert_eq!(line(worker, "status", "NoNewPrivs:"), "1");
    assert_eq!(line(worker, "limits", "Max core file size"), "0 0 bytes");

    let descriptors = Path::new("/proc").join(worker.to_string()).join("fd");
    match fs::read_dir(&descriptors) {
        // It is not dumpable, and so its files are root's.
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert_eq!(fs::metadata(&descriptors).unwrap().st_uid(), 0);
        }
        Ok(open) => {
            assert!(getuid().is_root(), "the worker is dumpable");
            let open: Vec<_> = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()).collect();
            let passed_on = passed_on();
            let is_its_own = |path: &&PathBuf| {
                let text = path.to_str().unwrap();
                text.starts_with("socket:") || text == "/dev/null" || path.ends_with("appliance.log")
            };
            assert!(open.iter().any(|path| path.ends_with("appliance.log")), "{open:?}");
            assert!(open.iter().all(|path| is_its_own(&path) || passed_on.contains(path)), "{open:?}");
        }
    }

    next_worker(&installation, "-ABRT");
    let logged = running.logged();
    assert!(logged.contains("SIGABRT") && !logged.contains("core dumped"), "{logged}");
    running.stop();
}

fn inherited() {
    let installation = Installation::new();
    fs::write(installation.path("left-open"), "").unwrap();
    let script = "exec 9<left-open; exec -a chancery \"$0\" serve --config chancery.toml";
    let mut command = Command::new("bash");
    command.args(["-c", script]).arg(std::env::current_exe().unwrap()).current_dir(installation.directory());
    let running = Running::spawn(&installation, command).unwrap();
    for _ in 0..2 {
        let caveats = token(&installation)["worker_caveats"].to_string();
        assert!(
            caveats.contains("open files") && caveats.contains("9 (") && caveats.contains("left-open"),
            "{caveats}"
        );
        next_worker(&installation, "-KILL");
    }
    let text = String::from_utf8(installation.run("chancery", &["status"]).stdout).unwrap();
    assert!(text.contains("its worker has more rights than it should"), "{text}");
    // Once, not at every opening.
    assert_eq!(running.logged().matches("left-open").count(), 1, "{}", running.logged());
    running.stop();
}

fn ends_with_the_appliance() {
    let installation = Installation::new();
    let shim = Shim::between(&installation);
    let running = installation.start();
    let hangs = shim.set(&["C_OpenSession always hang".to_owned()]);
    signal("-KILL", worker(&installation));
    eventually("the next worker hangs before it looks at its socket again", || shim.has_fired(hangs[0]).then_some(()));
    let hanging = shim.calls().into_iter().find(|call| call.faults == hangs).unwrap();
    let process = hanging.process.split('@').next().unwrap().parse().unwrap();
    assert_ne!(state(process), None);
    running.kill();
    // Its module is still told to hang.
    eventually("the worker has ended", || matches!(state(process), None | Some('Z')).then_some(()));
}

/// State of a process, where it is there; one that has ended and was not waited for is a zombie.
fn state(process: i64) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
