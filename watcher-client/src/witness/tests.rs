//! Witnesses that meet: signers that answer by script, and real HTTP between the watchers.

use std::sync::{Arc, Mutex};

use appliance_wire::{AddCheckpoint, Fork, LogKey, Problem, ProblemCode, WitnessKey};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::{
    OtherWitness, WitnessConfig,
    testing::{TestAnswer, TestLog, TestPki, TestServer, serve_log},
};

/// A watcher's host, with the signer it sees.
struct Host {
    folder: tempfile::TempDir,
    server: TestServer,
    log: Arc<Mutex<TestLog>>,
    config: Config,
    key: WitnessKey,
}

impl Host {
    async fn new(name: &str, log: TestLog) -> Self {
        Self::answering(name, log, |_| None).await
    }

    /// One whose signer answers otherwise where `first` says so.
    async fn answering(
        name: &str,
        log: TestLog,
        first: impl Fn(&str) -> Option<TestAnswer> + Send + Sync + 'static,
    ) -> Self {
        let (pki, folder) = (TestPki::new(), tempfile::tempdir().unwrap());
        pki.write(folder.path());
        let log = Arc::new(Mutex::new(log));
        let shown = log.clone();
        let script = move |seen: &crate::testing::Seen| {
            first(&seen.line).unwrap_or_else(|| serve_log(seen, &shown.lock().unwrap()))
        };
        let server = TestServer::start(&pki, &pki, &["http/1.1"], script).await;
        let file = folder.path().join("witness.key");
        let key = generate(name, &file).unwrap();
        let listen = Some("127.0.0.1:0".parse().unwrap());
        let witness = WitnessConfig { name: name.to_owned(), key: file, listen, others: Vec::new() };
        let config = Config { witness: Some(witness), ..server.config(folder.path()) };
        Self { folder, server, log, config, key }
    }

    fn asks(&mut self, address: SocketAddr, key: &WitnessKey) {
        let other = OtherWitness { url: format!("http://{address}"), key: key.clone(), ca: self.config.ca.clone() };
        self.config.witness.as_mut().unwrap().others.push(other);
    }

    fn open(&self) -> Witness {
        Witness::open(&self.config, Client::new(&self.config).unwrap()).unwrap()
    }

    /// The fork's file, as somebody else reads it.
    fn fork(&self) -> Fork {
        let state = StateDirectory::open(&self.config.state_directory).unwrap();
        let file = ForkFiles::new(&state, Vec::new()).any().unwrap().expect("a fork's file");
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    }

    fn log_key(&self) -> LogKey {
        self.config.log_keys[0].clone()
    }
}

/// A listens, B asks A.
async fn two(log_of_a: TestLog, log_of_b: TestLog) -> (Host, Witness, Host, Witness) {
    let a = Host::new("witness.example/a", log_of_a).await;
    let mut b = Host::new("witness.example/b", log_of_b).await;
    let first = a.open();
    b.asks(first.listen().await.unwrap().unwrap(), &a.key);
    let second = b.open();
    (a, first, b, second)
}

#[tokio::test]
async fn two_witnesses_of_one_log_cosign_together_as_it_grows() {
    let (a, first, b, second) = two(TestLog::grown(3, "entry"), TestLog::grown(3, "entry")).await;
    first.round().await.unwrap();
    for (count, ahead) in [(0, false), (6, true), (5, false), (1, true)] {
        a.log.lock().unwrap().grow(count);
        b.log.lock().unwrap().grow(count);
        if ahead {
            first.round().await.unwrap();
        }
        let round = second.round().await.unwrap();
        assert_eq!(round.troubles, Vec::<String>::new());
        assert_eq!(round.cosigned_by, ["witness.example/b", "witness.example/a"], "{ahead}");
        assert_eq!(round.compared_with, ["witness.example/a"]);
        assert!(round.handed_over);
        let handed = b.server.seen("POST /v1/log/cosignatures").pop().unwrap().body;
        let handed = String::from_utf8(handed).unwrap();
        for key in [&a.key, &b.key] {
            assert!(key.newest(&handed).is_some(), "{key}: {handed}");
        }
        assert_eq!(handed.lines().nth(1).unwrap(), round.size.to_string());
    }
    // What was submitted to A was larger than what it had been shown: its signer shows it too.
    assert_eq!(first.round().await.unwrap().size, 15);
}

