//! The console page in a real browser: what it shows is what is, it asks nobody else, and everybody can use it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::harness::{
    Installation, Running,
    body::{DESTINATION, OTHER_DESTINATION, digest, payment, payments},
    eventually,
    installation::POLICY,
    officers::Officers,
    repository, trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("console::is_right_in_a_browser_for_all_who_look", in_a_browser),
        trial("console::is_there_where_the_configuration_says_so_and_for_no_other_name", switched),
        trial("console::serves_files_of_others_as_they_were_published", published),
    ]
}

const QUORUM: &str = r#"
[quorum]
policy = 2
loosen = 3
loosen_delay = "24h"
unfreeze = 2
"#;

const LIMITS: &str = r#"
[[limit]]
name = "one destination, a week"
keys = ["hot"]
asset = "BTC"
max_amount = "2"
window = "7d"
per = "destination"

[[limit]]
name = "each key, for ever"
max_signatures = 20
window = "lifetime"
per = "key"
"#;

/// What a stranger might write, to be shown and never obeyed.
const HOSTILE: &str =
    "<script>document.title='taken'</script><img src=http://evil.example/x onerror=alert(1)> \u{202e}gnirts";

fn policy(officers: &Officers) -> String {
    let approve = r#"{ approve = 2, of = ["alice", "bob", "carol"], expires = "1h" }"#;
    let policy = POLICY.replace(
        "keys = [\"raw\", \"nist\", \"ed\"]\naction = \"sign\"",
        &format!(
            "keys = [\"nist\", \"ed\"]\naction = \"sign\"\n\n[[rule]]\nname = \"raw digests\"\nwatchers = [\"btc-watcher\"]\n\
             keys = [\"raw\"]\naction = {approve}"
        ),
    );
    officers.policy_with(&(policy + LIMITS), &["alice", "bob", "carol"], QUORUM)
}

fn with_console(config: &str) -> String {
    config.replace("console = false", "console = true ")
}

fn in_a_browser() {
    let officers = Officers::new();
    let policy = policy(&officers);
    let installation = Installation::with_policy(&policy);
    installation.edit_config(|config| with_console(&config));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    traffic(&installation, &watcher);
    let waits = watcher.put("wd-large", digest("raw", 1));
    assert_eq!(waits.status, 202);
    installation.write_policy(&policy.replace("version = 1", "version = 2").replace("\"0.5\"", "\"0.9\""));
    officers.act(&installation, &["policy", "install", "policy.toml"], &["alice", "bob", "carol"]);
    let images = std::env::var_os("UPDATE").map(|_| repository().join("docs/images"));
    let reason = if images.is_some() { "its partition of the HSM is moved, change 4711" } else { HOSTILE };
    installation.run("chancery", &["freeze", "--key", "nist", "--reason", reason]);
    covered(&installation, &running);

    let facts = json!({
        "url": format!("http://{}", running.monitor),
        "reason": reason,
        "limits": watcher.get("/v1/limits").good()["limits"],
        "entries": installation.entries().len(),
        "signed": index_of(&installation, "signed"),
        "frozen": index_of(&installation, "frozen"),
        "downloads": installation.path(""),
        "images": images,
    });
    let mut browser = Browser::start(&facts);
    browser.until("freeze");
    installation.run("chancery", &["freeze", "--all", "--reason", "a drill"]);
    browser.go_on();
    browser.until("stop");
    running.stop();
    browser.go_on();
    browser.end();

    // The proof the browser was given is one that our other program accepts, and an altered one is not.
    let receipt = installation.path("receipt.json");
    let verified = installation
        .run("chancery-watcher", &["verify", "receipt.json", "--json", "--log-key", &installation.log_key()]);
    let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified["index"], facts["signed"], "{verified}");
    let altered = fs::read_to_string(&receipt).unwrap().replacen("\"entry\":\"ey", "\"entry\":\"eZ", 1);
    fs::write(&receipt, altered).unwrap();
    let refused =
        installation.command("chancery-watcher", &["verify", "receipt.json", "--log-key", &installation.log_key()]);
    assert_eq!({ refused }.output().unwrap().status.code(), Some(3));
}

/// Signed, repeated and refused requests, and one refused for what a stranger wrote into it.
fn traffic(installation: &Installation, watcher: &Watcher) {
    for number in 1..=6 {
        watcher.signed(&format!("wd-{number}"), payment(number, "0.31", "0.0001"));
    }
    watcher.signed("wd-7", payments(7, &[(OTHER_DESTINATION, "0.05")], "0.0001"));
    watcher.signed("attest-1", digest("nist", 7));
    watcher.refused("wd-8", payment(8, "0.6", "0.0001"));
    watcher.refused("wd-9", payment(9, "0.2", "0.0001"));
    watcher.refused("wd-10", digest("cold", 1));
    assert!(installation.entries().iter().any(|entry| entry["kind"] == "denied"), "{DESTINATION}");
}

