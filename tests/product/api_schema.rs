//! Both APIs answer as their documents say: schemathesis reads `/openapi.json` and puts thousands of requests, good and
//! bad, one after another and one upon another.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::harness::{
    Installation, Running,
    body::{digest, message, payment},
    exchange::Exchange,
    officers::Officers,
    repository, trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("api_schema::the_appliance_answers_thousands_of_requests_as_its_document_says", appliance),
        trial("api_schema::the_daemon_answers_a_thousand_requests_as_its_document_says", daemon),
    ]
}

/// Where `.ci/prerequisites tests` puts schemathesis.
const PYTHON: &str = "var/python";
const CASES: u64 = 5_000;
const DAEMON_CASES: u64 = 1_000;

/// How many requests are put at least; for the daemon a fifth.
fn cases() -> u64 {
    std::env::var("CHANCERY_TEST_SCHEMA_CASES").map_or(CASES, |cases| cases.parse().unwrap())
}

/// Where the numbers that look random begin: the same every time.
fn seed() -> String {
    std::env::var("CHANCERY_TEST_SEED").unwrap_or_else(|_| "8".to_owned())
}

/// A run of schemathesis over some of the operations.
struct Run {
    name: &'static str,
    directory: PathBuf,
    child: Child,
}

impl Run {
    /// Starts it with a configuration of `api_schema/`.
    fn start(name: &'static str, installation: &Installation, config: &str, each: u64, arguments: &[&str]) -> Self {
        let python = repository().join(PYTHON);
        assert!(python.join("schemathesis").exists(), "no schemathesis: run `.ci/prerequisites tests`");
        let directory = installation.path(name);
        fs::create_dir(&directory).unwrap();
        let said = File::create(directory.join("said")).unwrap();
        let own = repository().join("tests/product/api_schema");
        let mut command = Command::new("python3");
        command.args(["-B", "-m", "schemathesis.cli", "--config-file"]).arg(own.join(config)).arg("run");
        command.args(arguments).args(["--seed", &seed(), "--max-examples", &each.to_string(), "--no-color"]);
        command.args(["--report", "json", "--report-json-path", "report.json"]);
        command.env("PYTHONPATH", python).env("SCHEMATHESIS_HOOKS", own.join("documented.py"));
        command.current_dir(&directory).stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        Self { name, child: command.spawn().unwrap(), directory }
    }