#[tokio::test]
async fn a_signer_that_shows_two_watchers_two_logs_is_found_by_both() {
    for (size_of_a, size_of_b) in [(5, 5), (5, 12), (8, 12), (1, 2)] {
        let logs = (TestLog::grown(size_of_a, "entry"), TestLog::grown(size_of_b, "other"));
        let (a, first, b, second) = two(logs.0, logs.1).await;
        first.round().await.unwrap();
        let error = second.round().await.unwrap_err();
        let what = format!("{size_of_a} {size_of_b}: {error}");
        assert!(matches!(error, Error::Inconsistent { .. }) && error.to_string().contains("ALARM"), "{what}");
        assert!(b.fork().verify(&[b.log_key()]).is_ok(), "{what}");
        let froze = b.server.seen("POST /v1/freeze");
        assert!(String::from_utf8_lossy(&froze[0].body).contains("found by its witness"), "{what}");
        // A was submitted it, and comes to the same by its own signer.
        first.rest(Duration::from_secs(60)).await;
        let error = first.round().await.unwrap_err();
        assert!(matches!(error, Error::Inconsistent { .. } | Error::Forked { .. }), "{what}: {error}");
        assert_eq!(a.server.seen("POST /v1/freeze").len(), 1);
        a.fork();
        for (host, witness) in [(a, first), (b, second)] {
            drop(witness);
            // A's server still holds the memory: whichever is said, nothing is cosigned.
            let again = Witness::open(&host.config, Client::new(&host.config).unwrap());
            assert!(matches!(again, Err(Error::ForkKnown(_) | Error::WitnessRunning(_))));
            assert!(host.folder.path().exists());
        }
    }
}

#[tokio::test]
async fn a_signer_behind_what_it_signed_for_another_is_an_alarm_that_says_it_proves_nothing() {
    let (_a, first, b, second) = two(TestLog::grown(12, "entry"), TestLog::grown(5, "other")).await;
    first.round().await.unwrap();
    let error = second.round().await.unwrap_err();
    assert!(matches!(&error, Error::Inconsistent { fork: Some(file), .. } if !file.proven), "{error}");
    assert!(error.to_string().contains("alone proves nothing yet"), "{error}");
    assert!(b.fork().verify(&[b.log_key()]).is_err());
    assert_eq!(b.server.seen("POST /v1/freeze").len(), 1);
}

#[tokio::test]
async fn a_freeze_that_does_not_arrive_is_said() {
    let refused = |line: &str| {
        let problem = || Problem::new(ProblemCode::Internal, "no");
        (line == "POST /v1/freeze").then(|| TestAnswer::Problem(Box::new(problem())))
    };
    let host = Host::answering("witness.example/a", TestLog::grown(9, "entry"), refused).await;
    let witness = host.open();
    witness.round().await.unwrap();
    *host.log.lock().unwrap() = TestLog::grown(9, "other");
    let error = witness.round().await.unwrap_err();
    assert!(matches!(error, Error::NotFrozen { .. }), "{error}");
    assert!(error.to_string().contains("ALARM") && error.to_string().contains("could NOT be frozen"), "{error}");
}

