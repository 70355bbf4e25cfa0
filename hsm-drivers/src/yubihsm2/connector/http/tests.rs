//! Against a server that answers as it is told, over real sockets.

use std::{
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use super::*;

/// Above what any answer here takes.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(150);

struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// For each request `answer` is called; it says whether the connection stays open.
fn serve(mut answer: impl FnMut(&mut TcpStream) -> bool + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (counted, kept) = (Arc::clone(&connections), Arc::clone(&requests));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            while let Some(message) = read_request(&mut stream) {
                kept.lock().unwrap().push(message);
                if !answer(&mut stream) {
                    break;
                }
            }
        }
    });
    Server { port, connections, requests }
}

/// The body of the next request; none where the client closes first.
fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("POST /connector/api HTTP/1.1\r\nHost: 127.0.0.1:"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

impl Server {
    fn connector(&self, deadline: Duration) -> HttpConnector {
        HttpConnector::new("127.0.0.1".to_owned(), self.port, deadline)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().unwrap().clone()
    }
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x81\0\x01a";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\x81\r\n3\r\n\0\x01a\r\n0\r\n\r\n";
const BODY: &[u8] = b"\x81\0\x01a";

fn no_answer(error: &ConnectorError, words: &str) {
    assert!(matches!(error, ConnectorError::NoAnswer(cause) if cause.contains(words)), "{error:?}");
}

#[test]
fn messages_go_over_one_connection() {
    let server = serve(|stream| stream.write_all(ANSWER).is_ok());
    let mut connector = server.connector(LONG);
    for message in [&b"one"[..], b"", &[0xa5; 2048]] {
        assert_eq!(connector.exchange(message), Ok(BODY.to_vec()));
    }
    assert_eq!(server.requests(), [b"one".to_vec(), Vec::new(), vec![0xa5; 2048]]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_split_at_any_byte_is_read_whole() {
    for answer in [ANSWER, CHUNKED] {
        let mut cut = 0;
        let server = serve(move |stream| {
            let (first, second) = answer.split_at(cut);
            cut += 1;
            stream.write_all(first).unwrap();
            // Not to wait for anything, only so that the two are not joined.
            thread::sleep(Duration::from_millis(2));
            stream.write_all(second).is_ok()
        });
        let mut connector = server.connector(LONG);
        for cut in 0..=answer.len() {
            assert_eq!(connector.exchange(b"x"), Ok(BODY.to_vec()), "split at {cut}");
        }
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn an_answer_byte_by_byte_is_read_whole() {
    let server = serve(|stream| CHUNKED.iter().all(|byte| stream.write_all(&[*byte]).is_ok()));
    assert_eq!(server.connector(LONG).exchange(b"x"), Ok(BODY.to_vec()));
}

#[test]
fn a_connection_closed_while_idle_is_replaced() {
    let (closed, is_closed) = mpsc::channel();
    let server = serve(move |stream| {
        stream.write_all(ANSWER).unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
        closed.send(()).unwrap();
        false
    });
    let mut connector = server.connector(LONG);
    for number in 1..=3 {
        assert_eq!(connector.exchange(b"x"), Ok(BODY.to_vec()));
        is_closed.recv().unwrap();
        assert_eq!((server.requests().len(), server.connections()), (number, number));
    }
}

#[test]
fn a_connection_the_server_wants_closed_is_not_kept() {
    let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let server = serve(|stream| stream.write_all(answer).is_ok());
    let mut connector = server.connector(LONG);
    assert_eq!(connector.exchange(b"x"), Ok(Vec::new()));
    assert!(connector.idle.is_none());
}

#[test]
fn an_answer_cut_short_is_an_error_and_the_message_is_not_sent_again() {
    for cut in 0..ANSWER.len() {
        let mut first = true;
        let server = serve(move |stream| {
            let whole = !std::mem::take(&mut first);
            stream.write_all(if whole { ANSWER } else { &ANSWER[..cut] }).unwrap();
            whole
        });
        let mut connector = server.connector(LONG);
        no_answer(&connector.exchange(b"sign").unwrap_err(), &format!("closed after {cut} bytes"));
        assert_eq!(server.requests(), [b"sign"], "once");
        assert_eq!(connector.exchange(b"again"), Ok(BODY.to_vec()), "the next begins afresh");
    }
}

#[test]
fn a_server_that_never_answers_costs_the_deadline() {
    let server = serve(|_| true);
    let begin = Instant::now();
    no_answer(&server.connector(SHORT).exchange(b"x").unwrap_err(), "no answer within 150ms");
    assert!(begin.elapsed() >= SHORT && begin.elapsed() < LONG / 2);
}

#[test]
fn a_server_that_answers_drop_by_drop_costs_the_deadline_once() {
    let server = serve(|stream| {
        ANSWER.iter().cycle().all(|_| {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(b"H").is_ok()
        })
    });
    let begin = Instant::now();
    no_answer(&server.connector(SHORT).exchange(b"x").unwrap_err(), "no answer within 150ms");
    assert!(begin.elapsed() < LONG / 2);
}

#[test]
fn a_late_answer_is_not_taken_for_the_next_one() {
    let (send, sent) = mpsc::channel();
    let mut number = 0;
    let server = serve(move |stream| {
        number += 1;
        if number == 1 {
            sent.recv().unwrap();
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{number}");
        // The client has gone by then, the first time.
        let _ = stream.write_all(answer.as_bytes());
        true
    });
    let mut connector = server.connector(SHORT);
    connector.exchange(b"one").unwrap_err();
    send.send(()).unwrap();
    connector.deadline = LONG;
    assert_eq!(connector.exchange(b"two"), Ok(b"2".to_vec()));
}

#[test]
fn what_is_said_unasked_is_not_taken_for_an_answer() {
    let (said, is_said) = mpsc::channel();
    let mut first = true;
    let server = serve(move |stream| {
        stream.write_all(ANSWER).unwrap();
        if std::mem::take(&mut first) {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").unwrap();
            said.send(()).unwrap();
        }
        true
    });
    let mut connector = server.connector(LONG);
    assert_eq!(connector.exchange(b"x"), Ok(BODY.to_vec()));
    is_said.recv().unwrap();
    assert_eq!(connector.exchange(b"x"), Ok(BODY.to_vec()));
    assert_eq!(server.connections(), 2);
}

#[test]
fn an_endless_answer_is_given_up() {
    let server = serve(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        while stream.write_all(b"1\r\na\r\n").is_ok() {}
        false
    });
    no_answer(&server.connector(LONG).exchange(b"x").unwrap_err(), "longer than");
}

#[test]
fn where_nobody_listens_nothing_is_sent() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = HttpConnector::new("127.0.0.1".to_owned(), port, LONG).exchange(b"x").unwrap_err();
    assert!(matches!(error, ConnectorError::NotSent(_)), "{error:?}");
    assert!(error.to_string().starts_with(&format!("yubihsm-connector at 127.0.0.1:{port}: ")), "{error}");
    let error = HttpConnector::new("host.invalid".to_owned(), port, LONG).exchange(b"x").unwrap_err();
    assert!(matches!(error, ConnectorError::NotSent(_)), "{error:?}");
}
