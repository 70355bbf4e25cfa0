//! The witness for others: `POST /add-checkpoint` and `GET /checkpoint/HASH` over HTTP/1.1, bounded in every way.
//!
//! Nobody is authenticated: what counts is the log key's signature in what is submitted.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::ledger::{Ledger, Refusal};

/// Proof, note and a few hundred signature lines.
const LONGEST_BODY: usize = 64 << 10;
const CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// However lively a connection is, others want its place.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);
const HEADER_BYTES: usize = 16 << 10;
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const SIZE: &str = "text/x.tlog.size";

type Answer = Response<Full<Bytes>>;

/// Serves until the runtime ends.
pub(super) async fn serve(listener: TcpListener, ledger: Arc<Ledger>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Without a place, connections wait in the system's queue.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let ledger = ledger.clone();
                tokio::spawn(async move {
                    let _place = place;
                    connection(stream, ledger).await;
                });
            }
            Err(_) => sleep(PAUSE_AFTER_ERROR).await,
        }
    }
}

async fn connection(stream: TcpStream, ledger: Arc<Ledger>) {
    let service = service_fn(move |request| {
        let ledger = ledger.clone();
        async move { Ok::<_, Infallible>(answer(&ledger, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADER_BYTES);
    // How it ended interests only the peer.
    let _ = timeout(CONNECTION_TIMEOUT, builder.serve_connection(TokioIo::new(stream), service)).await;
}

async fn answer(ledger: &Ledger, request: Request<Incoming>) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match (method, path.as_str()) {
        (Method::POST, "/add-checkpoint") => match body(request).await {
            Ok(text) => add_checkpoint(ledger, &text),
            Err(answer) => answer,
        },
        (Method::GET, path) => match path.strip_prefix("/checkpoint/").map(|hash| ledger.note_of(hash)) {
            Some(Ok(Some(note))) => text(StatusCode::OK, TEXT, note),
            Some(Err(_)) => unable(),
            Some(Ok(None)) | None => text(StatusCode::NOT_FOUND, TEXT, "there is nothing at this path\n"),
        },
        (_, "/add-checkpoint") => text(StatusCode::METHOD_NOT_ALLOWED, TEXT, "this path takes POST\n"),
        _ => text(StatusCode::NOT_FOUND, TEXT, "there is nothing at this path\n"),
    }
}

async fn body(request: Request<Incoming>) -> Result<String, Answer> {
    let collected = timeout(BODY_TIMEOUT, Limited::new(request.into_body(), LONGEST_BODY).collect()).await;
    let Ok(collected) = collected else {
        return Err(text(StatusCode::REQUEST_TIMEOUT, TEXT, "the body did not arrive in time\n"));
    };
    let Ok(collected) = collected else {
        return Err(text(StatusCode::PAYLOAD_TOO_LARGE, TEXT, "the body is over 64 KiB, or broke off\n"));
    };
    String::from_utf8(collected.to_bytes().to_vec())
        .map_err(|_| text(StatusCode::BAD_REQUEST, TEXT, "the body is not UTF-8\n"))
}

fn add_checkpoint(ledger: &Ledger, body: &str) -> Answer {
    match ledger.add(body) {
        Ok(Ok(line)) => text(StatusCode::OK, TEXT, format!("{line}\n")),
        Ok(Err(refusal)) => refused(refusal),
        Err(_) => unable(),
    }
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Malformed(why) => text(StatusCode::BAD_REQUEST, TEXT, format!("{why}\n")),
        Refusal::UnknownLog => text(StatusCode::NOT_FOUND, TEXT, "no log of this origin is known\n"),
        Refusal::NotSigned => text(StatusCode::FORBIDDEN, TEXT, "no key of the log signed it\n"),
        Refusal::OldTooLarge => text(StatusCode::BAD_REQUEST, TEXT, "the old size is beyond the checkpoint's\n"),
        Refusal::Conflict(size) => text(StatusCode::CONFLICT, SIZE, format!("{size}\n")),
        Refusal::BadProof => text(StatusCode::UNPROCESSABLE_ENTITY, TEXT, "the proof does not verify\n"),
        Refusal::Stopped => text(StatusCode::SERVICE_UNAVAILABLE, TEXT, "a fork was found; nothing is cosigned\n"),
    }
}

/// Our memory cannot be read or written: the next round says so where its operator sees it.
fn unable() -> Answer {
    text(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the witness cannot use its memory\n")
}

fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
