//! What is on a machine: after an installation, and after a purge.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use serde_json::Value;

use super::{built::Packages, machine::Machine, told};
use crate::harness::repository;

/// Every path of a machine that a package could have changed.
pub(super) struct Look(BTreeSet<String>);

impl Look {
    pub(super) fn at(machine: &Machine) -> Self {
        // Not what dpkg and the tools for users keep for themselves.
        let find = "find /etc /opt /srv /usr /var -not -path '/var/lib/dpkg/*' -not -path '/var/log/*' \
                    -not -path '/var/cache/*' -not -path '/etc/*-' -not -name .pwd.lock";
        Self(machine.shell(find).lines().map(str::to_owned).collect())
    }
}

/// Program, its crates by name in its bill of materials and in itself.
const PROGRAMS: [(&str, &str, &[&str]); 3] = [
    ("chancery", "chancery", &["sled", "k256", "cryptoki"]),
    ("chancery", "chancery-provision", &["vsss-rs", "rcgen", "cryptoki"]),
    ("chancery-watcher", "chancery-watcher", &["redb", "k256", "reqwest"]),
];

const FILES: [&str; 25] = [
    "/usr/lib/systemd/system/chancery.service",
    "/usr/lib/systemd/system/chancery-watcher.service",
    "/usr/lib/sysusers.d/chancery.conf",
    "/usr/lib/sysusers.d/chancery-watcher.conf",
    "/usr/lib/tmpfiles.d/chancery.conf",
    "/usr/lib/tmpfiles.d/chancery-watcher.conf",
    "/usr/lib/udev/rules.d/70-chancery-yubihsm.rules",
    "/usr/share/man/man1/chancery-serve.1.gz",
    "/usr/share/man/man1/chancery-provision-ceremony-rehearse.1.gz",
    "/usr/share/man/man1/chancery-watcher-sign.1.gz",
    "/usr/share/doc/chancery/copyright",
    "/usr/share/doc/chancery/changelog.Debian.gz",
    "/usr/share/doc/chancery-watcher/copyright",
    "/usr/share/doc/chancery-watcher/changelog.Debian.gz",
    "/usr/share/doc/chancery/examples/chancery.toml",
    "/usr/share/doc/chancery/examples/policy.toml",
    "/usr/share/doc/chancery/examples/chancery-listen.conf",
    "/usr/share/doc/chancery/examples/chancery-usb-yubihsm.conf",
    "/usr/share/doc/chancery/examples/monitoring/alerts.yaml",
    "/usr/share/doc/chancery/examples/monitoring/prometheus.yaml",
    "/usr/share/doc/chancery/examples/monitoring/dashboard.json",
    "/usr/share/doc/chancery/examples/ceremony/softhsm.toml",
    "/usr/share/doc/chancery/examples/ceremony/yubihsm-policy.toml",
    "/usr/share/doc/chancery-watcher/examples/watcher.toml",
    "/usr/share/doc/chancery-watcher/examples/chancery-watcher-network.conf",
];

