//! The units of the packages: how exposed systemd finds them, what the programs ask of the kernel, and a real systemd.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

use libtest_mimic::Trial;

use crate::harness::{
    Installation, Running, body::digest, daemon::Daemon, eventually, repository, trial, watcher::Watcher,
};

mod machine;
mod real;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("units::are_exposed_at_most_1_2_and_with_every_drop_in_1_3", exposure),
        trial("units::have_no_word_that_systemd_does_not_know", words),
        trial("units::admit_every_system_call_the_programs_make", system_calls),
        trial("units::the_appliance_opens_no_connection_to_anybody", connections),
    ];
    trials.extend(real::trials());
    trials
}

/// Whether this process may make namespaces and mount in them; said aloud where it may not.
pub(crate) fn may_make_namespaces() -> bool {
    let mut probe = Command::new("unshare");
    probe.args(["--mount", "--pid", "--net", "--cgroup", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    let may = rustix::process::geteuid().is_root() && probe.output().is_ok_and(|output| output.status.success());
    if !may {
        println!("SKIPPED: it needs root, and the right to mount");
    }
    may
}

/// Both units, each with its drop-ins.
const UNITS: [(&str, &str, &[&str]); 2] = [
    ("appliance/package", "chancery.service", &["chancery-usb-yubihsm.conf", "chancery-listen.conf"]),
    ("watcher-client/package", "chancery-watcher.service", &["chancery-watcher-network.conf"]),
];

/// A root with this unit and these drop-ins, the targets of the machine, and programs to start.
fn tree(folder: &str, unit: &str, drop_ins: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    let own = format!("etc/systemd/system/{unit}.d");
    for folder in [own.as_str(), "usr/lib/systemd/system", "usr/bin", "bin"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    let from = repository().join(folder);
    fs::copy(from.join(unit), at("etc/systemd/system").join(unit)).unwrap();
    for drop_in in drop_ins {
        fs::copy(from.join(drop_in), at(&own).join(drop_in)).unwrap();
    }
    for entry in fs::read_dir("/usr/lib/systemd/system").unwrap() {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path())).unwrap();
        if path.extension().is_some_and(|ending| ending == "target" || ending == "mount") {
            fs::copy(path, at("usr/lib/systemd/system").join(name)).unwrap();
        }
    }
    for program in ["usr/bin/chancery", "usr/bin/chancery-watcher", "bin/kill"] {
        fs::copy("/bin/true", at(program)).unwrap();
    }
    root
}

fn analyze(arguments: &[&str]) -> Output {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).output().expect("systemd-analyze is missing: run .ci/prerequisites tests")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn exposure() {
    for (folder, unit, drop_ins) in UNITS {
        // A drop-in opens something: that costs what it must.
        for (drop_ins, most) in [(&[][..], 1.2), (drop_ins, 1.3)] {
            let root = tree(folder, unit, drop_ins);
            let at = format!("--root={}", root.path().display());
            let found = analyze(&["security", "--offline=true", "--no-pager", &at, unit]);
            let text = text(&found);
            let (_, overall) = text.split_once("Overall exposure level for ").unwrap_or_else(|| panic!("{text}"));
            let exposure: f64 = overall.split(' ').nth(1).unwrap().parse().unwrap();
            assert!(found.status.success() && exposure <= most, "{unit} with {drop_ins:?}: {exposure}\n{text}");
        }
    }
}

fn words() {
    for (folder, unit, drop_ins) in UNITS {
        let root = tree(folder, unit, drop_ins);
        let at = format!("--root={}", root.path().display());
        let found = analyze(&["verify", "--man=no", &at, unit]);
        assert!(found.status.success(), "{}", text(&found));
        // What it does not know it ignores, and says so.
        assert_eq!(text(&found), "", "{unit}");
    }
}

/// What a unit's `SystemCallFilter=` lines come to.
fn admitted(unit: &str) -> BTreeSet<String> {
    // Without them nothing starts: systemd admits them whatever the list is.
    let mut admitted = members("@default");
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (words, takes) = line.strip_prefix('~').map_or((line, false), |words| (words, true));
        let calls: BTreeSet<String> = words.split_whitespace().flat_map(members).collect();
        if takes {
            admitted.retain(|call| !calls.contains(call));
        } else {
            admitted.extend(calls);
        }
    }
    admitted
}

/// The calls of a group and of the groups in it, as this machine's systemd has them.
fn members(word: &str) -> BTreeSet<String> {
    if !word.starts_with('@') {
        return BTreeSet::from([word.to_owned()]);
    }
    let found = analyze(&["syscall-filter", "--no-pager", word]);
    assert!(found.status.success(), "{}", text(&found));
    let text = text(&found);
    let lines = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(members).collect()
}

