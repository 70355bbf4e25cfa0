//! Events over a WebSocket (RFC 6455): each a text message, sent only as fast as it is read.
//!
//! Nothing is kept for a client that is slow: what it has not read is in the log, and it comes again with `after`.

use std::time::Duration;

use appliance_wire::{Event, ProblemCode};
use axum::{
    extract::{
        FromRequestParts, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code},
    },
    response::Response,
};
use bytes::Bytes;
use hyper::{header::UPGRADE, http::request::Parts};
use tokio::{
    select,
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    operations::EventStream,
    refusal::Refusal,
    transport::{
        connections::{Taken, Takeover},
        problem::malformed,
    },
};

const PING: Duration = Duration::from_secs(30);
/// From our goodbye to the other's.
const GOODBYE: Duration = Duration::from_secs(2);
/// Of what a client sends: pongs and a goodbye.
const LARGEST_MESSAGE: usize = 4 << 10;
/// A close frame holds 125 bytes with its code.
const LONGEST_REASON: usize = 123;

/// A request to become a WebSocket, where the request is one.
pub(super) struct Upgrade(pub(super) Option<(WebSocketUpgrade, Takeover)>);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let asked = parts.headers.get(UPGRADE).and_then(|protocol| protocol.to_str().ok());
        if !asked.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
            return Ok(Self(None));
        }
        let takeover = parts.extensions.get::<Takeover>().cloned();
        let takeover = takeover.ok_or_else(|| malformed("a WebSocket is opened over HTTP/1.1 alone"))?;
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        let upgrade = upgrade.map_err(|error| malformed(format!("the handshake of the WebSocket: {error}")))?;
        Ok(Self(Some((upgrade, takeover))))
    }
}

/// Becomes a WebSocket that carries `events`.
pub(super) fn answer((upgrade, takeover): (WebSocketUpgrade, Takeover), events: EventStream) -> Response {
    let taken = takeover.begin();
    upgrade
        .read_buffer_size(LARGEST_MESSAGE)
        .write_buffer_size(0)
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE)
        .on_upgrade(move |socket| carry(socket, events, taken))
}

async fn carry(mut socket: WebSocket, mut events: EventStream, taken: Taken) {
    let Some(farewell) = follow(&mut socket, &mut events, taken.stop()).await else { return };
    let goodbye = async {
        if socket.send(Message::Close(Some(farewell))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    if timeout(GOODBYE, goodbye).await.is_err() {
        tracing::debug!("a stream of events was cut off: its client did not say goodbye");
    }
}

/// Until there is a reason to end, or none to tell it to.
async fn follow(socket: &mut WebSocket, events: &mut EventStream, stop: &CancellationToken) -> Option<CloseFrame> {
    let mut client = Client::new(PING);
    loop {
        let found = select! {
            biased;
            () = stop.cancelled() => return Some(stopping()),
            ended = client.listen(socket) => return ended,
            found = events.next() => found,
        };
        let found = match found {
            Ok(found) => found,
            Err(refusal) => return Some(farewell(&refusal)),
        };
        for event in found {
            if let Err(refusal) = events.is_still_of_a_watcher() {
                return Some(farewell(&refusal));
            }
            select! {
                biased;
                () = stop.cancelled() => return Some(stopping()),
                sent = send(socket, &event) => sent?,
            }
        }
    }
}

/// `None` where the client read nothing for as long as a write may wait, or is gone.
async fn send(socket: &mut WebSocket, event: &Event) -> Option<()> {
    let text = serde_json::to_string(event).ok()?;
    socket.send(Message::text(text)).await.ok()
}

/// What is known of who is at the other end.
struct Client {
    pings: Interval,
    is_heard: bool,
}

impl Client {
    /// Pinged at this interval, and gone where it answers none in between.
    fn new(ping_every: Duration) -> Self {
        let mut pings = interval_at(Instant::now() + ping_every, ping_every);
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
                        tracing::debug!("a stream of events is ended: its client answers no ping");
                        return None;
                    }
                    socket.send(Message::Ping(Bytes::new())).await.ok()?;
                }
            }
        }
    }
}

fn stopping() -> CloseFrame {
    close(close_code::AWAY, "the appliance stops: connect again, and go on with `after`")
}

/// Why there are no more events: for good, or for now.
fn farewell(refusal: &Refusal) -> CloseFrame {
    let code = refusal.code();
    let for_good = code == ProblemCode::Unauthenticated;
    close(
        if for_good { close_code::POLICY } else { close_code::ERROR },
        &format!("{}: {}", code.name(), refusal.problem.detail),
    )
}

fn close(code: u16, reason: &str) -> CloseFrame {
    let end = reason.floor_char_boundary(LONGEST_REASON);
    CloseFrame { code, reason: reason.get(..end).unwrap_or_default().into() }
}

#[cfg(test)]
mod tests;
