//! Real TLS against a trivial router: who comes in, who is kept waiting, who is thrown out.

use std::{fs, time::Duration};

use axum::{extract::Request, routing::get};
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, unbounded_channel},
    },
    task::JoinHandle,
};

use super::*;
use crate::transport::{
    TlsFiles,
    answers::finished,
    testing::{Http2, Identity, Pki, connect, exchange, short, until_closed},
};

mod floods;
mod reload;
mod start;
mod streams;

const H1: &[&[u8]] = &[b"http/1.1"];
const GET: &[u8] = b"GET /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

struct Listener {
    pki: Pki,
    certificates: Arc<Certificates>,
    address: SocketAddr,
    events: UnboundedReceiver<Event>,
    /// A request for `/until-stop` has begun.
    begun: Arc<Notify>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listener {
    async fn start(limits: Limits) -> Self {
        Self::with(Pki::new(), None, limits).await
    }

    /// One with this revocation list.
    async fn with(pki: Pki, client_crl: Option<&str>, limits: Limits) -> Self {
        let client_crl = client_crl.map(|file| pki.directory.path().join(file));
        let certificates = Certificates::load(&TlsFiles { client_crl, ..pki.files() }).unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let https = Https::bind(address, Arc::clone(&certificates), limits).await.unwrap();
        let address = https.address();
        let (tell, events) = unbounded_channel();
        let stop = CancellationToken::new();
        let begun = Arc::new(Notify::new());
        let routes = Router::new()
            .route("/who", get(|request: Request| async move { spki_of(&request) }))
            .route("/good", get(|request: Request| async move { is_good(&request) }))
            .route("/large", get(|| async { vec![b'x'; 32 << 20] }))
            .route("/panic", get(broken))
            .route("/never", get(std::future::pending::<()>))
            .route("/empty", get(|| async {}))
            .route("/echo", get(streams::echo))
            .route("/flood", get(streams::flood))
            .route("/until-stop", get(until_stop(Arc::clone(&begun), stop.clone())));
        let router = finished(routes, |_| {});
        let tell = move |event| tell.send(event).unwrap_or_default();
        let task = tokio::spawn(https.serve_router(router, tell, stop.clone()));
        Self { pki, certificates, address, events, begun, stop, task }
    }

    async fn open(&self, identity: &Identity) -> TlsStream2 {
        connect(self.address, self.pki.client(Some(identity), H1)).await.unwrap()
    }

    fn client(&self) -> Identity {
        self.pki.issue(|_| {})
    }

    async fn next(&mut self) -> Event {
        self.events.recv().await.unwrap()
    }
}

async fn broken() {
    panic!("on purpose");
}

/// A handler that answers only once the listener has been told to stop.
fn until_stop(
    begun: Arc<Notify>,
    stop: CancellationToken,
) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = &'static str> + Send>> + Clone {
    move || {
        let (begun, stop) = (Arc::clone(&begun), stop.clone());
        Box::pin(async move {
            begun.notify_one();
            stop.cancelled().await;
            "finished"
        })
    }
}

type TlsStream2 = tokio_rustls::client::TlsStream<TcpStream>;

fn spki_of(request: &Request) -> String {
    hex::encode(request.extensions().get::<Peer>().unwrap().spki_sha256)
}

fn is_good(request: &Request) -> &'static str {
    if request.extensions().get::<Peer>().unwrap().certificate.is_still_good() { "good" } else { "bad" }
}

#[tokio::test]
async fn the_key_of_the_certificate_is_the_peer() {
    use sha2::Digest;

    let mut listener = Listener::start(Limits::default()).await;
    let identity = listener.client();
    let answer = exchange(listener.open(&identity).await, GET).await;
    let spki = hex::encode(sha2::Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&identity.key)));
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(&spki), "{answer}");
    assert_eq!([listener.next().await, listener.next().await], [Event::Opened, Event::Closed]);
}

#[tokio::test]
async fn a_resumed_session_is_the_same_peer() {
    let listener = Listener::start(Limits::default()).await;
    let client = listener.pki.client(Some(&listener.client()), H1);
    let mut full = connect(listener.address, client.clone()).await.unwrap();
    full.write_all(GET).await.unwrap();
    let first = until_closed(&mut full).await;
    let mut resumed = connect(listener.address, client).await.unwrap();
    assert_eq!(resumed.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    assert!(!resumed.get_ref().1.is_early_data_accepted());
    resumed.write_all(GET).await.unwrap();
    let second = until_closed(&mut resumed).await;
    assert_eq!(first.lines().last(), second.lines().last());
}

#[tokio::test]
async fn no_other_certificate_comes_in() {
    let mut listener = Listener::start(Limits::default()).await;
    let pki = &listener.pki;
    let mut huge = pki.issue(|_| {});
    huge.chain.extend((0..200).map(|_| huge.chain[0].clone()).collect::<Vec<_>>());
    let mut mismatch = pki.issue(|_| {});
    mismatch.key = rcgen::KeyPair::generate().unwrap();
    let strangers = [
        ("none", None),
        ("of another CA", Some(Pki::new().issue(|_| {}))),
        ("expired", Some(pki.issue_expired())),
        ("not valid yet", Some(pki.issue(|params| params.not_before = date_time_ymd(2999, 1, 1)))),
        (
            "a server's",
            Some(pki.issue(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])),
        ),
        ("beneath another leaf", Some(beneath_a_leaf(pki))),
        ("longer than a handshake may be", Some(huge)),
    ];
    for (what, identity) in strangers {
        let by_its_length = what.starts_with("longer");
        let why = if by_its_length { AuthFailure::Handshake } else { AuthFailure::Certificate };
        let client = listener.pki.client(identity.as_ref(), H1);
        // In TLS 1.3 the client learns of the refusal only when it reads.
        if let Ok(mut stream) = connect(listener.address, client).await {
            drop(stream.write_all(GET).await);
            assert_eq!(until_closed(&mut stream).await, "", "{what}");
        }
        assert_eq!(listener.next().await, Event::TurnedAway(why), "{what}");
    }
}

