//! Requests that go on and on while a token misbehaves, and a judge of every answer that uses no product code.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustls::ClientConfig;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::harness::{
    Installation, Running,
    body::{digest, message},
    load::{self, number},
    wire::{Answer, Connection},
};

/// One for each algorithm.
pub(crate) const KEYS: [&str; 3] = ["raw", "nist", "ed"];

/// Of each client after each answer.
const PAUSE: Duration = Duration::from_millis(40);

const SAMPLE: usize = 16;

pub(crate) struct Traffic {
    runtime: Runtime,
    tls: Arc<ClientConfig>,
    address: SocketAddr,
    judge: Arc<Judge>,
    ended: Arc<AtomicBool>,
}

/// Knows the public keys and what each id was answered first.
#[derive(Debug)]
pub(crate) struct Judge {
    keys: BTreeMap<&'static str, Vec<u8>>,
    put: Mutex<BTreeMap<String, Value>>,
    answered: Mutex<BTreeMap<String, Vec<u8>>>,
    /// What was wrong.
    pub(crate) wrong: Mutex<Vec<String>>,
}

impl Traffic {
    /// Two clients for each key, whose ids begin so. The public keys are those the appliance has before anything goes wrong.
    pub(crate) fn start(installation: &Installation, running: &Running, ids: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let tls = load::watcher_tls(installation);
        let listed = runtime.block_on(load::get(running, &tls, "/v1/keys")).json();
        let public_key = |name: &str| {
            let key = listed["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
            hex::decode(key["public_key"].as_str().unwrap()).unwrap()
        };
        let judge = Arc::new(Judge {
            keys: KEYS.map(|key| (key, public_key(key))).into(),
            put: Mutex::default(),
            answered: Mutex::default(),
            wrong: Mutex::default(),
        });
        let traffic = Self { runtime, tls, address: running.watcher, judge, ended: Arc::default() };
        for client in 0..2 * KEYS.len() {
            traffic.spawn(client, format!("{ids}-load-{client}"));
        }
        traffic
    }

    fn spawn(&self, client: usize, ids: String) {
        let (tls, judge, ended, address) =
            (Arc::clone(&self.tls), Arc::clone(&self.judge), Arc::clone(&self.ended), self.address);
        self.runtime.spawn(async move {
            let mut connection = Connection::open(address, &tls).await.unwrap();
            for turn in 0_u64.. {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let id = format!("{ids}-{turn}");
                if judge.put(&mut connection, &id, KEYS[client % KEYS.len()]).await.is_none() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// One request with each key: whether all of them were signed.
    pub(crate) fn each_key_signs(&self, id: &str) -> bool {
        self.runtime.block_on(async {
            let mut connection = Connection::open(self.address, &self.tls).await.unwrap();
            for key in KEYS {
                let answer = self.judge.put(&mut connection, &format!("{id}-{key}"), key).await.unwrap();
                if answer.status != 200 {
                    return false;
                }
            }
            true
        })
    }

    pub(crate) fn wrong(&self) -> Vec<String> {
        self.judge.wrong.lock().unwrap().clone()
    }

    /// No new requests; then one id in [`SAMPLE`] is put again, and must be signed, with the bytes it was answered before.
    /// The ids that were answered.
    pub(crate) fn end(self) -> BTreeSet<String> {
        self.ended.store(true, Ordering::SeqCst);
        let put = self.judge.put.lock().unwrap().clone();
        self.runtime.block_on(async {
            let mut connection = Connection::open(self.address, &self.tls).await.unwrap();
            for (id, body) in put.iter().step_by(SAMPLE) {
                let mut left = 100;
                while self.judge.put(&mut connection, id, key_of(body)).await.unwrap().status != 200 {
                    left -= 1;
                    assert!(left > 0, "{id} is not signed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
        assert_eq!(self.wrong(), Vec::<String>::new());
        let answered = self.judge.answered.lock().unwrap();
        answered.keys().cloned().collect()
    }

    pub(crate) fn judge(&self) -> &Judge {
        &self.judge
    }
}

fn key_of(body: &Value) -> &'static str {
    KEYS.into_iter().find(|key| body["items"][0]["key"] == *key).unwrap()
}

impl Judge {
    /// Puts the request of this id, always the same, and judges the answer; none where the connection ended.
    async fn put(&self, connection: &mut Connection, id: &str, key: &'static str) -> Option<Answer> {
        let number = id.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
        let body = if key == "ed" { message(&number.to_be_bytes()) } else { digest(key, number) };
        self.put.lock().unwrap().insert(id.to_owned(), body.clone());
        let sent = connection.request("PUT", &format!("/v1/signatures/{id}"), body.to_string().as_bytes()).await;
        let Ok(answer) = sent else {
            self.wrong.lock().unwrap().push(format!("{id}: the connection ended"));
            return None;
        };
        if let Err(why) = self.judge(id, key, &body, &answer) {
            self.wrong.lock().unwrap().push(format!("{id}: {why}: {}", String::from_utf8_lossy(&answer.body)));
        }
        Some(answer)
    }

    fn judge(&self, id: &str, key: &str, body: &Value, answer: &Answer) -> Result<(), String> {
        match answer.status {
            200 => {
                let first = self.answered.lock().unwrap().entry(id.to_owned()).or_insert(answer.body.clone()).clone();
                if first != answer.body {
                    return Err("other bytes than before".to_owned());
                }
                let signature = answer.json()["signatures"][0]["signature"].as_str().unwrap().to_owned();
                verify(key, &self.keys[key], &body["items"][0], &hex::decode(signature).unwrap())
            }
            202 if answer.json()["status"] == "accepted" && answer.header("retry-after").is_some() => Ok(()),
            503 if answer.code() == "token-unavailable" && answer.header("retry-after").is_some() => Ok(()),
            status => Err(format!("answered {status}")),
        }
    }
}

fn verify(key: &str, public_key: &[u8], item: &Value, signature: &[u8]) -> Result<(), String> {
    let bytes = |name: &str| hex::decode(item[name].as_str().unwrap()).unwrap();
    let verified = match key {
        "raw" => verify_secp256k1(public_key, &bytes("digest"), signature),
        "nist" => verify_p256(public_key, &bytes("digest"), signature),
        _ => {
            let key = ed25519_dalek::VerifyingKey::from_bytes(public_key.try_into().unwrap()).unwrap();
            let signature = ed25519_dalek::Signature::from_slice(signature);
            signature.is_ok_and(|signature| key.verify_strict(&bytes("message"), &signature).is_ok())
        }
    };
    if verified { Ok(()) } else { Err("RELEASED, AND IT DOES NOT VERIFY".to_owned()) }
}

fn verify_secp256k1(public_key: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    use k256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
    let key = VerifyingKey::from_sec1_bytes(public_key).unwrap();
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    signature.normalize_s().is_none() && key.verify_prehash(digest, &signature).is_ok()
}

fn verify_p256(public_key: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    use p256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
    let key = VerifyingKey::from_sec1_bytes(public_key).unwrap();
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    signature.normalize_s().is_none() && key.verify_prehash(digest, &signature).is_ok()
}

/// The log: each id that was accepted was accepted once and signed once, and so was each that was answered.
pub(crate) fn assert_bound_once(installation: &Installation, answered: &BTreeSet<String>) {
    let log = load::log_of(installation);
    let [accepted, signed] = ["accepted", "signed"].map(|kind| {
        let ids: Vec<String> = load::of_kind(&log, kind).map(load::id_of).collect();
        let once: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(ids.len(), once.len(), "{kind} twice");
        once
    });
    assert_eq!(accepted, signed);
    assert!(!answered.is_empty() && answered.is_subset(&signed));
}

/// How many faults to bring about.
pub(crate) fn count() -> usize {
    number("FAULTS", 150)
}
