//! A yubihsm-connector over HTTP/1.1 (RFC 9112): one message is one `POST /connector/api`.

mod response;

use std::{
    fmt,
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use self::response::{Bad, Response};
use super::{Connector, ConnectorError};

/// One connection to a yubihsm-connector, kept open between messages.
pub struct HttpConnector {
    host: String,
    port: u16,
    deadline: Duration,
    /// None before the first message and after every error.
    idle: Option<TcpStream>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    #[error("the connection was closed after {0} bytes of the answer")]
    Closed(usize),
    #[error("{0}")]
    Bad(#[from] Bad),
}

impl HttpConnector {
    /// Nothing is opened yet. `deadline` bounds each exchange as a whole.
    #[must_use]
    pub const fn new(host: String, port: u16, deadline: Duration) -> Self {
        Self { host, port, deadline, idle: None }
    }

    fn connect(&self, until: Instant) -> Result<TcpStream, Failure> {
        // Brackets belong to the written form of an address only.
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (host, self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, self.left(until)?) {
                Ok(stream) => {
                    // A message is one small write, to be answered at once.
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(self.timed_out(last))
    }

    /// Writes the request: whether the first byte went out, and why not all.
    fn send(&self, stream: &mut TcpStream, request: &[u8], until: Instant) -> Result<(), (bool, Failure)> {
        let mut sent = 0;
        while let Some(rest) = request.get(sent..).filter(|rest| !rest.is_empty()) {
            let left = self.left(until).and_then(|left| Ok(stream.set_write_timeout(Some(left))?));
            left.map_err(|failure| (sent > 0, failure))?;
            match stream.write(rest) {
                Ok(0) => return Err((sent > 0, Failure::Closed(0))),
                Ok(written) => sent += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((sent > 0, self.timed_out(error))),
            }
        }
        Ok(())
    }

    /// Reads until the response is whole, however it is cut.
    fn receive(&self, stream: &mut TcpStream, until: Instant) -> Result<Response, Failure> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            stream.set_read_timeout(Some(self.left(until)?))?;
            let length = match stream.read(&mut buffer) {
                Ok(0) => return Err(Failure::Closed(bytes.len())),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.timed_out(error)),
            };
            bytes.extend(buffer.iter().take(length));
            if let Some(response) = response::read(&bytes)? {
                return Ok(response);
            }
        }
    }

    fn left(&self, until: Instant) -> Result<Duration, Failure> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Failure::Deadline(self.deadline)) } else { Ok(left) }
    }

    /// A socket's own word for the end of its time depends on the system.
    fn timed_out(&self, error: io::Error) -> Failure {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            return Failure::Deadline(self.deadline);
        }
        error.into()
    }

    fn request(&self, message: &[u8]) -> Vec<u8> {
        let head = format!(
            "POST /connector/api HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {}\r\n\r\n",
            self.host,
            self.port,
            message.len()
        );
        [head.as_bytes(), message].concat()
    }

    /// Sends over the connection kept, or over a new one. A second is tried only where nothing went out over the first.
    fn sent(&mut self, request: &[u8], until: Instant) -> Result<TcpStream, ConnectorError> {
        if let Some(mut stream) = self.idle.take().filter(is_quiet) {
            match self.send(&mut stream, request, until) {
                Ok(()) => return Ok(stream),
                Err((true, failure)) => return Err(self.no_answer(&failure)),
                Err((false, _)) => {}
            }
        }
        let mut stream = self.connect(until).map_err(|failure| self.not_sent(&failure))?;
        match self.send(&mut stream, request, until) {
            Ok(()) => Ok(stream),
            Err((true, failure)) => Err(self.no_answer(&failure)),
            Err((false, failure)) => Err(self.not_sent(&failure)),
        }
    }

    fn not_sent(&self, failure: &Failure) -> ConnectorError {
        ConnectorError::NotSent(format!("yubihsm-connector at {}:{}: {failure}", self.host, self.port))
    }

    fn no_answer(&self, failure: &Failure) -> ConnectorError {
        ConnectorError::NoAnswer(format!("yubihsm-connector at {}:{}: {failure}", self.host, self.port))
    }
}

impl Connector for HttpConnector {
    fn exchange(&mut self, message: &[u8]) -> Result<Vec<u8>, ConnectorError> {
        let until = Instant::now() + self.deadline;
        let mut stream = self.sent(&self.request(message), until)?;
        let response = self.receive(&mut stream, until).map_err(|failure| self.no_answer(&failure))?;
        if response.keeps_open {
            self.idle = Some(stream);
        }
        Ok(response.body)
    }
}

/// Whether the other side has neither closed the idle connection nor said anything unasked. It may still close it in
/// the next moment; that is then an error, since the message may have arrived.
fn is_quiet(stream: &TcpStream) -> bool {
    let nothing_there = || {
        stream.set_nonblocking(true)?;
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false)?;
        peeked
    };
    nothing_there().is_err_and(|error: io::Error| error.kind() == io::ErrorKind::WouldBlock)
}

impl fmt::Debug for HttpConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpConnector(http://{}:{})", self.host, self.port)
    }
}

#[cfg(test)]
mod tests;
