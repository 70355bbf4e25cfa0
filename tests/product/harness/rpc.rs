//! JSON-RPC to a node of this machine, one connection a call. Knows no chain.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Far more than a node takes to mine a few hundred blocks.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// Where a node answers, and as whom it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    address: SocketAddr,
    path: &'static str,
    authorization: Option<String>,
}

/// Why a node refused. Texts differ between versions, codes do not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    pub(crate) code: i64,
    pub(crate) message: String,
}

impl Rpc {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, path: "/", authorization: None }
    }

    /// Basic authentication (RFC 7617).
    pub(crate) fn with_password(address: SocketAddr, user: &str, password: &str) -> Self {
        let authorization = format!("authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")));
        Self { address, path: "/", authorization: Some(authorization) }
    }

    /// Where the node answers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same node under another path.
    pub(crate) fn at(&self, path: &'static str) -> Self {
        Self { path, ..self.clone() }
    }

    /// A call that must succeed.
    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|refused| panic!("{method}: {refused:?}"))
    }

    /// A call that the node may refuse.
    pub(crate) fn try_call(&self, method: &str, params: Value) -> Result<Value, Refused> {
        self.ask(method, params).unwrap_or_else(|error| panic!("{method} at {}: {error}", self.address))
    }

    /// Likewise, where the node may not be there.
    pub(crate) fn ask(&self, method: &str, params: Value) -> std::io::Result<Result<Value, Refused>> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(LONGEST_ANSWER))?;
        // HTTP/1.0: the answer ends with the connection and is never chunked.
        let head = format!(
            "POST {} HTTP/1.0\r\nhost: localhost\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.path,
            self.authorization.as_deref().unwrap_or_default(),
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let bad = || std::io::Error::other(format!("no JSON-RPC answer: {answer:?}"));
        let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(bad)?;
        let mut answer: Value = serde_json::from_str(body).map_err(|_| bad())?;
        let error = &answer["error"];
        if error.is_null() {
            return Ok(Ok(answer["result"].take()));
        }
        let message = error["message"].as_str().unwrap_or_default().to_owned();
        Ok(Err(Refused { code: error["code"].as_i64().unwrap_or_default(), message }))
    }
}
