//! A running appliance.

use std::{
    fs::File,
    io::Read,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

use super::Installation;

pub(crate) struct Running {
    child: Child,
    log: std::path::PathBuf,
    /// Where watchers connect.
    pub(crate) watcher: SocketAddr,
    /// Where monitoring connects.
    pub(crate) monitor: SocketAddr,
}

const STARTS_WITHIN: Duration = Duration::from_secs(30);

impl Running {
    /// Starts it with additional environment, and waits until it serves.
    pub(crate) fn start(installation: &Installation, environment: &[(&str, &str)]) -> Self {
        Self::try_start(installation, environment).unwrap_or_else(|log| panic!("the appliance did not start:\n{log}"))
    }

    /// Like [`start`](Self::start); what it logged, where it ended instead.
    pub(crate) fn try_start(installation: &Installation, environment: &[(&str, &str)]) -> Result<Self, String> {
        let mut command = installation.command("chancery", &["serve"]);
        command.envs(environment.iter().copied());
        Self::spawn(installation, command)
    }

    /// Starts it so that a file that would grow over its limit is an error to it, and not its end.
    pub(crate) fn start_with_full_disk_as_error(installation: &Installation) -> Self {
        // An ignored signal stays ignored in the program that is executed.
        let script = "trap '' XFSZ; exec -a chancery \"$0\" serve --config chancery.toml";
        let mut command = Command::new("bash");
        command.args(["-c", script]).arg(std::env::current_exe().unwrap()).current_dir(installation.directory());
        Self::spawn(installation, command).unwrap_or_else(|log| panic!("the appliance did not start:\n{log}"))
    }

    /// From now on no file of it may be longer; what is longer stays so.
    pub(crate) fn limit_files_to(&self, bytes: u64) {
        let limit = Rlimit { current: Some(bytes), maximum: None };
        prlimit(Some(self.pid()), Resource::Fsize, limit).unwrap();
    }

    /// Runs the command, and waits until it serves; what it logged, where it ended instead.
    pub(crate) fn spawn(installation: &Installation, command: Command) -> Result<Self, String> {
        Self::spawn_beside(installation.path("appliance.log"), command)
    }

    /// As [`Self::spawn`], with a log of its own.
    pub(crate) fn spawn_beside(log: std::path::PathBuf, mut command: Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let begun = Instant::now();
        // There is no event to wait for: another process opens its listeners.
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return Err(format!("{status}\n{}", std::fs::read_to_string(&log).unwrap()));
            }
            let text = std::fs::read_to_string(&log).unwrap();
            if let Some(line) = text.lines().find(|line| line.contains("\"listening\"") && line.ends_with('}')) {
                let line: Value = serde_json::from_str(line).unwrap();
                let address = |name: &str| {
                    let text = line["fields"][name].as_str().unwrap();
                    text.trim_start_matches("Some(").trim_end_matches(')').parse().unwrap()
                };
                return Ok(Self { child, watcher: address("watcher"), monitor: address("monitor"), log });
            }
            assert!(begun.elapsed() < STARTS_WITHIN, "it neither serves nor ends:\n{text}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it logged so far.
    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Asks it to read its certificates again.
    pub(crate) fn hang_up(&self) {
        kill_process(self.pid(), Signal::HUP).unwrap();
    }

    /// Ends it as systemd would; it must end well.
    pub(crate) fn stop(mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.logged());
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ended by itself.
    pub(crate) fn wait(mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    /// A page of the monitor listener: status and body.
    pub(crate) fn monitor(&self, path: &str) -> (u16, String) {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(self.monitor).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Sum of a metric over all its labels.
    pub(crate) fn total(&self, name: &str) -> u64 {
        let (_, text) = self.monitor("/metrics");
        let samples = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once(' '));
        samples.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
    }

    /// Value of a metric; its labels are part of the name.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.monitor("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no metric {name} in\n{text}")).parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
