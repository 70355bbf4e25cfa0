//! A WebSocket to the signer (RFC 6455), read message by message. Knows nothing of what the messages say.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use reqwest::{
    Url,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER},
};
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message,
        protocol::{WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{CONNECT_TIMEOUT, EXCHANGE_TIMEOUT, Reply, Transport, TransportError, error};
use crate::Error;

/// The signer pings every 30 s: one that is silent for longer is not there.
const LONGEST_SILENCE: Duration = Duration::from_secs(75);
const LARGEST_MESSAGE_BYTES: usize = 64 * 1024;

/// An open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: WebSocketStream<TlsStream<TcpStream>>,
    url: String,
}

impl Transport {
    /// Opens a stream at `path`, over HTTP/1.1.
    pub(crate) async fn open_stream(&self, path: &str) -> Result<Stream, Error> {
        let url = self.place.url.clone();
        match timeout(EXCHANGE_TIMEOUT, self.connect(path)).await {
            Err(_) => Err(TransportError::TimedOut { url }.into()),
            Ok(Ok(socket)) => Ok(Stream { socket, url }),
            Ok(Err(tungstenite::Error::Http(response))) => Err(self.refusal(&response)),
            Ok(Err(error)) => {
                let told = error::translate_stream(&error, &self.place);
                Err(self.ask_why(told).await.into())
            }
        }
    }

    async fn connect(&self, path: &str) -> Result<WebSocketStream<TlsStream<TcpStream>>, tungstenite::Error> {
        let not_one = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidInput, what.to_owned());
        let url = Url::parse(&self.place.url).map_err(|error| not_one(&error.to_string()))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let address = (host.as_str(), url.port_or_known_default().unwrap_or(443));
        let socket = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
        let socket = socket.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(host).map_err(|error| not_one(&error.to_string()))?;
        let mut tls = self.tls.clone();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, socket).await?;
        let request = format!("{}{path}", self.place.url.replacen("https", "wss", 1));
        let config = WebSocketConfig::default()
            .read_buffer_size(LARGEST_MESSAGE_BYTES)
            .max_message_size(Some(LARGEST_MESSAGE_BYTES))
            .max_frame_size(Some(LARGEST_MESSAGE_BYTES));
        client_async_with_config(request, stream, Some(config)).await.map(|(socket, _)| socket)
    }

    /// What was answered instead of a stream.
    fn refusal(&self, response: &tungstenite::http::Response<Option<Vec<u8>>>) -> Error {
        let header = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        let reply = Reply {
            status: response.status().as_u16(),
            content_type: header(CONTENT_TYPE).unwrap_or_default().to_owned(),
            retry_after_s: header(RETRY_AFTER).and_then(|seconds| seconds.trim().parse().ok()),
            body: response.body().clone().unwrap_or_default(),
        };
        // What had not come with the header was not waited for.
        if header(CONTENT_LENGTH).and_then(|length| length.parse().ok()) != Some(reply.body.len()) {
            let reason = format!("it was refused with status {}, and why was not heard", reply.status);
            return TransportError::Broken { url: self.place.url.clone(), reason }.into();
        }
        match reply.success() {
            Err(error) => error,
            Ok(_) => Error::Unexpected { status: reply.status, what: "no stream was opened".to_owned() },
        }
    }
}

impl Stream {
    /// The next text; `None` where the signer ended the stream and may be asked again.
    ///
    /// # Errors
    /// Nothing was heard for too long, or the connection broke; the signer takes this watcher for none.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Error> {
        loop {
            let message = timeout(LONGEST_SILENCE, self.socket.next()).await;
            let message = message.map_err(|_| TransportError::TimedOut { url: self.url.clone() })?;
            let Some(message) = message else { return Ok(None) };
            let broken =
                |error: tungstenite::Error| TransportError::Broken { url: self.url.clone(), reason: error.to_string() };
            match message.map_err(broken)? {
                Message::Text(text) => return Ok(Some(text.as_str().to_owned())),
                Message::Close(Some(frame)) if frame.code == CloseCode::Policy => {
                    return Err(Error::StreamEnded { why: frame.reason.as_str().to_owned() });
                }
                Message::Close(_) => return Ok(None),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}
