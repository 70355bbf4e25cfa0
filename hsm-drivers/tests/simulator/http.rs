//! The server: what a connector offers, what the controls do, and the faults only a connection can show.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use hsm_drivers::{
    simulator::{Fault, Options, Plan, Server},
    yubihsm2::protocol::{Command, Frame},
};
use libtest_mimic::Trial;

use crate::{trials_of, yubihsm_crate::serve};

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    trials_of(
        "http",
        &[
            ("a_connection_carries_many_requests", keep_alive),
            ("the_status_is_that_of_a_connector", status),
            ("there_are_no_controls_unless_asked_for", no_controls),
            ("faults_are_armed_listed_and_cleared_by_text", controls),
            ("a_response_comes_in_two_parts_split_at_any_byte", split),
            ("a_connection_is_closed_in_the_middle", closed),
            ("a_late_answer_is_late_and_a_hanging_one_never_comes", late),
            ("one_signature_at_a_time", serial),
        ],
    )
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn send(stream: &mut TcpStream, call: &str, body: &[u8]) {
    let head = format!("{call} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
}

/// Status line and body, of the length announced.
fn receive(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head.lines().next().unwrap().to_owned(), body)
}

fn call(stream: &mut TcpStream, call: &str, body: &[u8]) -> (String, Vec<u8>) {
    send(stream, call, body);
    receive(stream)
}

fn echo(text: &[u8]) -> Vec<u8> {
    Frame::command(Command::ECHO, text.to_vec()).encode()
}

fn answer(text: &[u8]) -> Vec<u8> {
    Frame::response(Command::ECHO, text.to_vec()).encode()
}

fn keep_alive() {
    let server = serve(Options::default());
    let mut stream = connect(&server);
    for number in 0..50_u8 {
        let (status, body) = call(&mut stream, "POST /connector/api", &echo(&[number]));
        assert_eq!((status.as_str(), body), ("HTTP/1.1 200 OK", answer(&[number])));
    }
}

fn status() {
    let server = serve(Options { serial: 42, ..Options::default() });
    let (_, body) = call(&mut connect(&server), "GET /connector/status", &[]);
    let body = String::from_utf8(body).unwrap();
    assert!(body.starts_with("status=OK\nserial=0000000042\nversion="), "{body}");
    let (status, _) = call(&mut connect(&server), "GET /", &[]);
    assert_eq!(status, "HTTP/1.1 404 Not Found");
}

fn no_controls() {
    let server = serve(Options::default());
    for path in ["POST /simulator/faults", "GET /simulator/faults", "GET /simulator/ca"] {
        assert_eq!(call(&mut connect(&server), path, b"hang").0, "HTTP/1.1 404 Not Found");
    }
    assert_eq!(server.faults().armed(), []);
}

fn controls() {
    let server = serve(Options { controls: true, ..Options::default() });
    let mut stream = connect(&server);
    let lines = b"hang on sign-ecdsa\n\nflip-bit 511 skip 1\n";
    assert_eq!(call(&mut stream, "POST /simulator/faults", lines).0, "HTTP/1.1 200 OK");
    let expected = [Plan::at(Fault::Hang, Command::SIGN_ECDSA), Plan { skip: 1, ..Plan::next(Fault::FlipBit(511)) }];
    assert_eq!(server.faults().armed(), expected);
    let (_, listed) = call(&mut stream, "GET /simulator/faults", &[]);
    assert_eq!(String::from_utf8(listed).unwrap().lines().count(), 2);
    assert_eq!(call(&mut stream, "POST /simulator/faults", b"delay 1\nnonsense").0, "HTTP/1.1 400 Bad Request");
    assert_eq!(server.faults().armed(), expected, "all lines or none");
    call(&mut stream, "DELETE /simulator/faults", &[]);
    assert_eq!(server.faults().armed(), []);
    assert_eq!(call(&mut stream, "GET /simulator/ca", &[]).1, server.ca_certificate());
}

fn split() {
    let server = serve(Options::default());
    let mut stream = connect(&server);
    let whole = {
        send(&mut stream, "POST /connector/api", &echo(b"hello"));
        let mut whole = vec![0; 1024];
        let count = stream.read(&mut whole).unwrap();
        whole.truncate(count);
        whole
    };
    for bytes in [1, 17, whole.len() - 8, whole.len() - 1] {
        server.faults().arm(Plan::next(Fault::SplitAfter { bytes }));
        send(&mut stream, "POST /connector/api", &echo(b"hello"));
        let mut first = vec![0; 1024];
        assert_eq!(stream.read(&mut first).unwrap(), bytes);
        let mut second = vec![0; whole.len() - bytes];
        stream.read_exact(&mut second).unwrap();
        assert_eq!([&first[..bytes], &second].concat(), whole);
    }
}

fn closed() {
    let server = serve(Options::default());
    for bytes in [0, 1, 60] {
        server.faults().arm(Plan::next(Fault::CloseAfter { bytes }));
        let mut stream = connect(&server);
        send(&mut stream, "POST /connector/api", &echo(b"hello"));
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert_eq!(received.len(), bytes);
    }
    assert_eq!(call(&mut connect(&server), "POST /connector/api", &echo(b"x")).1, answer(b"x"));
}

fn late() {
    let server = serve(Options::default());
    let begun = Instant::now();
    server.faults().arm(Plan::next(Fault::Delay { ms: 150 }));
    assert_eq!(call(&mut connect(&server), "POST /connector/api", &echo(b"x")).1, answer(b"x"));
    assert!(begun.elapsed() >= Duration::from_millis(150));
    server.faults().arm(Plan::next(Fault::Hang));
    let mut hanging = connect(&server);
    hanging.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    send(&mut hanging, "POST /connector/api", &echo(b"x"));
    let error = hanging.read(&mut [0]).unwrap_err();
    assert!([ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()), "{error}");
    assert_eq!(call(&mut connect(&server), "POST /connector/api", &echo(b"y")).1, answer(b"y"));
    // Dropped with a connection that hangs, the server ends still.
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

fn serial() {
    let time = Duration::from_millis(30);
    let server = serve(Options { signing_time: time, ..Options::default() });
    let administrator = crate::yubihsm_crate::administrator(&server);
    let label = yubihsm::object::Label::from_bytes(b"key").unwrap();
    let (domain, capability) = (yubihsm::Domain::DOM1, yubihsm::Capability::SIGN_ECDSA);
    let algorithm = yubihsm::asymmetric::Algorithm::EcK256;
    administrator.generate_asymmetric_key(5, label, domain, capability, algorithm).unwrap();
    let clients = [crate::yubihsm_crate::administrator(&server), administrator];
    let begun = Instant::now();
    thread::scope(|scope| {
        for client in &clients {
            scope.spawn(move || (0..3).for_each(|_| drop(client.sign_ecdsa_prehash_raw(5, vec![1; 32]).unwrap())));
        }
    });
    assert!(begun.elapsed() >= time * 6, "{:?}", begun.elapsed());
}
