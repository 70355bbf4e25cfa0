//! One GET, as HTTP/1.0, to a listener on this machine: enough to ask whether the appliance is ready.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The status code of `GET path`.
pub(super) fn status_of(address: SocketAddr, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut head = Vec::new();
    BufReader::new(stream.take(LONGEST_LINE)).read_until(b'\n', &mut head)?;
    status_in(&head).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

fn status_in(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    let mut words = line.strip_prefix("HTTP/1.")?.split(' ');
    words.nth(1)?.parse().ok()
}

const PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_LINE: u64 = 256;

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    #[test]
    fn a_status_line_is_read() {
        assert_eq!(status_in(b"HTTP/1.0 200 OK\r\nx: y"), Some(200));
        assert_eq!(status_in(b"HTTP/1.1 503 Service Unavailable\r\n"), Some(503));
        for not_http in [&b""[..], b"\x15\x03\x03", b"SSH-2.0-x\r\n", b"HTTP/1.1\r\n", b"HTTP/1.1 2x0 \r\n"] {
            assert_eq!(status_in(not_http), None);
        }
    }

    #[test]
    fn a_listener_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend_from_slice(&byte);
            }
            stream.write_all(b"HTTP/1.0 503 Service Unavailable\r\n\r\nnot yet").unwrap();
            request
        });
        assert_eq!(status_of(address, "/readyz").unwrap(), 503);
        assert!(server.join().unwrap().starts_with(b"GET /readyz HTTP/1.0\r\n"));
    }
}
