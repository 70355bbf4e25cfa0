//! A directory with everything an appliance needs, made by the programs a user would type.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;
use watcher_client::Client;

use super::running::Running;

/// Keys every installation has.
const KEYS: [(&str, &str); 4] = [("hot", "secp256k1"), ("nist", "p256"), ("ed", "ed25519"), ("raw", "secp256k1")];

/// The policy of [`Installation::new`], with its watcher's certificate key left to be filled in.
pub(crate) const POLICY: &str = include_str!("policy.toml");

const SECOND_WATCHER: &str = r#"
[[watcher]]
name = "second"
public_keys_sha256 = ["SECOND"]

[[rule]]
name = "digests of the second"
watchers = ["second"]
keys = ["nist"]
action = "sign"
"#;

pub(crate) struct Installation {
    directory: TempDir,
    /// SHA-256 of the public key of `pki/watcher.crt`.
    pub(crate) watcher_sha256: String,
}

impl Installation {
    /// One with [`POLICY`].
    pub(crate) fn new() -> Self {
        Self::with_policy(POLICY)
    }

    /// One with this policy; `WATCHER` in it is replaced by the watcher certificate's SHA-256.
    pub(crate) fn with_policy(policy: &str) -> Self {
        let installation = Self::without_log();
        installation.begin(policy);
        installation
    }

    /// One with a second watcher, `second`, to which only key `nist` is granted.
    pub(crate) fn with_second_watcher() -> Self {
        Self::with_second(|second| Self::second_policy().replace("SECOND", second))
    }

    /// One whose policy is made with the SHA-256 of the public key of `pki/second.crt`.
    pub(crate) fn with_second(policy: impl Fn(&str) -> String) -> Self {
        let installation = Self::without_log();
        let sha256 = installation.issue("second");
        installation.begin(&policy(&sha256));
        installation
    }

    /// [`POLICY`] with a second watcher; `SECOND` is left to be filled in.
    pub(crate) fn second_policy() -> String {
        POLICY.to_owned() + SECOND_WATCHER
    }

    /// Begins the log with this policy, and lets the watcher believe it.
    pub(crate) fn begin(&self, policy: &str) {
        self.write_policy(policy);
        self.run("chancery", &["policy", "install", "policy.toml", "--genesis"]);
        let watcher = fs::read_to_string(self.path("watcher.toml")).unwrap();
        let log_keys = format!("log_keys = [{:?}]", self.log_key());
        let watcher: String =
            watcher.lines().filter(|line| !line.starts_with("log_keys")).map(|line| format!("{line}\n")).collect();
        fs::write(self.path("watcher.toml"), watcher + &log_keys).unwrap();
    }

    /// The verifier key of the log.
    pub(crate) fn log_key(&self) -> String {
        self.entries()[0]["log_key"].as_str().unwrap().to_owned()
    }

    /// Token, keys, certificates and configuration, but no audit log yet.
    pub(crate) fn without_log() -> Self {
        let installation = Self::with_token("softhsm");
        for (name, algorithm) in KEYS {
            let arguments = ["key", "generate", name, "--algorithm", algorithm, "--config", "chancery.toml"];
            installation.run("chancery-provision", &arguments);
        }
        installation
    }

    /// One with this kind of token, as `init` calls it, and no keys in it but the appliance's own.
    pub(crate) fn with_token(kind: &str) -> Self {
        Self::made_in(tempfile::Builder::new().prefix("chancery").tempdir().unwrap(), kind)
    }

    /// As [`Self::with_token`], in a directory that may hold something already.
    pub(crate) fn made_in(directory: TempDir, token: &str) -> Self {
        let mut installation = Self { directory, watcher_sha256: String::new() };
        installation.run("chancery-provision", &["init", "--directory", ".", "--development", "--token", token]);
        let starter = fs::read_to_string(installation.path("policy.toml")).unwrap();
        let line = starter.lines().find(|line| line.starts_with("public_keys_sha256")).unwrap();
        installation.watcher_sha256 = line.split('"').nth(1).unwrap().to_owned();
        let config = fs::read_to_string(installation.path("chancery.toml")).unwrap();
        let config = config.replace("127.0.0.1:8443", "127.0.0.1:0").replace("127.0.0.1:9464", "127.0.0.1:0");
        fs::write(installation.path("chancery.toml"), config).unwrap();
        installation
    }

