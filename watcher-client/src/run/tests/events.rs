//! Events as pages and over a WebSocket.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::*;
use crate::journal::testing::{block, observation, observe, sent, sighting};

/// Nothing here takes that long, on a machine with a lot to do.
const PATIENCE: Duration = Duration::from_secs(60);

async fn open(bench: &Bench, after: u64, token: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = format!("ws://{}/v1/events?after={after}", bench.address).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let stream = TcpStream::connect(bench.address).await.unwrap();
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Value {
    loop {
        let message = timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
        if let Message::Text(text) = message {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test]
async fn events_are_numbered_without_gaps_and_carry_no_transaction_bytes() {
    let bench = Bench::start().await;
    sent(&bench.journal, "wd-1", &["t:0"], "tx");
    observe(&bench.journal, &observation(100, 102, "a", vec![sighting("t1", 1, Some(block(102, "a")))]));
    let (_, page) = bench.get("/v1/events?limit=3").await;
    let kinds: Vec<&str> =
        page["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["withdrawal.created", "withdrawal.signed", "withdrawal.sent"]);
    assert_eq!(page["events"][2]["withdrawal"]["transactions"][0]["txid"], "tx");
    assert!(!page.to_string().contains("cHNidP8") && !page.to_string().contains("history"), "{page}");
    let (_, rest) = bench.get("/v1/events?after=3").await;
    assert_eq!((&rest["events"][0]["number"], &rest["next"]), (&json!(4), &json!(4)));
    assert_eq!(rest["events"][0]["deposit"]["cursor"], 4);
    assert_eq!(bench.refused(Method::GET, "/v1/events?chain=bitcoin", None).await.0, 400);
}

#[tokio::test]
async fn a_websocket_catches_up_first_and_follows_then() {
    let bench = Bench::start().await;
    for number in 1..=120 {
        bench.put(&format!("/v1/withdrawals/wd-{number}"), wanted()).await;
    }
    let mut socket = open(&bench, 2, TOKEN).await.unwrap();
    for number in 3..=120 {
        assert_eq!(next(&mut socket).await["number"], number);
    }
    bench.post("/v1/withdrawals/wd-7/cancel").await;
    let event = next(&mut socket).await;
    assert_eq!((&event["number"], &event["kind"]), (&json!(121), &json!("withdrawal.cancelled")));
    let mut again = open(&bench, 120, TOKEN).await.unwrap();
    assert_eq!(next(&mut again).await, event, "a reconnect goes on where it was");
}

#[tokio::test]
async fn a_websocket_needs_the_token_takes_no_messages_and_ends_with_the_watcher() {
    use futures_util::SinkExt;

    let bench = Bench::start().await;
    let Err(Error::Http(refused)) = open(&bench, 0, "wrong").await else { panic!("it was opened") };
    assert_eq!(refused.status(), 401);
    let mut talker = open(&bench, 0, TOKEN).await.unwrap();
    talker.send(Message::text("hello")).await.unwrap();
    let ended = timeout(PATIENCE, talker.next()).await.unwrap();
    assert!(matches!(&ended, Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == 1003), "{ended:?}");
    let mut listener = open(&bench, 0, TOKEN).await.unwrap();
    bench.stop.send_replace(true);
    let ended = timeout(PATIENCE, listener.next()).await.unwrap();
    assert!(matches!(&ended, Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == 1001), "{ended:?}");
}

#[tokio::test]
async fn there_are_only_so_many_streams_and_an_ended_one_makes_room() {
    let bench = Bench::start().await;
    let mut open_ones = Vec::new();
    let refused = loop {
        match open(&bench, 0, TOKEN).await {
            Ok(socket) => open_ones.push(socket),
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, Error::Http(response) if response.status() == 429), "{refused:?}");
    assert_eq!(open_ones.len(), 64);
    open_ones.clear();
    let room = async {
        while open(&bench, 0, TOKEN).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, room).await.unwrap();
}