/// Signed by a leaf of the right CA, which is no CA.
fn beneath_a_leaf(pki: &Pki) -> Identity {
    let leaf = pki.issue(|_| {});
    let issuer = rcgen::Issuer::from_ca_cert_der(&leaf.chain[0], &leaf.key).unwrap();
    let mut identity = pki.issue(|_| {});
    let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let certificate = params.signed_by(&identity.key, &issuer).unwrap();
    identity.chain = vec![certificate.der().clone(), leaf.chain[0].clone()];
    identity
}

#[tokio::test]
async fn tls_1_2_is_not_spoken() {
    // A ClientHello of version 1.2 with ECDHE-ECDSA-AES128-GCM, curves and signature schemes, without supported_versions.
    let mut hello = vec![0x03, 0x03];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let extensions = [0, 10, 0, 4, 0, 2, 0, 0x17, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3];
    hello.extend([0, extensions.len() as u8]);
    hello.extend(extensions);
    let mut record = vec![22, 3, 1, 0, (hello.len() + 4) as u8, 1, 0, 0, hello.len() as u8];
    record.extend(hello);

    let mut listener = Listener::start(Limits::default()).await;
    let mut stream = TcpStream::connect(listener.address).await.unwrap();
    stream.write_all(&record).await.unwrap();
    let mut alert = Vec::new();
    stream.read_to_end(&mut alert).await.unwrap();
    assert_eq!(alert, [21, 3, 3, 0, 2, 2, 70], "fatal alert protocol_version");
    assert_eq!(listener.next().await, Event::TurnedAway(AuthFailure::Handshake));
}

#[tokio::test]
async fn http_2_carries_many_requests_on_one_connection() {
    let listener = Listener::start(Limits::default()).await;
    let client = listener.pki.client(Some(&listener.client()), &[b"h2", b"http/1.1"]);
    let mut http2 = Http2::open(connect(listener.address, client).await.unwrap()).await;
    for _ in 0..200 {
        assert_eq!(http2.get("/who").await.body.len(), 64);
    }
    assert_eq!(http2.get("/absent").await.problem(), "not-found");
    assert_eq!(http2.get("/panic").await.problem(), "internal");
    assert_eq!(http2.get("/who").await.body.len(), 64, "the connection outlives a panic");
}

#[tokio::test]
async fn a_handshake_that_says_nothing_is_ended() {
    let mut listener = Listener::start(short()).await;
    let mut silent = TcpStream::connect(listener.address).await.unwrap();
    assert_eq!(until_closed(&mut silent).await, "");
    assert_eq!(listener.next().await, Event::TurnedAway(AuthFailure::SlowHandshake));
}

#[tokio::test]
async fn handshakes_over_the_bound_are_closed_at_once() {
    let limits = Limits { handshake: Duration::from_secs(3600), ..short() };
    let mut listener = Listener::start(limits).await;
    let _first = TcpStream::connect(listener.address).await.unwrap();
    let _second = TcpStream::connect(listener.address).await.unwrap();
    let mut third = TcpStream::connect(listener.address).await.unwrap();
    assert_eq!(until_closed(&mut third).await, "");
    assert_eq!(listener.next().await, Event::TurnedAway(AuthFailure::TooManyConnections));
}

#[tokio::test]
async fn connections_over_the_bounds_are_closed_at_once() {
    let limits = Limits { idle: Duration::from_secs(3600), handshake: Duration::from_secs(3600), ..short() };
    let mut listener = Listener::start(limits).await;
    let (one, other) = (listener.client(), listener.client());
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(listener.open(&one).await);
        assert_eq!(listener.next().await, Event::Opened);
    }
    let mut fourth_of_one = listener.open(&one).await;
    assert_eq!(until_closed(&mut fourth_of_one).await, "");
    assert_eq!(listener.next().await, Event::TurnedAway(AuthFailure::TooManyOfOneKey));

    open.push(listener.open(&other).await);
    assert_eq!(listener.next().await, Event::Opened);
    let mut fifth = TcpStream::connect(listener.address).await.unwrap();
    assert_eq!(until_closed(&mut fifth).await, "");
    assert_eq!(listener.next().await, Event::TurnedAway(AuthFailure::TooManyConnections));

    drop(open.pop());
    assert_eq!(listener.next().await, Event::Closed);
    assert!(exchange(open.pop().unwrap(), GET).await.contains("200 OK"));
}