/// Nothing is missing, nothing runs, and nothing will by itself.
pub(super) fn is_installed(machine: &Machine, packages: &Packages) {
    let changelog = Command::new("dpkg-parsechangelog")
        .args(["--show-field", "Version", "--file", "appliance/package/changelog"])
        .current_dir(repository())
        .output()
        .unwrap();
    let version = String::from_utf8(changelog.stdout).unwrap().trim().to_owned();
    assert_eq!(packages.field("Version"), [version.clone(), version.clone()]);
    assert!(version.starts_with(concat!(env!("CARGO_PKG_VERSION"), "-")), "{version}");
    assert_eq!(packages.field("Package"), ["chancery", "chancery-watcher"]);

    for file in FILES {
        let metadata = fs::metadata(machine.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(metadata.len() > 0 && metadata.permissions().mode() & 0o7777 == 0o644, "{file}");
    }
    for (package, program, crates) in PROGRAMS {
        assert!(machine.run(&[program, "--version"]).ends_with(concat!(env!("CARGO_PKG_VERSION"), "\n")));
        let shells = [
            format!("/usr/share/bash-completion/completions/{program}"),
            format!("/usr/share/zsh/vendor-completions/_{program}"),
            format!("/usr/share/fish/vendor_completions.d/{program}.fish"),
        ];
        assert!(shells.iter().all(|file| machine.path(file).exists()), "{program}: {shells:?}");
        let bill = format!("/usr/share/doc/{package}/{program}.cdx.json");
        names_its_crates(&machine.path(format!("/usr/bin/{program}")), &machine.path(bill), crates);
    }
    is_the_appliance_alone(machine);
    assert_eq!(machine.run(&["dpkg", "--verify", "chancery", "chancery-watcher"]), "");
    let folders =
        machine.run(&["stat", "--format=%U:%G %a", "/etc/chancery", "/etc/chancery/pki", "/etc/chancery-watcher"]);
    assert_eq!(folders, "root:root 755\nroot:chancery 750\nroot:chancery-watcher 750\n");
    users_are_those_of_sysusers(machine);
    let wanted = machine.path("/etc/systemd/system");
    assert!(!told(Command::new("find").arg(wanted)).contains("chancery"), "a unit is enabled");
    assert!(!machine.path("/run/chancery").exists() && !machine.path("/var/lib/chancery").exists());
}

/// The program itself tells the crates it was built from (cargo-auditable), and its bill of materials has them all.
fn names_its_crates(program: &Path, bill: &Path, crates: &[&str]) {
    let read = "import subprocess, sys, tempfile, zlib\n\
        section = tempfile.NamedTemporaryFile()\n\
        subprocess.check_call(['objcopy', '--dump-section', '.dep-v0=' + section.name, sys.argv[1], '/dev/null'])\n\
        print(zlib.decompress(section.read()).decode())";
    let named: Value = serde_json::from_str(&told(Command::new("python3").args(["-c", read]).arg(program))).unwrap();
    let of = |list: &Value| -> BTreeSet<(String, String)> {
        let one = |entry: &Value| Some((entry["name"].as_str()?.to_owned(), entry["version"].as_str()?.to_owned()));
        list.as_array().unwrap().iter().filter_map(one).collect()
    };
    let linked =
        named["packages"].as_array().unwrap().iter().filter(|entry| entry["kind"] != "build" && entry["root"] != true);
    let linked = of(&linked.cloned().collect());
    for name in crates {
        assert!(linked.iter().any(|(linked, _)| linked == name), "{} does not name {name}", program.display());
    }
    let text = fs::read_to_string(bill).unwrap();
    assert!(!text.contains("file:///tmp") && !text.contains("serialNumber"), "{}", bill.display());
    let bill: Value = serde_json::from_str(&text).unwrap();
    let missing: Vec<_> = linked.difference(&of(&bill["components"])).cloned().collect();
    assert!(missing.is_empty(), "{} has crates that its bill does not name: {missing:?}", program.display());
}

/// The appliance was built apart: the code that makes keys is in the other program.
fn is_the_appliance_alone(machine: &Machine) {
    let makes_keys = |program: &str| {
        let program = fs::read(machine.path(format!("/usr/bin/{program}"))).unwrap();
        program.windows(MAKING_KEYS.len()).any(|window| window == MAKING_KEYS)
    };
    assert!(makes_keys("chancery-provision") && !makes_keys("chancery"));
}

const MAKING_KEYS: &[u8] = b"hsm-drivers/src/ceremony/";

/// postinst made them with adduser, for the machine has no systemd; by sysusers.d they come out the same, but for numbers.
fn users_are_those_of_sysusers(machine: &Machine) {
    let other = tempfile::tempdir().unwrap();
    fs::create_dir_all(other.path().join("etc")).unwrap();
    let configurations =
        ["chancery", "chancery-watcher"].map(|name| machine.path(format!("/usr/lib/sysusers.d/{name}.conf")));
    told(Command::new("systemd-sysusers").arg("--root").arg(other.path()).args(configurations));
    for file in ["etc/passwd", "etc/group"] {
        let lines = |root: &Path| -> BTreeSet<String> {
            let text = fs::read_to_string(root.join(file)).unwrap();
            let without_numbers = |line: &str| {
                let fields = line
                    .split(':')
                    .enumerate()
                    .filter(|(place, _)| ![1, 2].contains(place) && (file != "etc/passwd" || *place != 3));
                fields.map(|(_, field)| field.trim_end_matches(',')).collect::<Vec<_>>().join(":")
            };
            text.lines().filter(|line| line.starts_with("chancery")).map(without_numbers).collect()
        };
        assert_eq!(lines(&machine.path("/")), lines(other.path()), "{file}");
        assert!(!lines(other.path()).is_empty(), "{file}");
    }
}

/// Removed, the configuration stays; purged, nothing stays but what was signed, and a word about it.
pub(super) fn is_purged(machine: &Machine, clean: &Look) {
    machine.run(&["dpkg", "--remove", "chancery", "chancery-watcher"]);
    assert!(!machine.path("/usr/bin/chancery").exists() && machine.path("/etc/chancery/chancery.toml").exists());
    let said = machine.run(&["dpkg", "--purge", "chancery", "chancery-watcher"]);
    for state in ["/var/lib/chancery", "/var/lib/chancery-watcher"] {
        assert!(said.contains(&format!("{state} is left for root")), "{said}");
        let left = fs::metadata(machine.path(state)).unwrap();
        assert_eq!((left.uid(), left.gid(), left.permissions().mode() & 0o7777), (0, 0, 0o700), "{state}");
    }
    let log = fs::metadata(machine.path("/var/lib/chancery/state/log.jsonl")).unwrap();
    assert!(log.len() > 0 && log.uid() == 0);
    let Look(left) = Look::at(machine);
    let more: Vec<_> = left.difference(&clean.0).filter(|path| !path.starts_with("/var/lib/chancery")).collect();
    assert!(more.is_empty(), "{more:?}");
    let missing: Vec<_> = clean.0.difference(&left).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let users = fs::read_to_string(machine.path("/etc/passwd")).unwrap()
        + &fs::read_to_string(machine.path("/etc/group")).unwrap();
    assert!(!users.contains("chancery"), "{users}");
}

/// Who held the ceremony in `/etc/chancery` loses no key by a purge.
pub(super) fn a_token_outlives_a_purge(machine: &Machine, packages: &Packages) {
    packages.install(machine);
    machine.shell("install -d -o chancery /etc/chancery/token && touch /etc/chancery/token/key");
    let said = machine.run(&["dpkg", "--purge", "chancery", "chancery-watcher"]);
    assert!(said.contains("/etc/chancery is left for root, for it holds /etc/chancery/token"), "{said}");
    assert_eq!(fs::metadata(machine.path("/etc/chancery/token/key")).unwrap().uid(), 0);
}
