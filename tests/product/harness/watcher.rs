//! A watcher that speaks HTTP/1.1 by hand, one connection a call.

use std::{net::SocketAddr, sync::Arc};

use appliance_wire::{Problem, ProblemCode};
use rustls::ClientConfig;
use serde_json::Value;
use tokio::{runtime::Runtime, task::JoinSet};

use super::{
    Installation, Running,
    wire::{self, Answer, Connection},
};

pub(crate) struct Watcher {
    runtime: Runtime,
    tls: Arc<ClientConfig>,
    address: SocketAddr,
}

impl Watcher {
    /// The one of `pki/watcher.crt`.
    pub(crate) fn new(installation: &Installation, running: &Running) -> Self {
        Self::named(installation, running, "watcher")
    }

    /// The one of `pki/NAME.crt`.
    pub(crate) fn named(installation: &Installation, running: &Running, name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let tls = wire::tls(&installation.path("pki"), Some(name));
        Self { runtime, tls, address: running.watcher }
    }

    /// Runs a future of its own connections.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Its TLS: sessions to resume included.
    pub(crate) fn tls(&self) -> &Arc<ClientConfig> {
        &self.tls
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.address, &self.tls).await.unwrap()
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.block_on(async { self.connect().await.request(method, path, body.as_ref()).await.unwrap() })
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "")
    }

    pub(crate) fn put(&self, id: &str, body: impl ToString) -> Answer {
        self.call("PUT", &format!("/v1/signatures/{id}"), body.to_string())
    }

    /// Puts a request that must be signed.
    pub(crate) fn signed(&self, id: &str, body: impl ToString) -> Value {
        self.put(id, body).good()
    }

    /// Puts a request that must be refused.
    pub(crate) fn refused(&self, id: &str, body: impl ToString) -> Problem {
        self.put(id, body).problem()
    }

    /// Puts all of them at once, to an appliance that may end meanwhile.
    pub(crate) fn try_put_at_once(&self, requests: impl IntoIterator<Item = (String, Value)>) {
        self.block_on(async {
            let mut tasks = JoinSet::new();
            for (id, body) in requests {
                let (address, tls) = (self.address, Arc::clone(&self.tls));
                tasks.spawn(async move {
                    let path = format!("/v1/signatures/{id}");
                    if let Ok(mut connection) = Connection::open(address, &tls).await {
                        let _ = connection.request("PUT", &path, body.to_string().as_bytes()).await;
                    }
                });
            }
            tasks.join_all().await;
        });
    }

    /// Puts all of them at once, each over a connection that was open before the first was put.
    pub(crate) fn put_at_once(&self, requests: impl IntoIterator<Item = (String, Value)>) -> Vec<Answer> {
        self.block_on(async {
            let mut connections = Vec::new();
            for (id, body) in requests {
                connections.push((self.connect().await, format!("/v1/signatures/{id}"), body.to_string()));
            }
            let mut tasks = JoinSet::new();
            for (place, (mut connection, path, body)) in connections.into_iter().enumerate() {
                tasks.spawn(async move { (place, connection.request("PUT", &path, body.as_bytes()).await.unwrap()) });
            }
            let mut answers = tasks.join_all().await;
            answers.sort_by_key(|(place, _)| *place);
            answers.into_iter().map(|(_, answer)| answer).collect()
        })
    }
}

impl Answer {
    /// The body of a 200.
    pub(crate) fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// A problem document in the form of the API: a known code with its status, and a sentence.
    pub(crate) fn problem(&self) -> Problem {
        let code = self.code();
        let mut problem: Problem = serde_json::from_slice(&self.body).unwrap();
        let known = ProblemCode::from_name(&code).unwrap_or_else(|| panic!("no problem is called {code}"));
        assert_eq!(known.status(), self.status, "{code}");
        assert!(problem.detail.len() > 10, "{problem:?}");
        problem.retry_after_s = self.header("retry-after").map(|seconds| seconds.parse().unwrap());
        problem
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}
