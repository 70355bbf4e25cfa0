//! How the commands talk to a running appliance: one call over its admin socket.

use std::{io, path::Path, path::PathBuf, time::Duration};

use appliance_wire::Problem;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request,
    body::Bytes,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, RETRY_AFTER},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::timeout;

use super::admin::socket::connect;

const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_ANSWER: usize = 64 << 20;

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The appliance refused.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// Nobody to talk to.
    #[error("nothing listens on {}: is `chancery serve` running?", .0.display())]
    NobodyThere(PathBuf),
    /// The socket is not ours to open.
    #[error("no permission to open {}: join its group, or become its owner", .0.display())]
    NotPermitted(PathBuf),
    /// The appliance took the call and did not answer.
    #[error("no answer on {} within {PATIENCE:?}: look at the appliance's log", .0.display())]
    NoAnswer(PathBuf),
    /// The connection broke, or the answer cannot be read.
    #[error("the call over {}: {what}", .socket.display())]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What happened.
        what: String,
    },
}

/// Calls `method` `path` of the appliance that listens on `socket`, and returns its JSON answer.
///
/// # Errors
/// A refusal with its problem, or why none could be had.
pub async fn call(socket: &Path, method: Method, path: &str, body: Option<Value>) -> Result<Value, AdminError> {
    let exchange = exchange(socket, method, path, body);
    timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(AdminError::NoAnswer(socket.to_owned())))
}

async fn exchange(socket: &Path, method: Method, path: &str, body: Option<Value>) -> Result<Value, AdminError> {
    let broken = |what: String| AdminError::Broken { socket: socket.to_owned(), what };
    let stream = connect(socket).await.map_err(|error| unreachable(socket, &error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(error.to_string()))?;
    let connection = tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header(HOST, "chancery");
    let request = match body {
        Some(body) => request.header(CONTENT_TYPE, "application/json").body(Full::from(body.to_string())),
        None => request.body(Full::<Bytes>::default()),
    };
    let request = request.map_err(|error| broken(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(|error| broken(error.to_string()))?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|error| broken(error.to_string()))?;
    connection.abort();
    let body = body.to_bytes();
    if parts.status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| broken(format!("the answer is no JSON: {error}")));
    }
    let mut problem: Problem = serde_json::from_slice(&body)
        .map_err(|_| broken(format!("the answer is {} without a problem document", parts.status)))?;
    let seconds = parts.headers.get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    problem.retry_after_s = seconds;
    Err(AdminError::Refused(Box::new(problem)))
}

fn unreachable(socket: &Path, error: &io::Error) -> AdminError {
    let (socket, kind) = (socket.to_owned(), error.kind());
    if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
        AdminError::NobodyThere(socket)
    } else if kind == io::ErrorKind::PermissionDenied {
        AdminError::NotPermitted(socket)
    } else {
        AdminError::Broken { socket, what: error.to_string() }
    }
}
