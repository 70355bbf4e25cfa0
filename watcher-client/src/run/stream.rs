//! Events over a WebSocket (RFC 6455): each a text message, sent only as fast as it is read.
//!
//! Nothing is kept for a client that is slow: what it has not read is in the journal, and it comes again with `after`.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        FromRequestParts, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code},
    },
    http::request::Parts,
    response::Response,
};
use bytes::Bytes;
use reqwest::header::UPGRADE;
use tokio::{
    select,
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};

use super::{desk::Desk, problem::Refusal};
use crate::journal::Event;

const PING: Duration = Duration::from_secs(30);
/// How long a write may wait for a client that reads nothing.
const WRITE: Duration = Duration::from_secs(20);
/// From our goodbye to the other's.
const GOODBYE: Duration = Duration::from_secs(2);
/// Of what a client sends: pongs and a goodbye.
const LARGEST_MESSAGE: usize = 4 << 10;
/// Events read at once.
const AT_ONCE: usize = 100;

/// A request to become a WebSocket, where the request is one.
pub(super) struct Upgrade(pub(super) Option<WebSocketUpgrade>);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let asked = parts.headers.get(UPGRADE).and_then(|protocol| protocol.to_str().ok());
        if !asked.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
            return Ok(Self(None));
        }
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        let refused = |error| Refusal::malformed(format!("the handshake of the WebSocket: {error}"));
        upgrade.map(|upgrade| Self(Some(upgrade))).map_err(refused)
    }
}

/// Becomes a WebSocket that carries the events after a number.
pub(super) fn answer(upgrade: WebSocketUpgrade, desk: Arc<Desk>, after: u64, place: OwnedSemaphorePermit) -> Response {
    upgrade
        .read_buffer_size(LARGEST_MESSAGE)
        .write_buffer_size(0)
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE)
        .on_upgrade(move |mut socket| async move {
            let _place = place;
            let Some(farewell) = follow(&mut socket, &desk, after).await else { return };
            let goodbye = async {
                if socket.send(Message::Close(Some(farewell))).await.is_ok() {
                    while let Some(Ok(_)) = socket.recv().await {}
                }
            };
            // A client that says no goodbye is left.
            let _ = timeout(GOODBYE, goodbye).await;
        })
}

/// Until there is a reason to end, or none to tell it to.
async fn follow(socket: &mut WebSocket, desk: &Desk, after: u64) -> Option<CloseFrame> {
    let (mut after, mut client) = (after, Client::new());
    let (mut stop, mut news) = (desk.stop.clone(), desk.journal.follow());
    loop {
        news.mark_unchanged();
        let Ok(events) = desk.off(move |journal| journal.events(after, AT_ONCE)).await else {
            return Some(close(close_code::ERROR, "the journal cannot be read: connect again later"));
        };
        for event in &events {
            send(socket, event).await?;
            after = event.number;
        }
        if events.len() == AT_ONCE && !*stop.borrow() {
            continue;
        }
        select! {
            biased;
            () = stopped(&mut stop) => return Some(close(close_code::AWAY, "the watcher stops: connect again")),
            ended = client.listen(socket) => return ended,
            changed = news.changed() => changed.ok()?,
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Without a sender there is nobody who could go on.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// `None` where the client reads nothing, or is gone.
async fn send(socket: &mut WebSocket, event: &Event) -> Option<()> {
    let text = serde_json::to_string(event).ok()?;
    timeout(WRITE, socket.send(Message::text(text))).await.ok()?.ok()
}

/// What is known of who is at the other end.
struct Client {
    pings: Interval,
    is_heard: bool,
}

impl Client {
    fn new() -> Self {
        let mut pings = interval_at(Instant::now() + PING, PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { is_heard: true, pings }
    }

    /// Listens until there is a reason to end: nothing is asked of a stream but pongs and a goodbye.
    async fn listen(&mut self, socket: &mut WebSocket) -> Option<CloseFrame> {
        loop {
            select! {
                biased;
                message = socket.recv() => match message {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.is_heard = true,
                    Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                        return Some(close(close_code::UNSUPPORTED, "this stream takes no messages"));
                    }
                    Some(Ok(Message::Close(_))) => {
                        let _ = timeout(GOODBYE, socket.recv()).await; // this sends ours
                        return None;
                    }
                    Some(Err(_)) | None => return None,
                },
                _ = self.pings.tick() => {
                    if !std::mem::take(&mut self.is_heard) {
                        return None;
                    }
                    timeout(WRITE, socket.send(Message::Ping(Bytes::new()))).await.ok()?.ok()?;
                }
            }
        }
    }
}

fn close(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}