    /// A directory with nothing in it.
    pub(crate) fn empty() -> Self {
        let directory = tempfile::Builder::new().prefix("chancery").tempdir().unwrap();
        Self { directory, watcher_sha256: String::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Issues a watcher certificate `pki/NAME.{crt,key}`; SHA-256 of its public key, as the policy names it.
    pub(crate) fn issue(&self, name: &str) -> String {
        let output = self.run("chancery-provision", &["pki", "issue", name, "--directory", "pki", "--json"]);
        let issued: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        issued["public_key_sha256"].as_str().unwrap().to_owned()
    }

    /// Writes `policy.toml`, `WATCHER` replaced.
    pub(crate) fn write_policy(&self, policy: &str) {
        fs::write(self.path("policy.toml"), policy.replace("WATCHER", &self.watcher_sha256)).unwrap();
    }

    /// Changes `chancery.toml`.
    pub(crate) fn edit_config(&self, edit: impl Fn(String) -> String) {
        let path = self.path("chancery.toml");
        fs::write(&path, edit(fs::read_to_string(&path).unwrap())).unwrap();
    }

    /// Lets nobody but its owner read what is in it, as a repository does not keep it.
    pub(crate) fn make_private(&self) {
        let mut open = vec![self.directory().to_owned()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            let mode = if path.is_dir() { 0o700 } else { 0o600 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    /// A program, to be run in the directory as a user would.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg0(program).args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        command.env_remove("SOFTHSM2_CONF");
        if program == "chancery" {
            command.args(["--config", "chancery.toml"]);
        }
        command
    }

    /// A program that finds the others beside it, as where they are installed.
    pub(crate) fn installed(&self, program: &str, arguments: &[&str]) -> Command {
        let programs = self.path("programs");
        fs::create_dir_all(&programs).unwrap();
        for name in ["chancery", "chancery-provision", "chancery-watcher"] {
            if !programs.join(name).exists() {
                symlink(std::env::current_exe().unwrap(), programs.join(name)).unwrap();
            }
        }
        let mut command = Command::new(programs.join(program));
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        command.env_remove("SOFTHSM2_CONF");
        command
    }

    /// Runs a program to its end, which must be good.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let output = self.command(program, arguments).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {arguments:?}: {}\n{out}\n{err}", output.status);
        output
    }

    /// Starts the appliance and waits until it serves.
    pub(crate) fn start(&self) -> Running {
        Running::start(self, &[])
    }

    /// The log must verify.
    pub(crate) fn assert_log_verifies(&self) {
        self.run("chancery", &["audit", "verify"]);
    }

    /// What `chancery status --json` says.
    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_slice(&self.run("chancery", &["status", "--json"]).stdout).unwrap()
    }

    /// Kinds of the entries about a request, in order.
    pub(crate) fn kinds_of(&self, id: &str) -> Vec<String> {
        let entries = self.entries().into_iter().filter(|entry| entry["request_id"] == id);
        entries.map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// Entries of the log.
    pub(crate) fn entries(&self) -> Vec<serde_json::Value> {
        let log = fs::read_to_string(self.path("state/log.jsonl")).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A client of the running appliance, with the installation's watcher certificate.
    pub(crate) fn client(&self, running: &Running) -> Client {
        self.write_watcher_config(running);
        Client::new(&watcher_client::Config::load(&self.path("watcher.toml")).unwrap()).unwrap()
    }

    /// Points `watcher.toml` at the running appliance.
    pub(crate) fn write_watcher_config(&self, running: &Running) {
        let path = self.path("watcher.toml");
        let config = fs::read_to_string(&path).unwrap();
        let url = format!("url = \"https://{}\"", running.watcher);
        let lines = config.lines().map(|line| if line.starts_with("url") { url.as_str() } else { line });
        let config: String = lines.map(|line| format!("{line}\n")).collect();
        // Renamed into place: clients in other threads read it meanwhile.
        let next = path.with_extension("next");
        fs::write(&next, config).unwrap();
        fs::rename(next, path).unwrap();
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}
