//! Connections that a request has taken over: quiet ones live on, clogged ones do not, and a stop waits for them.

use axum::{
    Extension,
    extract::ws::{Message, WebSocketUpgrade},
    response::Response,
};
use tokio::{
    select,
    time::{Instant, sleep},
};

use super::*;
use crate::transport::connections::Takeover;

const OPEN: &str = "host: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// A text of two letters, masked with zeros (RFC 6455, 5.2), and as it comes back.
const HI: [&[u8]; 2] = [b"\x81\x82\0\0\0\0hi", b"\x81\x02hi"];

/// Sends back what comes, and a last word where the listener stops.
pub(super) async fn echo(Extension(takeover): Extension<Takeover>, upgrade: WebSocketUpgrade) -> Response {
    let taken = takeover.begin();
    upgrade.on_upgrade(async move |mut socket| {
        loop {
            let message = select! {
                () = taken.stop().cancelled() => return drop(socket.send(Message::text("ok")).await),
                message = socket.recv() => message,
            };
            let Some(Ok(message)) = message else { return };
            socket.send(message).await.unwrap();
        }
    })
}

/// Sends without end.
pub(super) async fn flood(Extension(takeover): Extension<Takeover>, upgrade: WebSocketUpgrade) -> Response {
    let taken = takeover.begin();
    upgrade.on_upgrade(async move |mut socket| {
        while socket.send(Message::binary(vec![0; 64 << 10])).await.is_ok() {}
        drop(taken);
    })
}

async fn open(listener: &Listener, path: &str) -> TlsStream2 {
    let mut stream = listener.open(&listener.client()).await;
    stream.write_all(format!("GET {path} HTTP/1.1\r\n{OPEN}").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

async fn answers(stream: &mut TlsStream2) {
    let mut answer = [0; 4];
    stream.write_all(HI[0]).await.unwrap();
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, HI[1]);
}

#[tokio::test]
async fn a_quiet_stream_outlives_every_bound_of_requests() {
    let limits = Limits { request: Duration::from_millis(300), ..short() };
    let longest = limits.idle + limits.header + limits.write + limits.request;
    let mut listener = Listener::start(limits).await;
    let mut stream = open(&listener, "/echo").await;
    answers(&mut stream).await;
    sleep(longest).await;
    answers(&mut stream).await;
    sleep(longest).await; // bytes that came were no header of a request
    answers(&mut stream).await;
    assert_eq!(listener.next().await, Event::Opened);
    assert!(listener.events.try_recv().is_err(), "it counts as open");
    drop(stream);
    assert_eq!(listener.next().await, Event::Closed);
}

#[tokio::test]
async fn a_stream_that_is_never_read_is_ended() {
    let mut listener = Listener::start(short()).await;
    let _stream = open(&listener, "/flood").await;
    assert_eq!([listener.next().await, listener.next().await], [Event::Opened, Event::Closed]);
}

#[tokio::test]
async fn a_stop_is_told_to_streams_and_waits_for_their_last_word() {
    let listener = Listener::start(Limits::default()).await;
    let mut stream = open(&listener, "/echo").await;
    answers(&mut stream).await;
    let begun = Instant::now();
    listener.stop.cancel();
    let mut last = Vec::new();
    drop(stream.read_to_end(&mut last).await);
    assert_eq!(last, b"\x81\x02ok");
    listener.task.await.unwrap();
    assert!(begun.elapsed() < Limits::default().drain, "promptly");
}

#[tokio::test]
async fn over_http_2_no_connection_is_taken_over() {
    let listener = Listener::start(Limits::default()).await;
    let http2 = listener.pki.client(Some(&listener.client()), &[b"h2"]);
    let mut client = Http2::open(connect(listener.address, http2).await.unwrap()).await;
    assert_eq!(client.get("/echo").await.status, 500, "nothing there to take over with");
}
