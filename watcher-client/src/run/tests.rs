//! The daemon's API over a real socket, with a journal in a folder of its own.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::testing::{TestLog, TestPki};

mod calls;
mod daemon;
mod events;
mod metrics;
mod webhooks;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A file for its owner alone.
fn private(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A folder with `watcher.toml` of two chains whose nodes are not there; `more` goes into `[run]`.
fn config(folder: &Path, more: &str) -> Config {
    TestPki::new().write(folder);
    private(&folder.join("token"), TOKEN);
    let chain = |name: &str, chain: &str, asset: &str| {
        format!(
            "[[chain]]\nname = \"{name}\"\nchain = \"{chain}\"\nnode = \"http://127.0.0.1:1\"\nkey = \"btc-hot\"\n\
             asset = \"{asset}\"\nconfirmations = 3\nmax_fee = \"0.001\"\n"
        )
    };
    let text = format!(
        "url = \"https://127.0.0.1:1\"\nca = \"ca.crt\"\ncertificate = \"watcher.crt\"\nprivate_key = \"watcher.key\"\n\
         state_directory = \"state\"\nlog_keys = [\"{}\"]\n{}{}[run]\nlisten = \"127.0.0.1:0\"\n\
         token_file = \"token\"\n{more}",
        TestLog::new().key,
        chain("bitcoin", "bitcoin-regtest", "BTC"),
        chain("litecoin", "litecoin-regtest", "LTC"),
    );
    fs::write(folder.join("watcher.toml"), text).unwrap();
    Config::load(&folder.join("watcher.toml")).unwrap()
}

/// The API without flows.
struct Bench {
    journal: Journal,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    _folder: TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), "");
        let run = config.run.as_ref().unwrap();
        let journal = Journal::open(&run.journal).unwrap();
        let (stop, stopped) = watch::channel(false);
        let token = Token::read(&run.token_file).unwrap();
        let desk = Desk::new(&config, journal.clone(), Board::default(), token, Vec::new(), stopped.clone());
        let listener = TcpListener::bind(run.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_, no_tls) = watch::channel(None);
        tokio::spawn(server::serve(listener, no_tls, api::router(Arc::new(desk)), stopped));
        Self { journal, address, stop, _folder: folder }
    }

    /// Status and body of a call.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = http().request(method, format!("http://{}{path}", self.address));
        let request = request.header("authorization", format!("Bearer {TOKEN}"));
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let wanted = if status < 400 { "application/json" } else { "application/problem+json" };
        assert_eq!(kind.as_deref(), Some(wanted), "{path}");
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::PUT, path, Some(body)).await
    }

    async fn post(&self, path: &str) -> (u16, Value) {
        self.ask(Method::POST, path, None).await
    }

    /// A refusal's status and code.
    async fn refused(&self, method: Method, path: &str, body: Option<Value>) -> (u16, String) {
        let (status, problem) = self.ask(method, path, body).await;
        assert_eq!(problem["status"], status, "{path}");
        (status, problem["type"].as_str().unwrap().replace("urn:chancery-watcher:problem:", ""))
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().use_preconfigured_tls(crate::transport::tls::none().unwrap()).no_proxy().build().unwrap()
}

/// An order of 0.1 BTC.
fn wanted() -> Value {
    json!({
        "chain": "bitcoin",
        "asset": "BTC",
        "destination": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
        "amount": "0.10",
    })
}
