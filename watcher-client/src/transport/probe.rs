//! A bare TLS handshake that sends nothing after it, to hear why the signer ends connections.

use std::{
    io::{self, Read},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use reqwest::Url;
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use super::CONNECT_TIMEOUT;

/// A signer that takes the certificate stays silent; one that refuses it says so at once.
const SILENCE: Duration = Duration::from_millis(500);

/// The TLS error a fresh connection meets, or `None` where it meets none or cannot be made.
pub(super) async fn handshake(tls: &ClientConfig, url: &str) -> Option<rustls::Error> {
    let (tls, url) = (Arc::new(tls.clone()), Url::parse(url).ok()?);
    let attempt = tokio::task::spawn_blocking(move || connect_and_listen(tls, &url));
    let failure = attempt.await.ok()?.err()?;
    failure.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}

fn connect_and_listen(tls: Arc<ClientConfig>, url: &Url) -> io::Result<()> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let address = (host.as_str(), url.port_or_known_default().unwrap_or(443)).to_socket_addrs()?.next();
    let address = address.ok_or(io::ErrorKind::NotFound)?;
    let socket = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    socket.set_read_timeout(Some(CONNECT_TIMEOUT))?;
    socket.set_write_timeout(Some(CONNECT_TIMEOUT))?;
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let connection = ClientConnection::new(tls, name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    stream.sock.set_read_timeout(Some(SILENCE))?;
    stream.read(&mut [0]).map(|_| ())
}
