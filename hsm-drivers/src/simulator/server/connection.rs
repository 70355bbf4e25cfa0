//! One connection of a client: requests in, responses out, in one piece each unless a fault wants otherwise.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    process, thread,
    time::Duration,
};

use super::{
    Shared,
    request::{BadRequest, Request},
};
use crate::simulator::{device::Transport, faults::Plan};

/// How soon a connection notices that the server stops.
const PATIENCE: Duration = Duration::from_millis(50);
/// Between the parts of a response that comes in two.
const PAUSE: Duration = Duration::from_millis(20);

/// A response before it goes out.
struct Response {
    status: &'static str,
    body: Vec<u8>,
    faults: Vec<Transport>,
}

impl Response {
    fn ok(body: Vec<u8>) -> Self {
        Self { status: "200 OK", body, faults: Vec::new() }
    }

    fn refused(status: &'static str, why: &str) -> Self {
        Self { status, body: format!("{why}\n").into_bytes(), faults: Vec::new() }
    }
}

/// Until the client or the server ends it.
pub(super) fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let (mut waiting, mut chunk) = (Vec::new(), [0; 4096]);
    while !shared.is_stopping() {
        match Request::take(&mut waiting) {
            Ok(None) => {}
            Ok(Some(request)) => {
                let goes_on = send(&mut stream, answer(&request, shared), shared)?;
                if request.close || !goes_on {
                    return Ok(());
                }
                continue;
            }
            Err(BadRequest) => {
                let refusal = Response::refused("400 Bad Request", "not an HTTP/1.1 request a connector takes");
                return send(&mut stream, refusal, shared).map(drop);
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => waiting.extend(chunk.iter().take(count)),
            Err(error) if is_silence(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_silence(error: &io::Error) -> bool {
    [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut, io::ErrorKind::Interrupted].contains(&error.kind())
}

fn answer(request: &Request, shared: &Shared) -> Response {
    match &request.call[..] {
        "POST /connector/api" => {
            let (body, faults) = shared.device().exchange(&request.body);
            Response { faults, ..Response::ok(body) }
        }
        "GET /connector/status" => Response::ok(status(shared)),
        "GET /simulator/ca" if shared.controls => Response::ok(shared.device().ca_certificate().to_vec()),
        "GET /simulator/faults" if shared.controls => {
            let lines: Vec<String> = shared.faults.armed().iter().map(|plan| format!("{plan:?}\n")).collect();
            Response::ok(lines.concat().into_bytes())
        }
        "DELETE /simulator/faults" if shared.controls => {
            shared.faults.clear();
            Response::ok(Vec::new())
        }
        "POST /simulator/faults" if shared.controls => arm(&request.body, shared),
        _ => Response::refused("404 Not Found", "a connector has /connector/api and /connector/status"),
    }
}

/// All plans of the body, or none.
fn arm(body: &[u8], shared: &Shared) -> Response {
    let lines = String::from_utf8_lossy(body);
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    match lines.map(str::parse::<Plan>).collect::<Result<Vec<_>, _>>() {
        Ok(plans) => {
            plans.into_iter().for_each(|plan| shared.faults.arm(plan));
            Response::ok(Vec::new())
        }
        Err(bad) => Response::refused("400 Bad Request", &bad.to_string()),
    }
}

/// The lines that yubihsm-connector gives.
fn status(shared: &Shared) -> Vec<u8> {
    let serial = shared.device().serial();
    let (version, pid) = (env!("CARGO_PKG_VERSION"), process::id());
    format!("status=OK\nserial={serial:010}\nversion={version}\npid={pid}\naddress=\nport=\n").into_bytes()
}

/// Whether the connection goes on.
fn send(stream: &mut TcpStream, response: Response, shared: &Shared) -> io::Result<bool> {
    let Response { status, body, faults } = response;
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // In one piece: some clients read no more than the first.
    let bytes = [head.as_bytes(), &body].concat();
    let mut split = None;
    for fault in faults {
        match fault {
            Transport::Delay(time) => sleep(time, shared),
            Transport::Hang => sleep(Duration::MAX, shared),
            Transport::CloseAfter(count) => {
                stream.write_all(bytes.get(..count).unwrap_or(&bytes))?;
                return Ok(false);
            }
            Transport::SplitAfter(count) => split = Some(count),
        }
    }
    if shared.is_stopping() {
        return Ok(false);
    }
    match split.and_then(|count| bytes.split_at_checked(count)) {
        Some((first, second)) => {
            stream.write_all(first)?;
            thread::sleep(PAUSE);
            stream.write_all(second)?;
        }
        None => stream.write_all(&bytes)?,
    }
    Ok(true)
}

/// In steps, so that a stop is noticed.
fn sleep(time: Duration, shared: &Shared) {
    let mut left = time;
    while !left.is_zero() && !shared.is_stopping() {
        let step = left.min(PATIENCE);
        thread::sleep(step);
        left = left.saturating_sub(step);
    }
}
