//! Events pushed: signed, in order, at least once.

use std::{collections::VecDeque, sync::Mutex, time::Duration};

use axum::{Router, body::Bytes, extract::State, routing::post};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{StatusCode, header::HeaderMap};
use tokio::sync::mpsc;

use super::*;
use crate::{WebhookConfig, journal::testing::order};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(60);

/// A message as it arrived.
#[derive(Debug)]
struct Taken {
    headers: HeaderMap,
    body: Bytes,
}

impl Taken {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn number(&self) -> u64 {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body["data"]["number"].as_u64().unwrap()
    }
}

type Answers = Arc<Mutex<VecDeque<u16>>>;

/// The exchange's backend: answers what it is told to, then 204.
struct Backend {
    url: String,
    taken: mpsc::UnboundedReceiver<Taken>,
    answers: Answers,
}

impl Backend {
    async fn start(answers: &[u16]) -> Self {
        let (tell, taken) = mpsc::unbounded_channel();
        let answers: Answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
        let routes = Router::new().route("/hook", post(take)).with_state((tell, Arc::clone(&answers)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, taken, answers }
    }

    async fn next(&mut self) -> Taken {
        timeout(PATIENCE, self.taken.recv()).await.unwrap().unwrap()
    }
}

async fn take(
    State((tell, answers)): State<(mpsc::UnboundedSender<Taken>, Answers)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let status = answers.lock().unwrap().pop_front().unwrap_or(204);
    tell.send(Taken { headers, body }).unwrap();
    StatusCode::from_u16(status).unwrap()
}

fn receiver(folder: &Path, url: &str) -> Receiver {
    private(&folder.join("secret"), &format!("whsec_{}\n", STANDARD.encode(SECRET)));
    let config = WebhookConfig { url: url.parse().unwrap(), secret_file: folder.join("secret"), ca: None };
    Receiver::new(&config).unwrap().with_first_pause(Duration::from_millis(5))
}

fn create(journal: &Journal, name: &str) {
    journal.create(&name.parse().unwrap(), "bitcoin", &order("1")).unwrap();
}

/// Until the receiver has taken the event of this number.
async fn taken(journal: &Journal, url: &str, number: u64) {
    let moved = async {
        while journal.cursor(url).unwrap() < number {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, moved).await.unwrap();
}

/// As anybody verifies it (Standard Webhooks 1.0), written a second time.
fn signature(message: &Taken) -> String {
    let key = hmac_sha256(SECRET);
    let (id, at) = (message.header("webhook-id"), message.header("webhook-timestamp"));
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &message.body].concat();
    format!("v1,{}", STANDARD.encode(key(&signed)))
}

/// HMAC-SHA-256 (RFC 2104) of a key no longer than a block.
fn hmac_sha256(key: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};

    let pad = |byte: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ byte).collect() };
    let (inner, outer) = (pad(0x36), pad(0x5c));
    move |text| {
        let first = Sha256::new().chain_update(&inner).chain_update(text).finalize();
        Sha256::new().chain_update(&outer).chain_update(first).finalize().to_vec()
    }
}

#[tokio::test]
async fn events_are_told_in_order_and_anybody_with_the_secret_can_verify_them() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal")).unwrap();
    create(&journal, "wd-1");
    let mut backend = Backend::start(&[]).await;
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(receiver(folder.path(), &backend.url).deliver(journal.clone(), stopped));
    let first = backend.next().await;
    assert_eq!(first.header("webhook-id"), "event-1");
    assert_eq!(first.header("webhook-signature"), signature(&first));
    assert_eq!(first.header("content-type"), "application/json");
    let age = jiff::Timestamp::now().as_second() - first.header("webhook-timestamp").parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
    let body: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!((&body["type"], &body["data"]["withdrawal"]["id"]), (&json!("withdrawal.created"), &json!("wd-1")));
    create(&journal, "wd-2");
    create(&journal, "wd-3");
    assert_eq!([backend.next().await.number(), backend.next().await.number()], [2, 3]);
}

#[tokio::test]
async fn what_was_refused_comes_again_before_anything_else_and_the_lag_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal")).unwrap();
    create(&journal, "wd-1");
    create(&journal, "wd-2");
    let mut backend = Backend::start(&[500; 3]).await;
    let receiver = receiver(folder.path(), &backend.url);
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(receiver.clone().deliver(journal.clone(), stopped));
    for _ in 0..3 {
        assert_eq!(backend.next().await.number(), 1);
    }
    let view = receiver.view(&journal, 2).unwrap();
    assert_eq!((view.taken, view.behind), (0, 2));
    assert!(view.trouble.unwrap().contains("500"));
    assert_eq!([backend.next().await.number(), backend.next().await.number()], [1, 2]);
    taken(&journal, &backend.url, 2).await;
    backend.answers.lock().unwrap().extend([301, 204]);
    create(&journal, "wd-3");
    assert_eq!([backend.next().await.number(), backend.next().await.number()], [3, 3], "a redirect is no taking");
}

#[tokio::test]
async fn a_restart_goes_on_after_the_last_event_that_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal");
    let mut backend = Backend::start(&[204, 500]).await;
    let receiver = receiver(folder.path(), &backend.url);
    let journal = Journal::open(&file).unwrap();
    create(&journal, "wd-1");
    create(&journal, "wd-2");
    let (stop, stopped) = watch::channel(false);
    let first = tokio::spawn(receiver.clone().deliver(journal.clone(), stopped));
    assert_eq!([backend.next().await.number(), backend.next().await.number()], [1, 2]);
    backend.answers.lock().unwrap().extend([500; 10_000]);
    stop.send_replace(true);
    timeout(PATIENCE, first).await.unwrap().unwrap();
    drop(journal);

    backend.answers.lock().unwrap().clear();
    while backend.taken.try_recv().is_ok() {}
    let journal = Journal::open(&file).unwrap();
    assert_eq!(journal.cursor(&backend.url).unwrap(), 1);
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(receiver.deliver(journal, stopped));
    assert_eq!(backend.next().await.number(), 2);
}

#[test]
fn a_secret_that_others_read_or_that_is_too_short_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let config = WebhookConfig { url: "http://127.0.0.1:1/".parse().unwrap(), secret_file: file.clone(), ca: None };
    let refused = || Receiver::new(&config).unwrap_err().to_string();
    assert!(refused().contains("run.webhook.secret_file"));
    for text in ["whsec_c2hvcnQ=", &STANDARD.encode(SECRET), "whsec_***"] {
        private(&file, text);
        assert!(refused().contains("24 to 64 bytes"), "{text}");
    }
    private(&file, &format!("whsec_{}", STANDARD.encode(SECRET)));
    assert!(Receiver::new(&config).is_ok());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused().contains("chmod 600"));
}
