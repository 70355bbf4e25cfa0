//! Over a real socket.

use tokio::{io::AsyncReadExt, net::TcpStream};

use super::*;
use crate::transport::testing::exchange;

#[tokio::test]
async fn it_serves_until_it_is_told_to_stop() {
    let limits = Limits { connections: 1, ..Limits::monitor() };
    let monitor = Monitor::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
    let (address, stop) = (monitor.address(), CancellationToken::new());
    let router = finished(Router::new().route("/livez", get(|| async { "ok" })), |_| {});
    let serving = tokio::spawn(monitor.serve_router(router, stop.clone()));

    let mut only = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    assert_eq!(second.read(&mut [0]).await.unwrap_or(0), 0, "one over the bound is closed at once");
    stop.cancel();
    assert_eq!(only.read(&mut [0]).await.unwrap_or(0), 0);
    serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let monitor = Monitor::bind("[::1]:0".parse().unwrap(), Limits::monitor()).await.unwrap();
    let (address, stop) = (monitor.address(), CancellationToken::new());
    let router = finished(Router::new().route("/livez", get(|| async { "ok" })), |_| {});
    tokio::spawn(monitor.serve_router(router, stop.clone()));
    for (path, status) in [("/livez", 200), ("/", 404), ("/status", 404), ("/v1/keys", 404)] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = exchange(TcpStream::connect(address).await.unwrap(), request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    stop.cancel();
}

#[tokio::test]
async fn it_does_not_listen_where_others_can_reach_it() {
    let refused = Monitor::bind("0.0.0.0:0".parse().unwrap(), Limits::monitor()).await.unwrap_err();
    assert!(refused.to_string().contains("use a loopback address"), "{refused}");
}
