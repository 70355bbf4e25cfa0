//! JSON-RPC to the node, as customers and miners use it: not the watcher's own, which only asks what a watcher asks.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use reqwest::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Result;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A node of this machine.
pub(crate) struct Rpc {
    http: reqwest::Client,
    url: String,
    /// A file of one line `user:password`.
    credentials: Option<PathBuf>,
}

impl Rpc {
    /// Connects nowhere yet.
    pub(crate) fn new(address: SocketAddr, credentials: Option<PathBuf>) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { http, url: format!("http://{address}"), credentials })
    }

    /// Where the node answers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What a call gives, in the form the caller expects.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T> {
        self.call_at("", method, params).await
    }

    /// Likewise, under a path.
    pub(crate) async fn call_at<T: DeserializeOwned>(&self, path: &str, method: &str, params: Value) -> Result<T> {
        let mut answer = self.ask(path, method, params).await?;
        if !answer["error"].is_null() {
            return Err(format!("{method}: {}", answer["error"]).into());
        }
        Ok(serde_json::from_value(answer["result"].take())?)
    }

    /// The whole answer, which may be a refusal.
    pub(crate) async fn ask(&self, path: &str, method: &str, params: Value) -> Result<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let url = format!("{}/{path}", self.url);
        let mut request = self.http.post(url).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(file) = &self.credentials {
            let line = fs::read_to_string(file)?;
            let (user, password) = line.trim().split_once(':').ok_or("the node's cookie is no user and password")?;
            request = request.basic_auth(user, Some(password));
        }
        Ok(serde_json::from_slice(&request.send().await?.bytes().await?)?)
    }
}
