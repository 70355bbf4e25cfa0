//! Bodies over a real HTTP/1.1 connection: too long, too slow, broken off, too many at once.

use std::time::Duration;

use axum::{Router, extract::State, routing::put};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::transport::{
    answers::finished,
    connections::{Protocol, serve},
    testing::{exchange, short, until_closed},
};

const LONG: Duration = Duration::from_secs(3600);

/// A connection to a router that answers a body's length.
fn open(limits: &Limits) -> DuplexStream {
    connect(&router(limits), limits)
}

fn router(limits: &Limits) -> Router {
    async fn length(State(bodies): State<Bodies>, request: Request) -> Result<String, Refusal> {
        Ok(format!("length {}", bodies.read(request).await?.bytes.len()))
    }
    finished(Router::new().route("/", put(length)).with_state(Bodies::new(limits)), |_| {})
}

fn connect(router: &Router, limits: &Limits) -> DuplexStream {
    let (client, server) = duplex(1 << 10);
    let (router, limits) = (router.clone(), limits.clone());
    tokio::spawn(async move { serve(server, Protocol::Http1, router, None, &limits, &CancellationToken::new()).await });
    client
}

fn put_with(headers: &str, body: &str) -> Vec<u8> {
    format!("PUT / HTTP/1.1\r\nhost: x\r\n{headers}connection: close\r\n\r\n{body}").into_bytes()
}

fn put_of(length: usize) -> Vec<u8> {
    put_with(&format!("content-length: {length}\r\n"), &"x".repeat(length))
}

#[tokio::test]
async fn a_body_may_have_the_most_bytes_and_none_more() {
    let limits = Limits { idle: LONG, ..short() };
    let most = limits.body_bytes;
    assert!(exchange(open(&limits), &put_of(most)).await.ends_with(&format!("length {most}")));
    assert!(exchange(open(&limits), &put_of(most + 1)).await.contains("urn:chancery:problem:too-large"));
    let chunk = "8000\r\n".to_owned() + &"x".repeat(0x8000) + "\r\n";
    let chunked = put_with("transfer-encoding: chunked\r\n", &(chunk.repeat(3) + "0\r\n\r\n"));
    assert!(exchange(open(&limits), &chunked).await.contains("413 Payload Too Large"));
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_before_it_is_sent() {
    let limits = Limits { idle: LONG, body: LONG, header: LONG, ..short() };
    let mut stream = open(&limits);
    stream.write_all(&put_with("content-length: 100000000\r\n", "")).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_connection_whose_request_was_refused_before_its_body_came_takes_the_next() {
    let limits = Limits { idle: LONG, body: LONG, header: LONG, ..short() };
    let mut stream = open(&limits);
    for (head, status) in [
        ("DELETE / HTTP/1.1\r\nhost: x\r\n", "405"),
        ("PUT /nothing HTTP/1.1\r\nhost: x\r\n", "404"),
        ("PUT / HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n", "400"),
        ("PUT / HTTP/1.1\r\nhost: x\r\n", "200"),
    ] {
        stream.write_all(format!("{head}content-length: 10\r\n\r\n").as_bytes()).await.unwrap();
        if status != "200" {
            assert!(answer_to(&mut stream).await.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        }
        stream.write_all(b"0123456789").await.unwrap();
    }
    assert!(answer_to(&mut stream).await.ends_with("length 10"));
}

/// One answer; the connection stays open.
async fn answer_to(stream: &mut DuplexStream) -> String {
    let mut answer = String::new();
    loop {
        answer.push(char::from(stream.read_u8().await.expect("an answer")));
        let length = answer.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if body.is_some() && body == length {
            return answer;
        }
    }
}

#[tokio::test]
async fn a_slow_body_is_refused_and_its_connection_closed() {
    let limits = Limits { idle: LONG, ..short() };
    let slow = "PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    let answer = exchange(open(&limits), slow.as_bytes()).await;
    assert!(answer.contains("urn:chancery:problem:malformed") && answer.contains("within 200ms"), "{answer}");
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_framed_twice_is_refused() {
    let limits = Limits { idle: LONG, ..short() };
    let mut broken = open(&limits);
    broken.write_all(&put_with("content-length: 10\r\n", "abc")).await.unwrap();
    broken.shutdown().await.unwrap();
    assert!(!until_closed(&mut broken).await.contains("200 OK"));
    for smuggled in [
        put_with("content-length: 4\r\ncontent-length: 5\r\n", "abcde"),
        put_with("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", "0\r\n\r\n"),
        put_with("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
        put_with("content-length: +4\r\n", "abcd"),
        put_with("content-length : 4\r\n", "abcd"),
        put_with("transfer-encoding: chunked\r\n", "zz\r\nabc"),
    ] {
        let answer = exchange(open(&limits), &smuggled).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[tokio::test]
async fn only_plain_json_is_read() {
    let limits = Limits { idle: LONG, ..short() };
    for good in ["", "content-type: application/json\r\n", "content-type: Application/JSON; charset=utf-8\r\n"] {
        assert!(exchange(open(&limits), &put_with(good, "")).await.ends_with("length 0"), "{good}");
    }
    for bad in [
        "content-type: text/plain\r\n",
        "content-type: application/json-seq\r\n",
        "content-type: application/json\r\ncontent-type: text/plain\r\n",
        "content-encoding: gzip\r\n",
    ] {
        assert!(exchange(open(&limits), &put_with(bad, "")).await.contains("problem:malformed"), "{bad}");
    }
}

#[tokio::test]
async fn bodies_over_the_bound_for_all_are_told_to_come_back() {
    async fn hold(
        State((bodies, held, go)): State<(Bodies, Arc<Notify>, Arc<Notify>)>,
        request: Request,
    ) -> Result<(), Refusal> {
        let _body = bodies.read(request).await?;
        held.notify_one();
        go.notified().await;
        Ok(())
    }
    let limits = Limits { idle: LONG, bodies_bytes: 100, ..short() };
    let (held, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let state = (Bodies::new(&limits), Arc::clone(&held), Arc::clone(&go));
    let router = finished(Router::new().route("/", put(hold)).with_state(state), |_| {});

    let mut first = connect(&router, &limits);
    first.write_all(&put_of(80)).await.unwrap();
    held.notified().await;
    let answer = exchange(connect(&router, &limits), &put_of(80)).await;
    assert!(answer.contains("429") && answer.contains("retry-after: 1"), "{answer}");
    go.notify_one();
    assert!(until_closed(&mut first).await.contains("200 OK"));

    let mut third = connect(&router, &limits);
    third.write_all(&put_of(80)).await.unwrap();
    held.notified().await;
    go.notify_one();
    assert!(until_closed(&mut third).await.contains("200 OK"));
}
