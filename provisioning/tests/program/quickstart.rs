//! `quickstart` against stand-ins for the other programs: how it starts, waits, stops and tells.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::Stdio,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::harness::{PROGRAM, Place, Ran};

/// Says what it was asked, begins a log, and serves until it is told to end.
const CHANCERY: &str = r#"#!/bin/sh
echo "$@" >> asked
case "$1 $2" in
  "policy install")
    mkdir -p state
    printf '%s\n' '{"kind":"genesis","log_key":"quickstart.example/signer/0+1+AQID","index":0}' > state/log.jsonl ;;
  "serve --config")
    test -e broken && { echo "the token is gone" >&2; exit 78; }
    trap 'echo told to stop; exit 0' TERM INT
    trap : HUP
    echo serving; touch serving
    while :; do sleep 0.05; done ;;
esac
"#;

/// A place whose `bin/` holds the program and stand-ins for the programs beside it.
fn place() -> (Place, PathBuf) {
    let place = Place::new();
    fs::create_dir(place.path("bin")).unwrap();
    let program = place.path("bin/chancery-provision");
    fs::copy(PROGRAM, &program).unwrap();
    let script = |name: &str, text: &str| {
        fs::write(place.path(name), text).unwrap();
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("bin/chancery", CHANCERY);
    script("bin/chancery-watcher", "#!/bin/sh\n");
    script("demonstration", "#!/bin/sh\necho a withdrawal in \"$1\"\ntouch \"$1/demonstrated\"\n");
    (place, program)
}

/// Answers `/readyz` in the stand-in's stead, first with 503, once it serves.
fn answer_readyz(place: &Place) {
    let (serving, config) = (place.path("qs/serving"), place.path("qs/chancery.toml"));
    thread::spawn(move || {
        while !serving.exists() {
            thread::sleep(Duration::from_millis(10));
        }
        let config: toml::Table = fs::read_to_string(config).unwrap().parse().unwrap();
        let listener = TcpListener::bind(config["monitor_listener"]["address"].as_str().unwrap()).unwrap();
        for answer in ["503 Service Unavailable", "200 OK", "200 OK"] {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 256]);
            write!(stream, "HTTP/1.0 {answer}\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
}

const ARGUMENTS: [&str; 9] = [
    "quickstart",
    "--directory",
    "qs",
    "--watcher-port",
    "0",
    "--monitor-port",
    "0",
    "--demonstration",
    "./demonstration",
];

#[test]
fn once_goes_the_whole_way_and_a_second_run_goes_on_with_it() {
    let (place, program) = place();
    let once = [&ARGUMENTS[..], &["--once", "--json"]].concat();
    answer_readyz(&place);
    let first = Ran::of(place.command(&program, &once).output().unwrap()).succeeded();
    assert_eq!(first.json()["log_key"], "quickstart.example/signer/0+1+AQID");
    assert!(place.read("qs/watcher.toml").contains("\nlog_keys = [\"quickstart.example/signer/0+1+AQID\"]\n"));
    assert!(place.path("qs/demonstrated").exists() && first.err.contains("a withdrawal in /"));
    assert!(place.read("qs/appliance.log").contains("told to stop"));

    fs::remove_file(place.path("qs/serving")).unwrap();
    answer_readyz(&place);
    let second = Ran::of(place.command(&program, &once).output().unwrap()).succeeded();
    let steps = second.json()["steps"].clone();
    assert!(steps.as_array().unwrap().iter().all(|step| step["outcome"] != "made"), "{steps}");
    let asked = place.read("qs/asked");
    let asked: Vec<&str> = asked.lines().collect();
    let (serve, verify) = ("serve --config chancery.toml", "audit verify --config chancery.toml --json");
    let install = "policy install policy.toml --genesis --config chancery.toml --json";
    assert_eq!(asked, [install, serve, verify, serve, verify]);
}

#[test]
fn ctrl_c_and_a_closed_terminal_stop_the_appliance_in_order() {
    for (signal, to_the_group) in [(Signal::INT, true), (Signal::INT, false), (Signal::HUP, true)] {
        let (place, program) = place();
        answer_readyz(&place);
        let mut command = place.command(&program, &ARGUMENTS);
        let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut said = String::new();
        while !said.contains("Ctrl-C stops it") {
            let mut bytes = [0; 512];
            let count = out.read(&mut bytes).unwrap();
            assert!(count > 0, "{said}");
            said.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        assert!(said.contains("bin/chancery-watcher keys --config qs/watcher.toml"), "{said}");
        let pid = Pid::from_child(&child);
        if to_the_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) }.unwrap();
        assert!(child.wait().unwrap().success());
        assert!(place.read("qs/appliance.log").contains("told to stop"));
    }
}

#[test]
fn an_appliance_that_does_not_start_is_told_with_the_end_of_its_log() {
    let (place, program) = place();
    fs::create_dir(place.path("qs")).unwrap();
    fs::write(place.path("qs/broken"), "").unwrap();
    let ran = Ran::of(place.command(&program, &ARGUMENTS).output().unwrap());
    assert!(ran.err.contains("the token is gone"), "{}", ran.err);
    ran.refused(1, "ended before it was ready (exit status: 78)");
}

#[test]
fn a_failed_demonstration_stops_the_appliance_and_fails() {
    let (place, program) = place();
    fs::write(place.path("demonstration"), "#!/bin/sh\nexit 3\n").unwrap();
    answer_readyz(&place);
    let ran = Ran::of(place.command(&program, &ARGUMENTS).output().unwrap());
    ran.refused(1, "ended with exit status: 3");
    assert!(place.read("qs/appliance.log").contains("told to stop"));
}

#[test]
fn a_taken_port_is_told_before_anything_is_made() {
    let (place, program) = place();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let arguments = ["quickstart", "--directory", "qs", "--watcher-port", &port, "--monitor-port", "0"];
    Ran::of(place.command(&program, &arguments).output().unwrap())
        .refused(1, "choose another port with --watcher-port");
    assert!(!place.path("qs").exists());
}

#[test]
fn a_program_that_is_not_beside_this_one_is_missed_by_name() {
    let (place, program) = place();
    fs::remove_file(place.path("bin/chancery")).unwrap();
    let ran = Ran::of(place.command(&program, &ARGUMENTS).output().unwrap());
    ran.refused(1, "chancery: not found in");
}

/// Says how it was called, and stays until it is told to end, as it is asked to.
const EXCHANGE: &str = r#"#!/bin/sh
echo "$@" > "$1/called"
case "$*" in
  *--stay)
    trap 'echo told; touch "$1/ended"; exit 0' TERM INT
    echo staying
    while :; do sleep 0.05; done ;;
esac
"#;

#[test]
fn an_exchange_has_a_policy_of_its_own_and_stays_until_a_signal_to_us_alone() {
    for (with, key, asset) in [("anvil", "eth-vault", "ETH"), ("litecoin", "ltc-vault", "LTC")] {
        let (place, program) = place();
        fs::write(place.path("demonstration"), EXCHANGE).unwrap();
        answer_readyz(&place);
        let arguments = [&ARGUMENTS[..], &["--with", with]].concat();
        let mut command = place.command(&program, &arguments);
        let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut said = String::new();
        while !said.contains("staying") {
            let mut bytes = [0; 512];
            let count = out.read(&mut bytes).unwrap();
            assert!(count > 0, "{said}");
            said.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        out.read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        assert!(place.path("qs/ended").exists() && place.read("qs/appliance.log").contains("told to stop"));
        let called = place.read("qs/called");
        assert!(
            called.contains(&format!("--with {with} --watcher ")) && called.trim_end().ends_with("--stay"),
            "{called}"
        );
        let policy: toml::Table = place.read("qs/policy.toml").parse().unwrap();
        assert_eq!(policy["key"][0]["name"].as_str(), Some(key));
        assert_eq!(policy["asset"][0]["name"].as_str(), Some(asset));
        assert!(said.contains(&format!("key \"{key}\" (secp256k1, with children)")), "{said}");
        assert!(place.read("qs/asked").contains("audit verify"));
    }
}

#[test]
fn an_appliance_that_ends_ends_the_demonstration_too() {
    let (place, program) = place();
    fs::write(place.path("demonstration"), EXCHANGE).unwrap();
    let chancery =
        CHANCERY.replace("while :; do sleep 0.05; done", "while ! test -e called; do sleep 0.05; done; exit 7");
    fs::write(place.path("bin/chancery"), chancery).unwrap();
    answer_readyz(&place);
    let arguments = [&ARGUMENTS[..], &["--with", "anvil"]].concat();
    let ran = Ran::of(place.command(&program, &arguments).output().unwrap());
    ran.refused(1, "ended by itself (exit status: 7)");
    assert!(place.path("qs/ended").exists());
}
