//! Clients that kept generators make of the document: they type-check, and their examples get signatures over mutual TLS
//! that our own code believes.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
};

use appliance_wire::{LogKey, Receipt, SignatureAnswer};
use libtest_mimic::Trial;
use tempfile::TempDir;
use watcher_client::verify_receipt;

use crate::harness::{Installation, Running, body::digest, eventually, repository, trial, typed, watcher::Watcher};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("clients::the_examples_of_both_languages_get_signatures_that_we_believe", examples)]
}

/// The clients, and the programs that use them.
struct Clients {
    made: TempDir,
}

impl Clients {
    /// Generates both, as a user does; the TypeScript one is type-checked by that.
    fn make() -> Self {
        let made = tempfile::tempdir().unwrap();
        let clients = format!("CLIENTS={}", made.path().display());
        let make = typed("make").args(["--no-print-directory", "clients", &clients]).output().unwrap();
        assert!(make.status.success(), "{}\n{}", text(&make.stdout), text(&make.stderr));
        Self { made }
    }

    fn python(&self) -> Command {
        let mut command = Command::new("python3");
        command.arg("-B").arg(repository().join("watcher-client/clients/python/example.py"));
        let path = [self.made.path().join("python"), repository().join("var/python")];
        command.env("PYTHONPATH", std::env::join_paths(path).unwrap());
        command
    }

    fn typescript(&self) -> Command {
        let mut command = Command::new("node");
        command.arg(self.made.path().join("typescript/example.js"));
        command
    }
}

/// An example with what it needs to know of the appliance.
fn example(mut command: Command, installation: &Installation, running: &Running, pki: &str, id: &str) -> Command {
    let url = format!("https://{}", running.watcher);
    command.args(["--url", &url, "--pki", pki, "--key", "hot", "--id", id, "--out", id]);
    command.current_dir(installation.directory()).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn examples() {
    let clients = Clients::make();
    let installation = Installation::new();
    let running = installation.start();
    let log_key = LogKey::parse(&installation.log_key()).unwrap();
    let languages: [(&str, &dyn Fn() -> Command); 2] =
        [("python", &|| clients.python()), ("typescript", &|| clients.typescript())];
    for (id, command) in languages {
        let run = |pki: &str| example(command(), &installation, &running, pki, id).output().unwrap();
        let first = signed(&installation, id, &run("pki"), &log_key);
        // What it is put again is the same request, also in another process.
        assert_eq!(signed(&installation, id, &run("pki"), &log_key), first);
        assert_eq!(installation.kinds_of(id), ["accepted", "signed"]);
        assert_eq!(installation.kinds_of(&format!("{id}-too-much")), ["denied", "denied"]);
        stranger(&installation, &run);
        waits(&installation, &running, &command, &format!("{id}-later"));
    }
    running.stop();
    installation.assert_log_verifies();
}

/// The bytes that were answered, which our own code believes.
fn signed(installation: &Installation, id: &str, output: &Output, log_key: &LogKey) -> Vec<u8> {
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("urn:chancery:problem:denied: "), "{}", text(&output.stdout));
    let read = |name: &str| fs::read(installation.path(id).join(name)).unwrap();
    let answer: SignatureAnswer = serde_json::from_slice(&read("answer.json")).unwrap();
    let receipt: Receipt = serde_json::from_slice(&read("receipt.json")).unwrap();
    // Which verifies every signature in the entry.
    let proven = verify_receipt(&receipt, log_key).unwrap();
    assert_eq!(Some(proven.entry.index), answer.entry);
    let (proven, answered) = (&proven.signatures[0].signature, &answer.signatures.unwrap()[0]);
    assert_eq!((&proven.signature, proven.digest), (&answered.signature, answered.digest));
    read("answer.json")
}

/// An appliance of another CA is not spoken to.
fn stranger(installation: &Installation, run: &dyn Fn(&str) -> Output) {
    let other = installation.path("other");
    fs::create_dir_all(&other).unwrap();
    for file in ["watcher.crt", "watcher.key"] {
        fs::copy(installation.path("pki").join(file), other.join(file)).unwrap();
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let ca = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    fs::write(other.join("ca.crt"), ca.pem()).unwrap();
    let output = run("other");
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.to_lowercase().contains("certificate"), "{said}");
}

/// While the token is away it waits as long as it is told to, and then has its signature.
fn waits(installation: &Installation, running: &Running, command: &dyn Fn() -> Command, id: &str) {
    let (mut command, other) = (example(command(), installation, running, "pki", id), format!("{id}-other"));
    let (objects, away) = (installation.path("token/objects"), installation.path("token/away"));
    fs::rename(&objects, &away).unwrap();
    let watcher = Watcher::new(installation, running);
    assert_eq!(watcher.refused(&other, digest("raw", 1)).status, 503);
    let mut child = Killed(command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap());
    let mut said = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("the same again in") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it did not wait");
    }
    assert!(line.starts_with("urn:chancery:problem:token-unavailable: "), "{line}");
    fs::rename(&away, &objects).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(child.0.wait().unwrap().success(), "{rest}");
    assert!(rest.contains("and the signature verifies"), "{rest}");
    // What comes after needs the token.
    eventually("the token is back", || (watcher.put(&other, digest("raw", 1)).status == 200).then_some(()));
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
