//! A Prometheus of one's own, and `promtool`: unpacked from Debian's package, or on the path.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{eventually, repository};

/// One of the package's programs.
pub(crate) fn program(name: &str) -> PathBuf {
    let unpacked = repository().join("var/promtool/usr/bin").join(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::iter::once(unpacked).chain(std::env::split_paths(&path).map(|place| place.join(name)));
    places.find(|place| place.is_file()).unwrap_or_else(|| panic!("no {name}: run .ci/prerequisites tests"))
}

/// Runs `promtool`, with something on its standard input.
pub(crate) fn promtool(arguments: &[&str], directory: &Path, input: &str) -> Output {
    let mut command = Command::new(program("promtool"));
    command.args(arguments).current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end before it has read all.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

/// As [`promtool`], and it must be content.
pub(crate) fn promtool_agrees(arguments: &[&str], directory: &Path, input: &str) {
    let output = promtool(arguments, directory, input);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "promtool {arguments:?}: {}\n{said}", output.status);
}

pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Prometheus {
    /// Starts it with this configuration and these rules beside it, and waits until it answers.
    pub(crate) fn start(config: &str, rules: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("prometheus").tempdir().unwrap();
        fs::write(directory.path().join("prometheus.yaml"), config).unwrap();
        fs::write(directory.path().join("alerts.yaml"), rules).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let child = Command::new(program("prometheus"))
            .args(["--config.file=prometheus.yaml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut this = Self { child, address, _directory: directory };
        eventually("Prometheus answers", || {
            let ended = this.child.try_wait().unwrap();
            let log = || fs::read_to_string(this._directory.path().join("log")).unwrap();
            assert!(ended.is_none(), "{}", log());
            this.try_get("/-/ready").filter(|(status, _)| *status == 200).map(|_| ())
        });
        this
    }

    /// What a query gives now.
    pub(crate) fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}"));
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// Those that fire now.
    pub(crate) fn firing(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/alerts");
        let alerts = answer["data"]["alerts"].as_array().unwrap().iter();
        alerts.filter(|alert| alert["state"] == "firing").cloned().collect()
    }

    fn get(&self, path: &str) -> Value {
        let (_, body) = self.try_get(path).unwrap();
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