#[tokio::test]
async fn a_slow_header_ends_the_connection() {
    let mut listener = Listener::start(Limits { idle: Duration::from_secs(3600), ..short() }).await;
    let mut stream = listener.open(&listener.client()).await;
    assert_eq!(listener.next().await, Event::Opened);
    stream.write_all(b"GET /who HTTP/1.1\r\nhost: local").await.unwrap();
    assert!(!until_closed(&mut stream).await.contains("200"));
    assert_eq!(listener.next().await, Event::Closed);
}

#[tokio::test]
async fn one_byte_now_and_then_is_a_slow_header_too() {
    let mut listener = Listener::start(Limits { idle: Duration::from_secs(3600), ..short() }).await;
    let mut stream = listener.open(&listener.client()).await;
    assert_eq!(listener.next().await, Event::Opened);
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let drip = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while writer.write_all(b"G").await.is_ok() {
            tick.tick().await;
        }
        std::future::pending::<String>().await
    };
    let answer = tokio::select! { answer = until_closed(&mut reader) => answer, answer = drip => answer };
    assert!(!answer.contains("200"));
    assert_eq!(listener.next().await, Event::Closed);
}

#[tokio::test]
async fn between_requests_the_header_clock_stands_still() {
    let limits = Limits { idle: Duration::from_secs(3600), header: Duration::from_millis(50), ..short() };
    let mut listener = Listener::start(limits).await;
    let mut stream = listener.open(&listener.client()).await;
    assert_eq!(listener.next().await, Event::Opened);
    for _ in 0..2 {
        stream.write_all(b"GET /empty HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
        // Longer than `header`: what is measured is that nothing happens meanwhile.
        let ended = timeout(Duration::from_millis(150), listener.next()).await;
        assert!(ended.is_err(), "{ended:?}");
    }
}

#[tokio::test]
async fn a_header_has_at_most_16_kib_in_64_fields() {
    let listener = Listener::start(Limits::default()).await;
    let client = listener.client();
    let get = |headers: String| format!("GET /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    for (headers, status) in [
        ("a: b\r\n".repeat(60), "200"),
        ("a: b\r\n".repeat(70), "431"),
        (format!("a: {}\r\n", "b".repeat(10 << 10)), "200"),
        (format!("a: {}\r\n", "b".repeat(17 << 10)), "431"),
    ] {
        let answer = exchange(listener.open(&client).await, get(headers).as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn idle_connections_are_ended() {
    let mut listener = Listener::start(short()).await;
    let identity = listener.client();
    let mut silent = listener.open(&identity).await;
    assert_eq!(until_closed(&mut silent).await, "");
    let mut kept_alive = listener.open(&identity).await;
    kept_alive.write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(until_closed(&mut kept_alive).await.contains("200 OK"));
    let http2 = listener.pki.client(Some(&identity), &[b"h2"]);
    let mut silent = connect(listener.address, http2).await.unwrap();
    until_closed_bytes(&mut silent).await;
    for _ in 0..3 {
        assert_eq!([listener.next().await, listener.next().await], [Event::Opened, Event::Closed]);
    }
}

async fn until_closed_bytes(stream: &mut TlsStream2) {
    drop(stream.read_to_end(&mut Vec::new()).await);
}

#[tokio::test]
async fn a_request_that_never_ends_ends_its_connection() {
    let limits = Limits { request: Duration::from_millis(300), ..short() };
    let mut listener = Listener::start(limits).await;
    let mut stream = listener.open(&listener.client()).await;
    stream.write_all(b"GET /never HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(until_closed(&mut stream).await, "");
    assert_eq!([listener.next().await, listener.next().await], [Event::Opened, Event::Closed]);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_ended() {
    let limits = Limits { request: Duration::from_secs(3600), idle: Duration::from_secs(3600), ..short() };
    let mut listener = Listener::start(limits).await;
    let mut stream = listener.open(&listener.client()).await;
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_eq!([listener.next().await, listener.next().await], [Event::Opened, Event::Closed]);
}

#[tokio::test]
async fn a_stop_lets_requests_finish_and_accepts_no_more() {
    let mut listener = Listener::start(Limits::default()).await;
    let mut idle = listener.open(&listener.client()).await;
    let mut busy = listener.open(&listener.client()).await;
    assert_eq!([listener.next().await, listener.next().await], [Event::Opened; 2]);
    busy.write_all(b"GET /until-stop HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    listener.begun.notified().await;
    listener.stop.cancel();
    assert_eq!(until_closed(&mut idle).await, "");
    assert!(until_closed(&mut busy).await.ends_with("finished"));
    listener.task.await.unwrap();
    assert!(TcpStream::connect(listener.address).await.is_err());
}
