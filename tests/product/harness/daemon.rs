//! `chancery-watcher run`, as an exchange's backend meets it.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::Child,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Installation, eventually};

const LONGEST_ANSWER: Duration = Duration::from_secs(20);
pub(crate) const TOKEN: &str = "a-token-of-the-tests-0123456789abcdef";

/// The daemon's place: config, token and port. The daemon itself may come and go.
pub(crate) struct Daemon<'a> {
    installation: &'a Installation,
    child: Option<Child>,
    /// Where its API listens.
    pub(crate) api: SocketAddr,
}

impl<'a> Daemon<'a> {
    /// Writes what it needs into `watcher.toml`: `[run]` and these `[[chain]]`s. The signer is at `signer`.
    pub(crate) fn configure(installation: &'a Installation, signer: SocketAddr, chains: &str) -> Self {
        let api = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let token = installation.path("api-token");
        fs::write(&token, TOKEN).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        let path = installation.path("watcher.toml");
        let known = fs::read_to_string(&path).unwrap();
        let kept = known.lines().filter(|line| !line.starts_with("url"));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        let run = format!("\n[run]\nlisten = \"{api}\"\ntoken_file = \"api-token\"\n");
        fs::write(path, format!("url = \"https://{signer}\"\n{kept}{run}\n{chains}")).unwrap();
        Self { installation, child: None, api }
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let log = File::options().create(true).append(true).open(self.installation.path("daemon.log")).unwrap();
        let mut command = self.installation.command("chancery-watcher", &["run", "--config", "watcher.toml"]);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.child = Some(child);
        eventually("the daemon answers", || {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("{status}\n{}", self.logged());
            }
            self.try_call("GET", "/healthz", None).ok()
        });
    }

    /// What it wrote so far.
    pub(crate) fn logged(&self) -> String {
        fs::read_to_string(self.installation.path("daemon.log")).unwrap_or_default()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends it as systemd would; it must end well.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.logged());
    }

    /// A call of its API that is answered: status and JSON.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.try_call(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Likewise, where it may not be there.
    pub(crate) fn try_call(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<(u16, Value)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(self.api)?;
        stream.set_read_timeout(Some(LONGEST_ANSWER))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let bad = || std::io::Error::other(format!("no answer: {answer:?}"));
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(bad)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
        Ok((status, serde_json::from_str(body).unwrap_or_else(|_| body.into())))
    }

    /// A withdrawal as it stands.
    pub(crate) fn withdrawal(&self, id: &str) -> Value {
        let (status, withdrawal) = self.call("GET", &format!("/v1/withdrawals/{id}"), None);
        assert_eq!(status, 200, "{withdrawal}");
        withdrawal
    }

    /// The withdrawal, as soon as it is in this state.
    pub(crate) fn until(&self, id: &str, state: &str, mut meanwhile: impl FnMut()) -> Value {
        eventually(&format!("{id} is {state}"), || {
            meanwhile();
            Some(self.withdrawal(id)).filter(|withdrawal| withdrawal["state"] == state)
        })
    }

    /// The deposits there are, those of one chain, by their last change.
    pub(crate) fn deposits(&self, chain: &str) -> Vec<Value> {
        let (status, answer) = self.call("GET", &format!("/v1/deposits?chain={chain}"), None);
        assert_eq!(status, 200, "{answer}");
        answer["deposits"].as_array().unwrap().clone()
    }

    /// An address for a customer.
    pub(crate) fn address(&self, chain: &str, name: &str) -> String {
        let path = format!("/v1/chains/{chain}/addresses/{name}");
        eventually("an address is ready", || {
            let (status, answer) = self.call("PUT", &path, None);
            (status < 300).then(|| answer["address"].as_str().unwrap().to_owned())
        })
    }

    /// How a chain stands.
    pub(crate) fn chain(&self, chain: &str) -> Value {
        self.call("GET", &format!("/v1/chains/{chain}"), None).1
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the daemon wrote:\n{}", self.logged());
        }
    }
}