/// Has `strace` write the name of each call that was made, when all has ended.
const NAMES: &[&str] = &["-c", "-U", "name"];

/// A program under `strace`, which writes into the file.
fn traced(installation: &Installation, wanted: &[&str], program: &str, arguments: &[&str], calls: &Path) -> Command {
    let program = installation.installed(program, arguments);
    let mut command = Command::new("strace");
    // -D: the program is our child, and strace nobody's.
    command.args(["-D", "-f", "-q"]).args(wanted).args(["-o", calls.to_str().unwrap()]);
    command.arg(program.get_program()).args(program.get_args()).current_dir(installation.directory());
    command.env_remove("SOFTHSM2_CONF");
    command
}

fn assert_admitted(folder: &str, unit: &str, calls: &Path) {
    let listed =
        eventually("strace has ended", || fs::read_to_string(calls).ok().filter(|text| text.contains("total")));
    let called: BTreeSet<String> = listed
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'))
        .filter(|name| !["syscall", "total"].contains(name))
        .map(str::to_owned)
        .collect();
    assert!(called.contains("execve") && called.contains("futex") && called.len() > 40, "{listed}");
    let admitted = admitted(&fs::read_to_string(repository().join(folder).join(unit)).unwrap());
    let forbidden: Vec<_> = called.difference(&admitted).collect();
    assert!(forbidden.is_empty(), "{unit} forbids what the program calls: {forbidden:?}");
}

/// Whoever could have it open one, by a request or a file, would learn or reach what only it can.
fn connections() {
    let installation = Installation::new();
    let calls = installation.path("calls");
    let wanted = ["-e", "trace=bind,connect"];
    let command = traced(&installation, &wanted, "chancery", &["serve", "--config", "chancery.toml"], &calls);
    let running = Running::spawn(&installation, command).unwrap_or_else(|log| panic!("{log}"));
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", digest("raw", 1));
    watcher.refused("b", digest("cold", 1));
    installation.run("chancery", &["freeze", "--all", "--reason", "drill"]);
    for page in ["/metrics", "/livez", "/readyz"] {
        assert_eq!(running.monitor(page).0, 200);
    }
    running.hang_up();
    eventually("certificates are read again", || running.logged().contains("were read again").then_some(()));
    running.stop();
    let calls =
        eventually("strace has ended", || fs::read_to_string(&calls).ok().filter(|text| text.contains("exited")));
    assert!(calls.contains("bind(") && calls.contains("AF_INET"), "its own listeners are not seen: {calls}");
    let opened: Vec<_> = calls.lines().filter(|call| call.contains("connect(") && call.contains("AF_INET")).collect();
    assert!(opened.is_empty(), "{opened:#?}");
}

fn system_calls() {
    let installation = Installation::new();
    let (of_appliance, of_watcher) = (installation.path("calls"), installation.path("calls-of-watcher"));
    let command = traced(&installation, NAMES, "chancery", &["serve", "--config", "chancery.toml"], &of_appliance);
    let running = Running::spawn(&installation, command).unwrap_or_else(|log| panic!("{log}"));
    let watcher = Watcher::new(&installation, &running);
    watcher.put_at_once((0..16).map(|number| (format!("a-{number}"), digest("raw", number))));
    installation.run("chancery", &["freeze", "--all", "--reason", "drill"]);
    for page in ["/metrics", "/livez", "/readyz"] {
        assert_eq!(running.monitor(page).0, 200);
    }
    running.hang_up();
    eventually("they are read again", || running.logged().contains("were read again").then_some(()));

    Daemon::configure(
        &installation,
        running.watcher,
        "[[chain]]\nname = \"bitcoin\"\nchain = \"bitcoin-regtest\"\n\
        node = \"http://127.0.0.1:1\"\nkey = \"hot\"\nasset = \"BTC\"\nconfirmations = 3\nmax_fee = \"0.001\"\n",
    );
    let command = traced(&installation, NAMES, "chancery-watcher", &["run", "--config", "watcher.toml"], &of_watcher);
    let daemon = machine::Ended::spawn(command, &installation.path("daemon.log"));
    eventually("it serves", || daemon.logged().contains("the watcher serves").then_some(()));
    daemon.terminate();
    running.stop();
    assert_admitted("appliance/package", "chancery.service", &of_appliance);
    assert_admitted("watcher-client/package", "chancery-watcher.service", &of_watcher);

    // What is not in the list would be found.
    let of_none = admitted("SystemCallFilter=@system-service\nSystemCallFilter=~@privileged");
    assert!(of_none.contains("read") && !of_none.contains("chown") && !of_none.contains("landlock_restrict_self"));
}
