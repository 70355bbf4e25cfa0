//! A small TLS server that answers by script: HTTP/1.1, one request a connection.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use appliance_wire::Problem;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::{TestLog, TestPki};
use crate::Config;

/// A request as it arrived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    /// Method and path, such as `GET /v1/keys`.
    pub(crate) line: String,
    pub(crate) body: Vec<u8>,
}

/// What the script answers.
pub(crate) enum TestAnswer {
    /// 200 (or another status) with this body.
    Body(u16, String),
    /// Likewise, with `Retry-After`.
    Later(u16, String, u64),
    /// A problem document.
    Problem(Box<Problem>),
    /// The connection ends without an answer.
    Nothing,
}

impl TestAnswer {
    pub(crate) fn json(value: &impl serde::Serialize) -> Self {
        Self::Body(200, serde_json::to_string(value).unwrap())
    }
}

type Script = Arc<dyn Fn(&Seen) -> TestAnswer + Send + Sync>;

/// A running server; it ends with the test's runtime.
pub(crate) struct TestServer {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl TestServer {
    /// Serves `script` with the certificates of `pki` to watchers of `clients`.
    pub(crate) async fn start(
        pki: &TestPki,
        clients: &TestPki,
        alpn: &[&str],
        script: impl Fn(&Seen) -> TestAnswer + Send + Sync + 'static,
    ) -> Self {
        Self::with_tls(pki.server(clients, alpn), script).await
    }

    /// Serves `script` with this TLS.
    pub(crate) async fn with_tls(
        tls: ServerConfig,
        script: impl Fn(&Seen) -> TestAnswer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (all, script): (_, Script) = (seen.clone(), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), socket, all.clone(), script.clone()));
            }
        });
        Self { port, seen }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The config of a watcher whose files are in `folder`.
    pub(crate) fn config(&self, folder: &Path) -> Config {
        Config {
            url: self.url(),
            ca: folder.join("ca.crt"),
            certificate: folder.join("watcher.crt"),
            private_key: folder.join("watcher.key"),
            state_directory: folder.join("state"),
            log_keys: vec![TestLog::new().key],
            witness: None,
            chains: Vec::new(),
            run: None,
        }
    }

    /// The requests so far whose line begins so.
    pub(crate) fn seen(&self, start: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.line.starts_with(start)).cloned().collect()
    }
}

async fn serve(acceptor: TlsAcceptor, socket: TcpStream, all: Arc<Mutex<Vec<Seen>>>, script: Script) -> Option<()> {
    let mut stream = BufReader::new(acceptor.accept(socket).await.ok()?);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let header = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok();
    let mut body = vec![0; head.lines().find_map(header).unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let seen = Seen { line, body };
    all.lock().unwrap().push(seen.clone());

    let (status, kind, body, retry_after) = match script(&seen) {
        TestAnswer::Nothing => return None,
        TestAnswer::Body(status, body) => (status, "application/json", body, None),
        TestAnswer::Later(status, body, seconds) => (status, "application/json", body, Some(seconds)),
        TestAnswer::Problem(problem) => {
            let body = serde_json::to_string(&problem).unwrap();
            (problem.status, "application/problem+json", body, problem.retry_after_s)
        }
    };
    let retry_after = retry_after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{retry_after}connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