/// Waits until a checkpoint covers all entries.
fn covered(installation: &Installation, running: &Running) {
    eventually("a checkpoint covers it", || {
        let status = installation.status();
        (status["checkpoint"] == status["entries"]).then_some(running)
    });
}

fn index_of(installation: &Installation, kind: &str) -> Value {
    installation.entries().into_iter().find(|entry| entry["kind"] == kind).unwrap()["index"].clone()
}

fn switched() {
    let installation = Installation::new();
    let running = installation.start();
    for path in ["/", "/parts", "/policy", "/entries/0", "/history.json", "/entries/0/receipt.json"] {
        assert_eq!(running.monitor(path).0, 404, "{path} without the switch");
    }
    assert_eq!(running.monitor("/livez").0, 200);
    running.stop();

    installation.edit_config(|config| with_console(&config));
    let running = installation.start();
    covered(&installation, &running);
    let cases = [
        ("GET", "/", "localhost", 200),
        ("HEAD", "/", "127.0.0.1:1", 200),
        ("GET", "/parts?kind=boot", "localhost", 200),
        ("GET", "/?kind=nonsense&key=%00&before=x", "localhost", 200),
        ("GET", "/policy", "[::1]:9464", 200),
        ("GET", "/entries/0", "localhost", 200),
        ("GET", "/entries/999999", "localhost", 404),
        ("GET", "/entries/-1", "localhost", 404),
        ("GET", "/assets/0000000000000000/console.css", "localhost", 404),
        ("GET", "/", "evil.example", 421),
        ("GET", "/history.json", "evil.example:9464", 421),
        ("GET", "/entries/0/receipt.json", "localhost.evil.example", 421),
        ("POST", "/", "localhost", 405),
        ("PUT", "/policy", "localhost", 405),
        ("DELETE", "/entries/0", "localhost", 405),
        ("GET", "/metrics", "evil.example", 200),
    ];
    for (method, path, host, status) in cases {
        let head = head(&running, method, path, host);
        assert!(
            head.starts_with(&format!("HTTP/1.0 {status} ")) || head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{method} {path} of {host}: {head}"
        );
        if status == 200 && path != "/metrics" {
            assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self';"), "{head}");
            assert!(
                head.contains("cache-control: no-store") && head.contains("x-content-type-options: nosniff"),
                "{head}"
            );
        }
    }
    let (_, page) = running.monitor("/");
    let style = page.split('"').find(|part| part.ends_with("/console.css")).unwrap();
    assert!(head(&running, "GET", style, "localhost").contains("cache-control: public, max-age=31536000, immutable"));
    running.stop();
}

/// Status line and header of an answer.
fn head(running: &Running, method: &str, path: &str, host: &str) -> String {
    use std::io::Read;
    let mut stream = std::net::TcpStream::connect(running.monitor).unwrap();
    write!(stream, "{method} {path} HTTP/1.0\r\nhost: {host}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).split("\r\n\r\n").next().unwrap().to_lowercase().replace("http/", "HTTP/")
}

fn published() {
    let packages = repository().join("var/npm/node_modules");
    let here = repository().join("appliance/src/console/assets/third-party");
    let read = |path: PathBuf| {
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run `.ci/prerequisites tests`", path.display()))
    };
    let files = [
        ("htmx.min.js", "htmx.org/dist/htmx.min.js"),
        ("htmx-LICENSE", "htmx.org/LICENSE"),
        ("uPlot.iife.min.js", "uplot/dist/uPlot.iife.min.js"),
        ("uPlot.min.css", "uplot/dist/uPlot.min.css"),
        ("uplot-LICENSE", "uplot/LICENSE"),
    ];
    for (ours, theirs) in files {
        assert!(read(here.join(ours)) == read(packages.join(theirs)), "{ours} is not {theirs} of its npm package");
    }
}

/// The walk through the page, in Chromium. It says where it stands a line at a time, and waits there.
struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Browser {
    fn start(facts: &Value) -> Self {
        let mut command = Command::new("node");
        command.arg(repository().join("tests/product/console/walk.mjs")).arg(facts.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("node: {error}: run `.ci/prerequisites tests`"));
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// Waits until it is there.
    fn until(&mut self, station: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), station, "the walk ended before; why is above");
    }

    fn go_on(&mut self) {
        writeln!(self.input, "go on").unwrap();
    }

    fn end(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}; why is above");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
