//! What HTTP/2 lets a peer do that no request does (RFC 9113): frames by the thousand that cost it nothing. Each flood ends
//! or stays within bounds, and others are answered meanwhile.

use tokio::io::{ReadHalf, WriteHalf, split};

use super::*;
use crate::transport::testing::PATIENCE;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
const CANCEL: [u8; 4] = [0, 0, 0, 8];
/// `:status 200` in HPACK's static table (RFC 7541, appendix A).
const OK: u8 = 0x88;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u32;
    [&length.to_be_bytes()[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The fields of a GET, in HPACK: the path as it is, the rest from the static table.
fn get(path: &str) -> Vec<u8> {
    [&[0x82, 0x87, 0x01, 9], &b"localhost"[..], &[0x04, path.len() as u8], path.as_bytes()].concat()
}

/// A field without a place in HPACK's tables, as long as a frame admits.
fn long_field() -> Vec<u8> {
    // A literal without indexing: a name of one letter, 16,000 letters of value (127 + 15,873, in sevens).
    [&[0x00, 1, b'a', 0x7f, 0x81, 0x7c][..], &[b'b'; 16_000]].concat()
}

/// A connection that speaks HTTP/2 in frames.
struct Frames {
    from: ReadHalf<TlsStream2>,
    to: WriteHalf<TlsStream2>,
}

impl Frames {
    async fn open(listener: &Listener) -> Self {
        let client = listener.pki.client(Some(&listener.client()), &[b"h2"]);
        let (from, to) = split(connect(listener.address, client).await.unwrap());
        let mut frames = Self { from, to };
        frames.to.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
        frames
    }

    /// The next frame that is of this kind: stream and payload. None at the end.
    async fn next(&mut self, wanted: u8) -> Option<(u32, Vec<u8>)> {
        timeout(PATIENCE, async {
            loop {
                let mut head = [0; 9];
                self.from.read_exact(&mut head).await.ok()?;
                let [_, _, _, kind, _, stream @ ..] = head;
                let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
                self.from.read_exact(&mut payload).await.ok()?;
                if kind == wanted || kind == GOAWAY {
                    return (kind == wanted).then_some((u32::from_be_bytes(stream), payload));
                }
            }
        })
        .await
        .expect("a frame in time")
    }

    /// Writes it again and again, and reads nothing, until the other side has ended the connection.
    async fn flood(&mut self, bytes: &[u8]) {
        let flood = async { while self.to.write_all(bytes).await.is_ok() {} };
        timeout(PATIENCE, flood).await.expect("ended in time");
    }
}

/// Somebody else is answered.
async fn answers_others(listener: &Listener) {
    let answer = exchange(listener.open(&listener.client()).await, GET).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

fn patient() -> Limits {
    Limits { idle: Duration::from_secs(3600), request: Duration::from_secs(3600), ..short() }
}

#[tokio::test]
async fn acknowledgements_that_nobody_reads_end_the_connection() {
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[])] {
        let mut listener = Listener::start(patient()).await;
        let mut frames = Frames::open(&listener).await;
        assert_eq!(listener.next().await, Event::Opened);
        frames.flood(&frame(kind, 0, 0, payload).repeat(1_000)).await;
        assert_eq!(listener.next().await, Event::Closed);
        answers_others(&listener).await;
    }
}

#[tokio::test]
async fn a_header_that_goes_on_and_on_ends_the_connection() {
    let listener = Listener::start(patient()).await;
    let mut frames = Frames::open(&listener).await;
    frames.to.write_all(&frame(HEADERS, END_STREAM, 1, &get("/who"))).await.unwrap();
    // Never the last of them.
    frames.flood(&frame(CONTINUATION, 0, 1, &long_field())).await;
    answers_others(&listener).await;
}

#[tokio::test]
async fn a_few_bytes_that_stand_for_a_long_header_are_no_request() {
    let listener = Listener::start(patient()).await;
    let mut frames = Frames::open(&listener).await;
    // A value of 1,000 letters goes into the dynamic table, and is then named 1,000 times in a byte each.
    let entry = [&[0x40, 1, b'a', 0x7f, 0xe9, 0x06][..], &[b'b'; 1_000]].concat();
    let bomb = [get("/who"), entry, vec![0xbe; 1_000]].concat();
    frames.to.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb)).await.unwrap();
    let answer = frames.next(HEADERS).await;
    assert!(answer.is_none_or(|(_, fields)| fields[0] != OK), "it was taken for a request");
    answers_others(&listener).await;
}

#[tokio::test]
async fn no_more_streams_are_open_at_once_than_64() {
    let listener = Listener::start(patient()).await;
    let mut frames = Frames::open(&listener).await;
    // The bound holds once it is known to be read.
    frames.next(SETTINGS).await.unwrap();
    frames.to.write_all(&frame(SETTINGS, 1, 0, &[])).await.unwrap();
    let streams = (0..74).flat_map(|n| frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, &get("/never")));
    frames.to.write_all(&streams.collect::<Vec<u8>>()).await.unwrap();
    for refused in 64..74 {
        let (stream, code) = frames.next(RST_STREAM).await.unwrap();
        assert_eq!((stream, code.as_slice()), (2 * refused + 1, &REFUSED_STREAM[..]));
    }
    answers_others(&listener).await;
}

#[tokio::test]
async fn streams_that_are_reset_at_once_keep_nobody_from_an_answer() {
    let listener = Listener::start(patient()).await;
    let Frames { mut from, mut to } = Frames::open(&listener).await;
    let opened_and_reset = |n: u32| {
        let stream = 2 * n + 1;
        [frame(HEADERS, END_STREAM | END_HEADERS, stream, &get("/never")), frame(RST_STREAM, 0, stream, &CANCEL)]
    };
    let flood = async {
        for batch in 0..200 {
            let frames = (100 * batch..100 * (batch + 1)).flat_map(opened_and_reset).flatten();
            if to.write_all(&frames.collect::<Vec<u8>>()).await.is_err() {
                break;
            }
        }
    };
    let others = async {
        for _ in 0..10 {
            answers_others(&listener).await;
        }
    };
    let drain = async { drop(tokio::io::copy(&mut from, &mut tokio::io::sink()).await) };
    let both = async { tokio::join!(flood, others) };
    tokio::select! {
        ended = timeout(PATIENCE, both) => drop(ended.expect("in time")),
        () = async { drain.await; std::future::pending().await } => {}
    }
}
