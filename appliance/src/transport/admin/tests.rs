//! The socket and its client, together.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt, symlink},
    path::PathBuf,
};

use appliance_wire::ProblemCode;
use hyper::Method;
use tempfile::TempDir;

use super::*;
use crate::transport::{AdminError, call};

fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("admin.sock");
    (directory, socket)
}

fn bind_error(socket: &Path) -> String {
    Admin::bind(socket, Limits::admin()).unwrap_err().to_string()
}

/// A listener whose one call answers what it was sent, or refuses.
fn serve(socket: &Path, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
    async fn echo(State(bodies): State<Bodies>, request: Request) -> Answer {
        let Change { what, reason } = bodies.read_small(request).await?;
        if reason == "refuse" {
            let mut refusal = Refusal::new(ProblemCode::Denied, "not without officers");
            refusal.problem.retry_after_s = Some(7);
            return Err(refusal);
        }
        Ok(json(&json!({ "what": what })))
    }
    let admin = Admin::bind(socket, Limits::admin()).unwrap();
    let routes = Router::new().route("/freeze", post(echo)).with_state(Bodies::new(&Limits::admin()));
    tokio::spawn(admin.serve_router(finished(routes, |_| {}), stop.clone()))
}

fn change(what: &Value) -> Option<Value> {
    Some(json!({ "what": what, "reason": "drill" }))
}

#[tokio::test]
async fn commands_reach_the_listener_and_its_refusals_come_back() {
    let (_directory, socket) = place();
    let stop = CancellationToken::new();
    let serving = serve(&socket, &stop);
    for what in [
        json!({ "scope": "all" }),
        json!({ "scope": "key", "name": "btc-hot" }),
        json!({ "scope": "watcher", "name": "btc-watcher" }),
    ] {
        assert_eq!(call(&socket, Method::POST, "/freeze", change(&what)).await.unwrap()["what"], what);
    }
    for (method, path, body, code) in [
        (Method::POST, "/freeze", change(&json!({ "scope": "key" })), ProblemCode::Malformed),
        (Method::POST, "/freeze", change(&json!({ "scope": "everything" })), ProblemCode::Malformed),
        (Method::POST, "/freeze", change(&json!("x".repeat(1 << 20))), ProblemCode::TooLarge),
        (Method::POST, "/freeze", None, ProblemCode::Malformed),
        (Method::GET, "/freeze", None, ProblemCode::MethodNotAllowed),
        (Method::GET, "/v1/keys", None, ProblemCode::NotFound),
    ] {
        let refused = call(&socket, method, path, body).await.unwrap_err();
        assert!(matches!(&refused, AdminError::Refused(problem) if problem.code() == Some(code)), "{path}: {refused}");
    }
    let body = json!({ "what": { "scope": "all" }, "reason": "refuse" });
    let Err(AdminError::Refused(problem)) = call(&socket, Method::POST, "/freeze", Some(body)).await else {
        panic!("refused")
    };
    assert_eq!((problem.code(), problem.retry_after_s), (Some(ProblemCode::Denied), Some(7)));

    stop.cancel();
    serving.await.unwrap();
    assert!(!socket.exists(), "the socket is removed");
    let nobody = call(&socket, Method::GET, "/status", None).await.unwrap_err().to_string();
    assert_eq!(nobody, format!("nothing listens on {}: is `chancery serve` running?", socket.display()));
}

#[tokio::test]
async fn owner_and_group_may_connect_and_a_long_path_is_no_matter() {
    let directory = TempDir::new().unwrap();
    let deep = directory.path().join("d".repeat(100)).join("e".repeat(100));
    fs::create_dir_all(&deep).unwrap();
    let socket = deep.join("admin.sock");
    let stop = CancellationToken::new();
    let serving = serve(&socket, &stop);
    let metadata = fs::symlink_metadata(&socket).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
    assert_eq!(fs::read_dir(&deep).unwrap().count(), 1, "nothing is left beside it");
    assert!(call(&socket, Method::POST, "/freeze", change(&json!({ "scope": "all" }))).await.is_ok());
    stop.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_nothing_else_is() {
    let (directory, socket) = place();
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let live = Admin::bind(&socket, Limits::admin()).unwrap();
    assert!(bind_error(&socket).contains("another process listens there"));

    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    let link = directory.path().join("link");
    symlink(&socket, &link).unwrap();
    let dangling = directory.path().join("dangling");
    symlink(directory.path().join("absent"), &dangling).unwrap();
    for taken in [&file, &link, &dangling] {
        assert!(bind_error(taken).contains("something that is no socket"), "{}", taken.display());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert!(bind_error(&directory.path().join("absent/admin.sock")).contains("opening its directory"));

    drop(live);
    assert!(!socket.exists());
}