#[tokio::test]
async fn witnesses_that_are_gone_or_lie_are_told_and_are_no_alarm() {
    let mut host = Host::new("witness.example/a", TestLog::grown(9, "entry")).await;
    let stranger = Host::new("witness.example/stranger", TestLog::grown(9, "entry")).await;
    let lying = stranger.open();
    let named = |name: &str| WitnessKey::new(name, stranger.log_key().public()).unwrap();
    // Nothing listens on port 1; the other answers under a key that is not the one configured.
    host.asks("127.0.0.1:1".parse().unwrap(), &named("witness.example/gone"));
    host.asks(lying.listen().await.unwrap().unwrap(), &named("witness.example/stranger"));
    let round = host.open().round().await.unwrap();
    assert_eq!(round.cosigned_by, ["witness.example/a"]);
    let troubles = round.troubles.join("\n");
    assert!(troubles.contains("asking http://127.0.0.1:1"), "{troubles}");
    assert!(troubles.contains("no cosignature that verifies under witness.example/stranger"), "{troubles}");
    assert!(round.handed_over, "our own at least");
}

#[tokio::test]
async fn a_signer_that_takes_no_cosignatures_is_no_failure() {
    let none = |line: &str| {
        let problem = || Problem::new(ProblemCode::NotFound, "no witness is configured");
        (line == "POST /v1/log/cosignatures").then(|| TestAnswer::Problem(Box::new(problem())))
    };
    let host = Host::answering("witness.example/a", TestLog::grown(9, "entry"), none).await;
    let round = host.open().round().await.unwrap();
    assert!(!round.handed_over && round.troubles.is_empty(), "{round:?}");
}

/// Status, content type, body of a request that a good client would not send.
async fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!("{method} /{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    // A body that is too long is not read to its end.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {answer:?}"));
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), kind.to_owned(), body.to_owned())
}

#[tokio::test]
async fn every_status_of_the_specification_is_answered() {
    let host = Host::new("witness.example/a", TestLog::grown(20, "entry")).await;
    let witness = host.open();
    let address = witness.listen().await.unwrap().unwrap();
    let log = TestLog::grown(20, "entry");
    let body =
        |old: u64, proof: Vec<[u8; 32]>| AddCheckpoint { old, proof, note: log.head().note().to_owned() }.to_string();
    let first = AddCheckpoint { old: 0, proof: Vec::new(), note: log.checkpoint(7).note().to_owned() }.to_string();
    let hash = ledger::origin_hash(host.log_key().origin());
    assert_eq!(http(address, "GET", &format!("checkpoint/{hash}"), "").await.0, 404, "nothing is cosigned yet");
    let cosigned = http(address, "POST", "add-checkpoint", &first).await;
    assert_eq!(cosigned.0, 200, "{cosigned:?}");
    let note = format!("{}{}", log.checkpoint(7).note(), cosigned.2);
    assert!(host.key.newest(&note).is_some());
    assert_eq!(http(address, "GET", &format!("checkpoint/{hash}"), "").await.2, note);

    let large = "x".repeat(65 << 10);
    for (method, path, body, status) in [
        ("POST", "add-checkpoint", body(7, vec![[1; 32]]), 422),
        ("POST", "add-checkpoint", body(21, vec![]), 400),
        ("POST", "add-checkpoint", "old".to_owned(), 400),
        ("POST", "add-checkpoint", body(7, vec![]).replace("signer-1", "signer-2"), 404),
        ("POST", "add-checkpoint", body(7, vec![]).replace("\n20\n", "\n19\n"), 403),
        ("POST", "add-checkpoint", large, 413),
        ("GET", "add-checkpoint", String::new(), 404),
        ("PUT", "add-checkpoint", String::new(), 405),
        ("GET", "checkpoint/../running", String::new(), 404),
        ("GET", "checkpoint/running", String::new(), 404),
        ("GET", "", String::new(), 404),
    ] {
        assert_eq!(http(address, method, path, &body).await.0, status, "{method} {path}");
    }
    let conflict = http(address, "POST", "add-checkpoint", &body(0, vec![])).await;
    assert_eq!(conflict, (409, "text/x.tlog.size".to_owned(), "7\n".to_owned()));
}
