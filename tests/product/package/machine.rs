//! A machine to install on: a Debian tree with processes, mounts and a network of its own, but no systemd.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{told, tree};

/// Everything in it ends with this.
pub(super) struct Machine {
    tree: TempDir,
    /// Its first process. It ends when its standard input does, and with it all others.
    first: Child,
}

impl Machine {
    pub(super) fn new() -> Self {
        let tree = tempfile::Builder::new().prefix("machine").tempdir().unwrap();
        tree::unpack(tree.path());
        let begin = "mount -t proc proc \"$0/proc\" && chroot \"$0\" ip link set lo up && echo ready && exec cat";
        let mut first = Command::new("unshare")
            .args(["--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child", "sh", "-c", begin])
            .arg(tree.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(first.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "unshare: {:?}", first.try_wait());
        Self { tree, first }
    }

    /// Where a path of the machine is, seen from here.
    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.tree.path().join(path.as_ref().strip_prefix("/").unwrap())
    }

    /// A program of the machine, as root.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let of = |kind: &str| format!("/proc/{}/ns/{kind}", self.first.id());
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--mount={}", of("mnt")))
            .arg(format!("--net={}", of("net")))
            .arg(format!("--ipc={}", of("ipc")))
            .arg(format!("--pid={}", of("pid_for_children")))
            .arg("chroot")
            .arg(self.tree.path())
            .args(["env", "--ignore-environment", "--chdir=/root", "HOME=/root", "LC_ALL=C.UTF-8"])
            .args([
                "DEBIAN_FRONTEND=noninteractive",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ])
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs a program to its good end; what it said.
    pub(super) fn run(&self, arguments: &[&str]) -> String {
        told(&mut self.command(arguments))
    }

    /// Types these lines, each of which must end well.
    pub(super) fn shell(&self, lines: &str) -> String {
        self.run(&["bash", "-euo", "pipefail", "-c", lines])
    }

    /// A page of a server in the machine.
    pub(super) fn page(&self, port: u16, path: &str) -> String {
        let ask = format!(
            "exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3"
        );
        self.shell(&ask)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.first.stdin.take());
        let _ = self.first.wait();
    }
}
