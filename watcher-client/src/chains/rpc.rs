//! JSON-RPC 2.0 over HTTP, as Bitcoin Core, Ethereum's nodes and Solana's speak it. Knows no chain.

use std::{fmt, path::PathBuf, time::Duration};

use reqwest::{StatusCode, Url, header::CONTENT_TYPE};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::NodeError;
use crate::{ChainConfig, transport::tls};

#[cfg(test)]
mod tests;

/// Blocks and lists of coins are long; a node that sends more is not one.
const LONGEST_ANSWER: usize = 256 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A node's RPC. Cheap to clone.
#[derive(Clone)]
pub struct Rpc {
    http: reqwest::Client,
    url: Url,
    /// A file of one line `user:password`, read at each call: Bitcoin Core writes its cookie anew at each start.
    credentials: Option<PathBuf>,
    timeout: Duration,
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Value,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    #[serde(default)]
    message: String,
}

impl Rpc {
    /// The node of a chain, by its `node`, `ca` and `credentials`; connects nowhere yet. A call may take `timeout`.
    ///
    /// # Errors
    /// [`NodeError::Unfit`] where `ca` holds no certificate, or no HTTP client can be made.
    pub fn of(config: &ChainConfig, timeout: Duration) -> Result<Self, NodeError> {
        let url = config.node.clone();
        let unfit = |why: String| NodeError::Unfit { url: url.to_string(), why };
        let tls = tls::of_node(config.ca.as_deref()).map_err(|error| unfit(error.to_string()))?;
        let builder = reqwest::Client::builder().use_preconfigured_tls(tls);
        let http = builder.connect_timeout(CONNECT_TIMEOUT).timeout(timeout).no_proxy().build();
        let http = http.map_err(|error| unfit(words(&error)))?;
        Ok(Self { http, url, credentials: config.credentials.clone(), timeout })
    }

    /// The same node under another path of its URL, such as `wallet/NAME`.
    ///
    /// # Errors
    /// [`NodeError::Unfit`] where that is no URL.
    pub fn at(&self, path: &str) -> Result<Self, NodeError> {
        let url = self.url.join(path).map_err(|error| self.unfit(error.to_string()))?;
        Ok(Self { url, ..self.clone() })
    }

    /// Where the node is.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// A call, and its result in the form the caller expects.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, NodeError> {
        let result = self.exchange(method, params).await?;
        T::deserialize(result).map_err(|error| self.unexpected(method, error.to_string()))
    }

    /// [`NodeError::Unexpected`] about this node.
    pub fn unexpected(&self, method: &str, what: impl Into<String>) -> NodeError {
        NodeError::Unexpected { method: method.to_owned(), url: self.url.to_string(), what: what.into() }
    }

    /// [`NodeError::Unfit`] about this node.
    pub fn unfit(&self, why: impl Into<String>) -> NodeError {
        NodeError::Unfit { url: self.url.to_string(), why: why.into() }
    }

    async fn exchange(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let mut request = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(file) = &self.credentials {
            let read = std::fs::read_to_string(file);
            let line = read.map_err(|error| self.unfit(format!("reading credentials {}: {error}", file.display())))?;
            let (user, password) = line
                .trim()
                .split_once(':')
                .ok_or_else(|| self.unfit(format!("credentials {}: write one line, user:password", file.display())))?;
            request = request.basic_auth(user, Some(password));
        }
        let mut response = request.send().await.map_err(|error| self.broken(method, &error))?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            return Err(NodeError::Credentials { method: method.to_owned(), url: self.url.to_string() });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(method, &error))? {
            if bytes.len() + chunk.len() > LONGEST_ANSWER {
                return Err(self.unexpected(method, format!("it is over {} MiB", LONGEST_ANSWER >> 20)));
            }
            bytes.extend_from_slice(&chunk);
        }
        // Bitcoin Core refuses with status 500 and a JSON body.
        let answer: Answer = serde_json::from_slice(&bytes)
            .map_err(|error| self.unexpected(method, format!("HTTP status {status}: {error}")))?;
        match answer.error {
            None => Ok(answer.result),
            Some(refusal) => {
                let Refusal { code, message } = refusal;
                Err(NodeError::Refused { method: method.to_owned(), code, message })
            }
        }
    }

    fn broken(&self, method: &str, error: &reqwest::Error) -> NodeError {
        let (method, url) = (method.to_owned(), self.url.to_string());
        if error.is_timeout() && !error.is_connect() {
            NodeError::TimedOut { method, url, seconds: self.timeout.as_secs() }
        } else {
            NodeError::NotReachable { method, url, why: words(error) }
        }
    }
}

/// An error with its causes, without the URL they repeat.
fn words(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}
