//! A WebSocket of a watcher: what it is sent, read as it comes or left unread.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, protocol::CloseFrame},
};

use super::watcher::Watcher;

/// What should come and does not has failed by then.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Events {
    socket: WebSocketStream<TlsStream<TcpStream>>,
}

impl Events {
    /// Follows the events after entry `after`; the HTTP status, where it is refused.
    pub(crate) fn open(watcher: &Watcher, after: Option<u64>) -> Result<Self, u16> {
        watcher.block_on(Self::connect(watcher, after))
    }

    async fn connect(watcher: &Watcher, after: Option<u64>) -> Result<Self, u16> {
        let address = watcher.address();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 << 10).unwrap(); // whoever does not read shows it soon
        let socket = socket.connect(address).await.unwrap();
        let name = ServerName::IpAddress(address.ip().into());
        let stream = TlsConnector::from(watcher.tls().clone()).connect(name, socket).await.unwrap();
        let query = after.map_or(String::new(), |after| format!("?after={after}"));
        match client_async(format!("wss://{address}/v1/events{query}"), stream).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The next so many events.
    pub(crate) fn take(&mut self, watcher: &Watcher, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        let take = async {
            while events.len() < count {
                let message = self.message().await;
                if let Message::Text(text) = &message {
                    events.push(serde_json::from_str(text).unwrap());
                } else {
                    assert!(message.is_ping(), "{message:?} after {events:?}");
                }
            }
        };
        watcher.block_on(async { timeout(PATIENCE, take).await }).unwrap();
        events
    }

    /// How it ends, and the number of events before.
    pub(crate) fn end(mut self, watcher: &Watcher) -> (CloseFrame, usize) {
        let mut events = 0;
        let end = async {
            loop {
                let message = self.message().await;
                if let Message::Close(Some(frame)) = message {
                    return frame;
                }
                events += usize::from(message.is_text());
            }
        };
        let frame = watcher.block_on(async { timeout(PATIENCE, end).await }).unwrap();
        (frame, events)
    }

    async fn message(&mut self) -> Message {
        self.socket.next().await.unwrap().unwrap()
    }
}
