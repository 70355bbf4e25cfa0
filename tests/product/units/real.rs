//! The units under a real systemd: every line of them in force, with SoftHSM for the token.

use std::{fs, path::Path, process::Command};

use libtest_mimic::Trial;

use super::{UNITS, machine::Machine, may_make_namespaces};
use crate::harness::{Installation, eventually, repository, trial};

pub(super) fn trials() -> Vec<Trial> {
    vec![trial("units::serve_reload_stop_and_are_watched_under_a_real_systemd", day)]
}

/// What `.deb` and operator do.
const SET_UP: &str = "
systemd-sysusers /usr/lib/sysusers.d/chancery.conf /usr/lib/sysusers.d/chancery-watcher.conf
chown -R root:chancery /etc/chancery
chmod 0750 /etc/chancery && chmod 0640 /etc/chancery/chancery.toml
chown chancery:chancery /etc/chancery/pki/*.key && chmod 0750 /etc/chancery/pki
chown -R chancery:chancery /var/lib/chancery
chown -R chancery-watcher:chancery-watcher /etc/chancery-watcher /var/lib/chancery-watcher
mkdir -p /etc/credstore.encrypted
systemd-creds encrypt --with-key=host --name=hsm-pin /pin /etc/credstore.encrypted/chancery.hsm-pin
rm /pin
";

const CHAIN: &str = "
[run]
listen = \"127.0.0.1:9470\"
token_file = \"/etc/chancery-watcher/api-token\"
journal = \"/var/lib/chancery-watcher/journal\"

[[chain]]
name = \"bitcoin\"
chain = \"bitcoin-regtest\"
node = \"http://127.0.0.1:1\"
key = \"hot\"
asset = \"BTC\"
confirmations = 3
max_fee = \"0.001\"
";

/// The installation as the packages and their documentation have it.
fn tree(installation: &Installation) -> std::path::PathBuf {
    let tree = installation.path("tree");
    let copy = |from: &Path, to: &str| {
        let to = tree.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    for (folder, unit, _) in UNITS {
        let (name, _) = unit.split_once('.').unwrap();
        copy(&repository().join(folder).join(unit), &format!("etc/systemd/system/{unit}"));
        copy(&repository().join(folder).join("sysusers.conf"), &format!("usr/lib/sysusers.d/{name}.conf"));
    }
    for (from, to) in [
        ("chancery.toml", "etc/chancery/chancery.toml"),
        ("pki", "etc/chancery/pki"),
        ("pki", "etc/chancery-watcher/pki"),
        ("watcher.toml", "etc/chancery-watcher/watcher.toml"),
        ("state", "var/lib/chancery/state"),
        ("token", "var/lib/chancery/token"),
        ("token/pin", "pin"),
    ] {
        copy(&installation.path(from), to);
    }
    fs::create_dir_all(tree.join("var/lib/chancery-watcher")).unwrap();
    let edit = |file: &str, edit: &dyn Fn(String) -> String| {
        let path = tree.join(file);
        fs::write(&path, edit(fs::read_to_string(&path).unwrap())).unwrap();
    };
    let before = installation.directory().to_str().unwrap().to_owned();
    edit("var/lib/chancery/token/softhsm2.conf", &|text| text.replace(&before, "/var/lib/chancery"));
    edit("etc/chancery/chancery.toml", &|text| {
        [
            ("directory = \"state\"", "directory = \"/var/lib/chancery/state\""),
            ("\"admin.sock\"", "\"/run/chancery/admin.sock\""),
            ("\"token/softhsm2.conf\"", "\"/var/lib/chancery/token/softhsm2.conf\""),
            ("{ file = \"token/pin\" }", "{ credential = \"hsm-pin\" }"),
            (
                "[watcher_listener]            # TLS 1.3 with client certificates\naddress = \"127.0.0.1:0\"",
                "[watcher_listener]\naddress = \"0.0.0.0:8443\"",
            ),
        ]
        .into_iter()
        .fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{from} in\n{text}");
            text.replace(from, to)
        })
    });
    fs::remove_file(tree.join("var/lib/chancery/token/pin")).unwrap();
    edit("etc/chancery-watcher/watcher.toml", &|text| {
        let kept = text.lines().filter(|line| !line.starts_with("url") && !line.starts_with("state_directory"));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        format!("url = \"https://127.0.0.1:8443\"\nstate_directory = \"/var/lib/chancery-watcher\"\n{kept}{CHAIN}")
    });
    let token = tree.join("etc/chancery-watcher/api-token");
    fs::write(&token, "a-token-of-the-tests-0123456789abcdef").unwrap();
    fs::set_permissions(token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    tree
}

/// A command as another user, with a group and those it is in besides.
fn as_user<'a>(user: &'a str, group: &'a str, more: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    [&["setpriv", "--reuid", user, "--regid", group, "--groups", more, "--no-new-privs"], command].concat()
}

const STATUS: [&str; 2] = ["chancery", "status"];

fn day() {
    if !may_make_namespaces() {
        return;
    }
    let installation = Installation::new();
    let machine = Machine::boot(&installation, &tree(&installation), SET_UP);
    machine.good(&["systemctl", "start", "chancery"]);
    assert_eq!(machine.property("chancery", "StatusText"), "serving watchers at 0.0.0.0:8443");

    // Whoever is in the group may look, the token's worker is confined, and the PIN came encrypted.
    let status = machine.good(&as_user("nobody", "chancery-admin", "chancery", &STATUS));
    assert!(status.contains("main up") && !status.contains("more rights"), "{status}");
    let other = machine.run(&as_user("nobody", "nogroup", "chancery", &STATUS));
    assert!(!other.status.success(), "anybody may open the admin socket");

    sign(&machine, "wd-1");
    network(&machine);
    machine.good(&["systemctl", "reload", "chancery"]);
    assert!(machine.journal().contains("the certificates were read again"));
    of_watcher(&machine);

    machine.good(&["systemctl", "stop", "chancery"]);
    let ended = ["ActiveState", "Result", "ExecMainStatus"].map(|name| machine.property("chancery", name));
    assert_eq!(ended, ["inactive", "success", "0"]);

    watched(&machine);
    sign(&machine, "wd-2");
    refused(&machine);
}

fn sign(machine: &Machine, id: &str) {
    let digest = "ab".repeat(32);
    let config = ["--config", "/etc/chancery-watcher/watcher.toml"];
    let sign = ["chancery-watcher", "sign", id, "--key", "raw", "--digest", &digest];
    let text = machine.good(&as_user(
        "chancery-watcher",
        "chancery-watcher",
        "chancery-watcher",
        &[&sign[..], &config].concat(),
    ));
    assert!(text.contains(&format!("{id}: signed")), "{text}");
}

/// It listens everywhere, and is reached only from where a drop-in says.
fn network(machine: &Machine) {
    let reach = ["timeout", "2", "bash", "-c", "exec 3<>/dev/tcp/10.0.0.7/8443"];
    assert!(!machine.run(&reach).status.success(), "it is reached from where nobody is let in");
    let (folder, unit, drop_ins) = UNITS[0];
    let drop_in = drop_ins.iter().find(|name| name.contains("listen")).unwrap();
    let to = machine.path(&format!("etc/systemd/system/{unit}.d"));
    fs::create_dir_all(&to).unwrap();
    fs::copy(repository().join(folder).join(drop_in), to.join(drop_in)).unwrap();
    machine.good(&["systemctl", "daemon-reload"]);
    eventually("it is reached from where the drop-in says", || machine.run(&reach).status.success().then_some(()));
}

fn of_watcher(machine: &Machine) {
    machine.good(&["systemctl", "start", "chancery-watcher"]);
    let status = machine.property("chancery-watcher", "StatusText");
    assert!(status.starts_with("serving bitcoin"), "{status}");
    machine.good(&["systemctl", "reload", "chancery-watcher"]);
    machine.good(&["systemctl", "stop", "chancery-watcher"]);
    let ended = ["ActiveState", "Result", "ExecMainStatus"].map(|name| machine.property("chancery-watcher", name));
    assert_eq!(ended, ["inactive", "success", "0"], "{}", machine.journal());
}

/// One that stands still is ended and started again.
fn watched(machine: &Machine) {
    let drop_in = machine.path("etc/systemd/system/chancery.service.d/soon.conf");
    fs::write(&drop_in, "[Service]\nWatchdogSec=3\nRestartSec=100ms\n").unwrap();
    machine.good(&["systemctl", "daemon-reload"]);
    machine.good(&["systemctl", "start", "chancery"]);
    let main = machine.property("chancery", "MainPID");
    machine.good(&["kill", "-STOP", &main]);
    eventually("it is started again", || {
        (machine.property("chancery", "NRestarts") == "1" && machine.property("chancery", "ActiveState") == "active")
            .then_some(())
    });
    assert_ne!(machine.property("chancery", "MainPID"), main);
    assert!(machine.journal().contains("Watchdog timeout"), "{}", machine.journal());
}

/// A wrong PIN is tried once.
fn refused(machine: &Machine) {
    let encrypt = "printf 0000 | systemd-creds encrypt --with-key=host --name=hsm-pin - \
                   /etc/credstore.encrypted/chancery.hsm-pin";
    machine.good(&["bash", "-c", encrypt]);
    assert!(!machine.run(&["systemctl", "restart", "chancery"]).status.success());
    let ended = ["ActiveState", "ExecMainStatus", "NRestarts"].map(|name| machine.property("chancery", name));
    assert_eq!(ended, ["failed", "78", "0"]);
    let status = machine.property("chancery", "StatusText");
    assert!(status.starts_with("not serving: token main: "), "{status}");

    // Without its credential the unit starts, and the program says what is missing.
    machine.good(&["rm", "/etc/credstore.encrypted/chancery.hsm-pin"]);
    assert!(!machine.run(&["systemctl", "restart", "chancery"]).status.success());
    let status = machine.property("chancery", "StatusText");
    assert!(status.contains("hsm-pin"), "{status}");
}
