//! Who answers pings stays, who answers none or says something goes; over a real HTTP/1.1 connection.

use axum::{Router, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

use super::*;
use crate::transport::{
    connections::{Protocol, serve},
    testing::short,
};

const EVERY: Duration = Duration::from_millis(200);
const OPEN: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\
                      sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// RFC 6455, 5.2: a ping as it comes, and a pong and a text, empty and masked with zeros.
const PING_FRAME: [u8; 2] = [0x89, 0];
const PONG_FRAME: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
const TEXT_FRAME: [u8; 6] = [0x81, 0x80, 0, 0, 0, 0];

/// A stream that only listens, and how it ended: with which code, or without a word.
async fn open() -> (DuplexStream, UnboundedReceiver<Option<u16>>) {
    let (tell, ended) = unbounded_channel();
    let listen = async move |Upgrade(upgrade): Upgrade| {
        let (upgrade, takeover) = upgrade.unwrap();
        let taken = takeover.begin();
        upgrade.on_upgrade(async move |mut socket| {
            let end = Client::new(EVERY).listen(&mut socket).await;
            tell.send(end.map(|frame| frame.code)).unwrap();
            drop(taken);
        })
    };
    let router = Router::new().route("/", get(listen));
    let (mut client, server) = duplex(1 << 10);
    tokio::spawn(
        async move { serve(server, Protocol::Http1, router, None, &short(), &CancellationToken::new()).await },
    );
    client.write_all(OPEN).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    (client, ended)
}

async fn answer_pings(client: &mut DuplexStream, count: usize) {
    for _ in 0..count {
        let mut frame = [0; 2];
        client.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame, PING_FRAME);
        client.write_all(&PONG_FRAME).await.unwrap();
    }
}

#[tokio::test]
async fn who_answers_pings_stays_and_who_stops_answering_is_gone() {
    let (mut client, mut ended) = open().await;
    answer_pings(&mut client, 4).await;
    assert!(ended.try_recv().is_err());
    assert_eq!(ended.recv().await, Some(None));
}

#[tokio::test]
async fn who_says_something_is_told_that_nothing_is_taken() {
    let (mut client, mut ended) = open().await;
    client.write_all(&TEXT_FRAME).await.unwrap();
    assert_eq!(ended.recv().await, Some(Some(close_code::UNSUPPORTED)));
}

#[test]
fn a_reason_is_cut_where_a_close_frame_ends_and_never_in_a_letter() {
    let frame = close(close_code::POLICY, &"ä".repeat(100));
    assert_eq!(frame.reason.as_str(), "ä".repeat(61));
    let refusal = Refusal::new(ProblemCode::Unauthenticated, "why");
    assert_eq!((farewell(&refusal).code, farewell(&refusal).reason.as_str()), (1008, "unauthenticated: why"));
    assert_eq!(farewell(&Refusal::log_unavailable("why")).code, 1011);
}