    /// Waits for its end, which must be good.
    fn end(mut self) -> Report {
        let status = self.child.wait().unwrap();
        let said = fs::read_to_string(self.directory.join("said")).unwrap();
        let report = fs::read(self.directory.join("report.json")).unwrap_or_else(|_| panic!("{status}\n{said}"));
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert!(status.success(), "{}, seed {}: {status}\n{said}", self.name, seed());
        assert_eq!(report["operations"]["tested"], report["operations"]["selected"], "{said}");
        let report = Report(report);
        println!("{}: seed {}, {} cases in {} s", self.name, seed(), report.cases(), report.0["running_time"]);
        report
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run says of itself.
struct Report(Value);

impl Report {
    fn cases(&self) -> u64 {
        self.0["test_cases"]["generated"].as_u64().unwrap()
    }

    /// How many requests of an operation were answered with what was asked for.
    fn accepted(&self, operation: &str) -> u64 {
        let phases = self.0["valid_rates"][operation].as_object();
        let phases = phases.unwrap_or_else(|| panic!("{operation} was never put: {}", self.0["valid_rates"]));
        phases.values().map(|phase| phase["accepted"].as_u64().unwrap()).sum()
    }
}

/// An appliance with keys of every kind, a second watcher, officers and a witness.
fn prepared(officers: &Officers) -> Installation {
    let installation = Installation::without_log();
    for (key, children) in [("btc-hot", None), ("btc-vault", Some("--children"))] {
        let arguments = ["key", "generate", key, "--algorithm", "secp256k1", "--config", "chancery.toml"];
        let arguments: Vec<&str> = arguments.into_iter().chain(children).collect();
        installation.run("chancery-provision", &arguments);
    }
    let second = installation.issue("second");
    installation.begin(&officers.policy(include_str!("api_schema/policy.toml")).replace("SECOND", &second));
    let witness = ["witness", "key", "--name", "witness.example/a", "--out", "a.key"];
    let made = String::from_utf8(installation.run("chancery-watcher", &witness).stdout).unwrap();
    let section = format!("\n[[witness]]\nname = \"a\"\nkey = \"{}\"\n", made.trim());
    installation.edit_config(|config| config + &section);
    installation
}

fn appliance() {
    let installation = prepared(&Officers::new());
    let running = installation.start();
    // Something to find: an entry, requests signed and waiting, children.
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("wd-1", digest("raw", 1));
    for number in 1..=3 {
        let mut large = payment(number, "0.6", "0");
        large["items"][0]["key"] = json!("btc-hot");
        assert_eq!(watcher.put(&format!("waiting-{number}"), large).status, 202);
    }
    watcher.call("POST", "/v1/keys/btc-vault/addresses", r#"{"count": 3}"#).good();

    let whole = cases();
    let start = |name, each, only: &[&str]| {
        let document = format!("https://{}/openapi.json", running.watcher);
        let tls = ["--tls-verify", "../pki/ca.crt", "--request-cert", "../pki/watcher.crt", "--request-cert-key"];
        let arguments = [&tls[..], &["../pki/watcher.key"], only, &[document.as_str()]].concat();
        Run::start(name, &installation, "appliance.toml", each, &arguments)
    };
    // Two at once, for one uses but one core; each has what builds upon another.
    let signatures = start("signatures", whole / 29, &["--include-path-regex", "^/v1/signatures/"]);
    let others = start("others", whole / 27, &["--exclude-path-regex", "^/v1/(signatures/|freeze)"]);
    let (signatures, others) = (signatures.end(), others.end());
    let alone = ["--include-path", "/v1/freeze", "--phases", "examples,coverage,fuzzing"];
    let freeze = start("freeze", whole / 100, &alone).end();
    let put: u64 = [&signatures, &others, &freeze].iter().map(|report| report.cases()).sum();
    assert!(put >= whole, "only {put} cases were put");
    for (report, operation) in [
        (&signatures, "PUT /v1/signatures/{request_id}"),
        (&signatures, "GET /v1/signatures/{request_id}"),
        (&signatures, "DELETE /v1/signatures/{request_id}"),
        (&signatures, "POST /v1/signatures/{request_id}/explain"),
        (&others, "POST /v1/keys/{key}/addresses"),
        (&others, "GET /v1/log/proof/consistency"),
        (&freeze, "POST /v1/freeze"),
    ] {
        println!("{operation}: {} accepted", report.accepted(operation));
        assert!(report.accepted(operation) > 0, "{operation} never did what it is for");
    }
    after(&installation, running, &watcher);
}

/// It still serves, nothing was signed that was not granted, and the log verifies.
fn after(installation: &Installation, running: Running, watcher: &Watcher) {
    assert_eq!(watcher.refused("late", message(b"late")).status, 423, "it froze itself");
    Watcher::named(installation, &running, "second").signed("late", digest("nist", 1));
    running.stop();
    installation.assert_log_verifies();
    let entries = installation.entries();
    let signed: Vec<&Value> = entries.iter().filter(|entry| entry["kind"] == "signed").collect();
    assert!(signed.len() > 2, "only {} requests were signed", signed.len());
    for entry in signed {
        let granted: &[&str] =
            if entry["watcher"] == "second" { &["nist"] } else { &["btc-hot", "btc-vault", "raw", "ed"] };
        for signature in entry["signatures"].as_array().unwrap() {
            let key = signature["key"].as_str().unwrap().split('/').next().unwrap();
            assert!(granted.contains(&key), "{entry}");
        }
    }
}

fn daemon() {
    let exchange = Exchange::open();
    exchange.ethereum.pay(&exchange.ethereum_key, "0x8ac7230489e80000");
    exchange.fund_litecoin(&exchange.litecoin_key, 20, "1");
    let mut daemon = exchange.daemon("");
    daemon.start();
    daemon.address("eth", "customer-1");
    daemon.address("ltc", "customer-1");
    let (document, token) = (
        format!("http://{}/openapi.json", daemon.api),
        format!("Authorization:Bearer {}", crate::harness::daemon::TOKEN),
    );
    let whole = cases() * DAEMON_CASES / CASES;
    let run = Run::start("daemon", &exchange.installation, "daemon.toml", whole / 22, &["-H", &token, &document]).end();
    assert!(run.cases() >= whole, "only {} cases were put", run.cases());
    for operation in ["PUT /v1/withdrawals/{id}", "GET /v1/withdrawals/{id}", "PUT /v1/chains/{chain}/addresses/{name}"]
    {
        println!("{operation}: {} accepted", run.accepted(operation));
        assert!(run.accepted(operation) > 0, "{operation} never did what it is for");
    }
    assert_eq!(daemon.call("GET", "/v1/chains", None).0, 200);
    daemon.stop();
    exchange.close();
}
