//! A unit as it was installed, and its command run as systemd would: with its user, groups, folders and credentials.
//! What else the unit forbids is not tried here.

use std::{
    fs,
    process::{Child, Command},
};

use super::{machine::Machine, told};
use crate::harness::eventually;

pub(super) struct Unit {
    name: &'static str,
    /// Settings in the order of the file.
    settings: Vec<(String, String)>,
}

impl Unit {
    /// The installed unit of this name.
    pub(super) fn installed(machine: &Machine, name: &'static str) -> Self {
        let text = fs::read_to_string(machine.path(format!("/usr/lib/systemd/system/{name}.service"))).unwrap();
        let settings = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
        Self { name, settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).collect() }
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.settings.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn one(&self, key: &str) -> &str {
        self.all(key).next().unwrap_or_else(|| panic!("{}.service has no {key}", self.name))
    }

    /// A program with the unit's user and groups, and nothing of root's.
    pub(super) fn command(&self, machine: &Machine, arguments: &[&str]) -> Command {
        let (user, group) = (self.one("User"), self.one("Group"));
        // As initgroups(3) does it for systemd: those that list the user, not that of its passwd entry.
        let groups = fs::read_to_string(machine.path("/etc/group")).unwrap();
        let lists =
            |line: &&str| line.rsplit(':').next().is_some_and(|members| members.split(',').any(|one| one == user));
        let listed = groups.lines().filter(lists).filter_map(|line| line.split(':').next());
        let groups: Vec<&str> = std::iter::once(group).chain(listed).collect();
        let groups = format!("--groups={}", groups.join(","));
        let mut rights = vec!["setpriv", "--reuid", user, "--regid", group, &groups];
        rights.extend(["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]);
        machine.command(&[&rights[..], arguments].concat())
    }

    /// Makes what systemd makes before it starts the command: folders, and credentials that `/root/credentials` holds.
    fn prepare(&self, machine: &Machine) {
        let (user, group) = (self.one("User"), self.one("Group"));
        let folder = |kind: &str, parent: &str| {
            let mode = self.all(&format!("{kind}Mode")).next().unwrap_or("0755");
            for name in self.all(kind) {
                machine
                    .shell(&format!("install -d -m {mode} {parent}/{name}; chown -R {user}:{group} {parent}/{name}"));
            }
        };
        folder("StateDirectory", "/var/lib");
        folder("RuntimeDirectory", "/run");
        let credentials = self.credentials();
        machine.shell(&format!("install -d -m 0500 -o {user} {credentials}"));
        for name in self.all("LoadCredentialEncrypted").filter_map(|setting| setting.split(':').next()) {
            let (from, to) = (format!("/root/credentials/{name}"), format!("{credentials}/{name}"));
            machine.shell(&format!("[ ! -e {from} ] || install -m 0400 -o {user} {from} {to}"));
        }
    }

    fn credentials(&self) -> String {
        format!("/run/credentials/{}.service", self.name)
    }

    /// Starts the command; it serves when its monitor says so.
    pub(super) fn start<'a>(&'a self, machine: &'a Machine) -> Service<'a> {
        self.prepare(machine);
        // Its process id, which the program keeps: whoever enters a process namespace sees another.
        let begin =
            format!("echo $$ >/run/{}/pid; umask {}; exec \"$@\"", self.one("RuntimeDirectory"), self.one("UMask"));
        let mut arguments = vec!["bash", "-c", &begin, "bash"];
        let credentials = format!("CREDENTIALS_DIRECTORY={}", self.credentials());
        arguments.extend(["env", "--chdir=/", &credentials]);
        arguments.extend(self.one("ExecStart").split(' '));
        let mut process = self.command(machine, &arguments).spawn().unwrap();
        eventually("the unit's command is ready", || {
            assert!(process.try_wait().unwrap().is_none(), "the unit's command ended");
            let ready = machine.command(&["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9464"]).output().unwrap();
            ready
                .status
                .success()
                .then(|| machine.page(9464, "/readyz"))
                .filter(|page| page.starts_with("HTTP/1.1 200"))
        });
        Service { unit: self, machine, process }
    }
}

/// A unit's command that runs.
pub(super) struct Service<'a> {
    unit: &'a Unit,
    machine: &'a Machine,
    process: Child,
}

impl Service<'_> {
    /// Ends it as systemd does; it must end well.
    pub(super) fn stop(mut self) {
        let pid = format!("/run/{}/pid", self.unit.one("RuntimeDirectory"));
        told(&mut self.machine.command(&["bash", "-c", &format!("kill -TERM \"$(<{pid})\"")]));
        let status = self.process.wait().unwrap();
        assert!(status.success(), "after SIGTERM: {status}");
    }

    /// What `systemctl try-restart` does of a unit that runs.
    pub(super) fn restart(self) -> Self {
        let (unit, machine) = (self.unit, self.machine);
        self.stop();
        unit.start(machine)
    }
}
