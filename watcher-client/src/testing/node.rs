//! A node that answers by script: JSON-RPC over plain HTTP, one request a connection.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The result of a call, or the code of a refusal.
pub(crate) type NodeAnswer = Result<Value, i64>;
type Script = Arc<dyn Fn(&str, &Value) -> NodeAnswer + Send + Sync>;
type Calls = Arc<Mutex<Vec<(String, Value)>>>;

/// A running double of a node; it ends with the test's runtime.
pub(crate) struct TestNode {
    url: String,
    calls: Calls,
}

impl TestNode {
    pub(crate) async fn start(script: impl Fn(&str, &Value) -> NodeAnswer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (calls, script) = (Calls::default(), Arc::new(script) as Script);
        let all = calls.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, script.clone(), all.clone()));
            }
        });
        Self { url, calls }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The parameters of all calls of a method so far.
    pub(crate) fn calls(&self, method: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(called, _)| called == method).map(|(_, params)| params.clone()).collect()
    }
}

async fn answer(mut stream: TcpStream, script: Script, calls: Calls) {
    let mut request = Vec::new();
    let call = loop {
        stream.read_buf(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        if let Ok(call) = serde_json::from_str::<Value>(body) {
            break call;
        }
    };
    let method = call["method"].as_str().unwrap();
    calls.lock().unwrap().push((method.to_owned(), call["params"].clone()));
    let body = match script(method, &call["params"]) {
        Ok(result) => json!({ "id": 1, "result": result, "error": null }),
        Err(code) => json!({ "id": 1, "result": null, "error": { "code": code, "message": "in other words" } }),
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}
