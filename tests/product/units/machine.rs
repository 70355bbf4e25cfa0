//! A machine with a real systemd: namespaces over this one's root, see `boot.sh`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Installation, eventually};

const BOOT: &str = include_str!("boot.sh");

/// Boots in a folder of an installation. Ends when it is dropped.
pub(super) struct Machine {
    booting: Child,
    scratch: PathBuf,
    init: Pid,
}

impl Machine {
    /// `tree` is laid over its root; then `set_up`, a script, runs in it.
    pub(super) fn boot(installation: &Installation, tree: &Path, set_up: &str) -> Self {
        let scratch = installation.path("machine");
        fs::create_dir(&scratch).unwrap();
        fs::rename(tree, scratch.join("tree")).unwrap();
        fs::write(scratch.join("tree/set-up"), format!("set -euo pipefail\n{set_up}")).unwrap();
        let script = scratch.join("boot.sh");
        fs::write(&script, BOOT).unwrap();
        let log = File::create(scratch.join("log")).unwrap();
        let mut booting = Command::new("unshare")
            .args(["--mount", "bash"])
            .arg(script)
            .arg(&scratch)
            .arg(std::env::current_exe().unwrap())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let said = || fs::read_to_string(scratch.join("log")).unwrap();
        let init = eventually("systemd runs", || {
            let ended = booting.try_wait().unwrap();
            assert!(ended.is_none(), "the machine did not boot: {ended:?}\n{}", said());
            init_below(Pid::from_child(&booting))
        });
        let machine = Self { booting, scratch, init };
        eventually("it has booted", || {
            let state = machine.run(&["systemctl", "is-active", "basic.target"]);
            (String::from_utf8_lossy(&state.stdout).trim() == "active").then_some(())
        });
        machine
    }

    /// Runs a command on it.
    pub(super) fn run(&self, command: &[&str]) -> Output {
        let init = self.init.as_raw_nonzero().to_string();
        Command::new("nsenter").args(["-a", "-t", &init]).args(command).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that must end well; what it wrote.
    pub(super) fn good(&self, command: &[&str]) -> String {
        let output = self.run(command);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {}\n{text}\n{error}\n{}", output.status, self.journal());
        text
    }

    /// A property of a unit.
    pub(super) fn property(&self, unit: &str, name: &str) -> String {
        self.good(&["systemctl", "show", "--value", "-p", name, unit]).trim().to_owned()
    }

    /// What the units wrote.
    pub(super) fn journal(&self) -> String {
        let journal = self.run(&["journalctl", "--no-pager", "-o", "cat", "-u", "chancery*"]);
        String::from_utf8_lossy(&journal.stdout).into_owned()
    }

    /// A file of its root.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(self.init.as_raw_nonzero().to_string()).join("root").join(path)
    }
}

/// The systemd among what a process has started.
fn init_below(process: Pid) -> Option<Pid> {
    let pid = process.as_raw_nonzero();
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    if name.trim() == "systemd" {
        return Some(process);
    }
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().find_map(|child| init_below(Pid::from_raw(child.parse().ok()?)?))
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.scratch.join("log")).unwrap_or_default());
            eprintln!("{}", self.journal());
        }
        // With it all that runs there; then the script takes away the control groups.
        let _ = kill_process(self.init, Signal::KILL);
        let _ = self.booting.wait();
    }
}

/// A program that is ended when the test is.
pub(super) struct Ended {
    child: Child,
    log: PathBuf,
}

impl Ended {
    pub(super) fn spawn(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Self { child, log: log.to_owned() }
    }

    pub(super) fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Ends it as systemd would; it must end well.
    pub(super) fn terminate(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.logged());
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it wrote:\n{}", self.logged());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
