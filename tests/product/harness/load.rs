//! Load: many connections at once, what they were answered, and an account of the log that uses no product code.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::ClientConfig;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    Installation, Running,
    body::{DESTINATION, OTHER_DESTINATION},
    wire::{self, Connection},
};

/// A policy whose limits are met within the first second.
pub(crate) const TIGHT: &str = r#"
version = 1

[[watcher]]
name = "btc-watcher"
public_keys_sha256 = ["WATCHER"]

[[asset]]
name = "BTC"
chain = "bitcoin-regtest"
decimals = 8

[[key]]
name = "hot"
algorithm = "secp256k1"
evidence = "declared"
assets = ["BTC"]
address_type = "p2wpkh"

[[rule]]
name = "customer withdrawals"
watchers = ["btc-watcher"]
keys = ["hot"]
asset = "BTC"
max_amount = "0.5"
max_fee = "0.001"
action = "sign"

[[limit]]
name = "a day"
keys = ["hot"]
asset = "BTC"
max_amount = "0.9"
window = "24h"

[[limit]]
name = "a moment"
keys = ["hot"]
asset = "BTC"
max_amount = "0.12"
window = "1s"

[[limit]]
name = "an hour"
keys = ["hot"]
max_signatures = 400
window = "1h"

[[limit]]
name = "one destination"
keys = ["hot"]
asset = "BTC"
max_amount = "0.5"
window = "12h"
per = "destination"
"#;

/// The limits of [`TIGHT`], as the account reads them.
pub(crate) const TIGHT_LIMITS: [Limit; 4] = [
    Limit { name: "a day", most: 90_000_000, window_ms: 24 * HOUR, of: Of::Amount },
    Limit { name: "a moment", most: 12_000_000, window_ms: 1_000, of: Of::Amount },
    Limit { name: "an hour", most: 400, window_ms: HOUR, of: Of::Signatures },
    Limit { name: "one destination", most: 50_000_000, window_ms: 12 * HOUR, of: Of::AmountToOneDestination },
];

const HOUR: u64 = 3_600_000;

pub(crate) const CLIENTS: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) most: u64,
    pub(crate) window_ms: u64,
    pub(crate) of: Of,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Of {
    Amount,
    AmountToOneDestination,
    Signatures,
}

/// What the clients did and were told, over every life of the appliance.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Every id ever put.
    pub(crate) put: BTreeSet<String>,
    /// Every 200, byte for byte.
    pub(crate) answered: BTreeMap<String, Vec<u8>>,
    /// Answers by what they were.
    pub(crate) told: BTreeMap<String, usize>,
    /// Ids whose second 200 was not their first.
    pub(crate) changed: Vec<String>,
}

pub(crate) type Shared = Arc<Mutex<Book>>;

impl Book {
    pub(crate) fn tell(&mut self, id: &str, answer: &wire::Answer) {
        let told = if answer.status == 200 { "200".to_owned() } else { format!("{} {}", answer.status, answer.code()) };
        *self.told.entry(told).or_default() += 1;
        if answer.status == 200 {
            let first = self.answered.entry(id.to_owned()).or_insert_with(|| answer.body.clone());
            if *first != answer.body {
                self.changed.push(id.to_owned());
            }
        }
    }

    pub(crate) fn count(&self, told: &str) -> usize {
        self.told.get(told).copied().unwrap_or(0)
    }
}

/// The one body of an id: amount, fee, destination and digest follow from it.
pub(crate) fn order(id: &str) -> Value {
    let number = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    // Some are more than a twentieth of the smallest limit.
    let amount = 100_000 + number % 700_000;
    let destination = if number & 1 == 0 { DESTINATION } else { OTHER_DESTINATION };
    json!({
        "items": [{ "key": "hot", "digest": format!("{number:064x}") }],
        "transfer": {
            "asset": "BTC", "fee": format!("0.{:08}", number % 1_000),
            "outputs": [{ "destination": destination, "amount": format!("0.{amount:08}") }],
        },
    })
}

pub(crate) async fn put(connection: &mut Connection, id: &str) -> std::io::Result<wire::Answer> {
    connection.request("PUT", &format!("/v1/signatures/{id}"), order(id).to_string().as_bytes()).await
}

/// Clients that put, again and again, six ids of their own and 24 that all of them share, until the connection ends.
pub(crate) fn clients(
    tasks: &mut JoinSet<()>,
    address: SocketAddr,
    tls: &Arc<ClientConfig>,
    round: &str,
    book: &Shared,
) {
    for client in 0..CLIENTS {
        let (tls, book, round) = (Arc::clone(tls), Arc::clone(book), round.to_owned());
        tasks.spawn(async move {
            let Ok(mut connection) = Connection::open(address, &tls).await else { return };
            for turn in 0_usize.. {
                let id = match turn % 3 {
                    2 => format!("{round}-all-{}", (turn / 3) % 24),
                    _ => format!("{round}-{client}-{}", turn % 8),
                };
                book.lock().unwrap().put.insert(id.clone());
                let Ok(answer) = put(&mut connection, &id).await else { return };
                book.lock().unwrap().tell(&id, &answer);
                if answer.status != 200 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        });
    }
}

/// Puts every id of the book again, until each is signed or refused by a limit. What the log has accepted must be
/// signed; what was answered must be answered the same.
pub(crate) async fn put_all_again(address: SocketAddr, tls: &Arc<ClientConfig>, book: &Shared, log: &[Value]) {
    let accepted: BTreeSet<String> = of_kind(log, "accepted").map(id_of).collect();
    let ids: Vec<String> = book.lock().unwrap().put.iter().cloned().collect();
    let mut tasks = JoinSet::new();
    for share in ids.chunks(ids.len().div_ceil(16).max(1)) {
        let (share, tls, book) = (share.to_vec(), Arc::clone(tls), Arc::clone(book));
        let must: BTreeSet<String> = share.iter().filter(|id| accepted.contains(*id)).cloned().collect();
        tasks.spawn(async move {
            let mut connection = Connection::open(address, &tls).await.unwrap();
            for id in share {
                let mut left = 100;
                let answer = loop {
                    let answer = put(&mut connection, &id).await.unwrap();
                    left -= 1;
                    if !matches!(answer.status, 202 | 503) || left == 0 {
                        break answer;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                };
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                let known = book.lock().unwrap().answered.contains_key(&id);
                if must.contains(&id) || known {
                    assert_eq!(answer.status, 200, "{id} was accepted, now: {text}");
                }
                assert!(matches!(answer.status, 200 | 403 | 429), "{id}: {text}");
                book.lock().unwrap().tell(&id, &answer);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// Complete lines of the log, read by nothing but a JSON parser.
pub(crate) fn log_of(installation: &Installation) -> Vec<Value> {
    let bytes = std::fs::read(installation.path("state/log.jsonl")).unwrap();
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    bytes[..end]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

pub(crate) fn of_kind<'a>(log: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    log.iter().filter(move |entry| entry["kind"] == kind)
}

pub(crate) fn id_of(entry: &Value) -> String {
    entry["request_id"].as_str().unwrap().to_owned()
}

/// Base units of a decimal with at most eight places.
pub(crate) fn units(decimal: &Value) -> u64 {
    let text = decimal.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= 8, "{text}");
    whole.parse::<u64>().unwrap() * 100_000_000 + format!("{part:0<8}").parse::<u64>().unwrap()
}

/// What one acceptance counts for: (scope, amount).
fn charges(accepted: &Value, of: Of) -> Vec<(String, u64)> {
    let payments = accepted["payments"].as_array().unwrap();
    let fee = accepted.get("fee").map_or(0, |fee| units(&fee["amount"]));
    match of {
        Of::Signatures => vec![(String::new(), accepted["items"].as_array().unwrap().len() as u64)],
        Of::Amount => {
            vec![(String::new(), fee + payments.iter().map(|payment| units(&payment["amount"])).sum::<u64>())]
        }
        Of::AmountToOneDestination => {
            let payment =
                |payment: &Value| (payment["destination"].as_str().unwrap().to_owned(), units(&payment["amount"]));
            payments.iter().map(payment).collect()
        }
    }
}

/// (service time, amount) of every acceptance, scope by scope.
pub(crate) fn spent(log: &[Value], of: Of) -> BTreeMap<String, Vec<(u64, u64)>> {
    let mut spent: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    for accepted in of_kind(log, "accepted") {
        for (scope, amount) in charges(accepted, of) {
            spent.entry(scope).or_default().push((accepted["elapsed"].as_u64().unwrap(), amount));
        }
    }
    spent
}

/// The most that any window of this length holds.
pub(crate) fn most_in_a_window(spent: &[(u64, u64)], window_ms: u64) -> u64 {
    let (mut first, mut sum, mut most) = (0, 0, 0);
    for (at, amount) in spent {
        sum += amount;
        while spent[first].0 + window_ms <= *at {
            sum -= spent[first].1;
            first += 1;
        }
        most = most.max(sum);
    }
    most
}

/// The promises about the log, from its JSON alone.
pub(crate) fn assert_account(log: &[Value], limits: &[Limit], book: &Book) {
    assert!(book.changed.is_empty(), "answered with other bytes than before: {:?}", book.changed);
    for (place, entry) in log.iter().enumerate() {
        assert_eq!(entry["index"], place, "the log has a gap");
    }
    let elapsed = |entry: &Value| entry["elapsed"].as_u64().unwrap();
    assert!(log.windows(2).all(|pair| elapsed(&pair[0]) <= elapsed(&pair[1])), "service time ran backwards");

    let mut accepted = BTreeMap::new();
    for entry in of_kind(log, "accepted") {
        let id = id_of(entry);
        assert_eq!(entry["items"], order(&id)["items"], "{id} was accepted with other digests");
        assert!(accepted.insert(id.clone(), entry["index"].clone()).is_none(), "{id} was accepted twice");
    }
    let mut signed = BTreeMap::new();
    for entry in of_kind(log, "signed") {
        let id = id_of(entry);
        assert_eq!(accepted.get(&id), Some(&entry["accepted"]), "{id} was signed, but not as it was accepted");
        assert_eq!(entry["signatures"][0]["digest"], order(&id)["items"][0]["digest"], "{id}");
        assert!(signed.insert(id.clone(), entry).is_none(), "{id} was signed twice");
    }
    for (id, body) in &book.answered {
        let answer: Value = serde_json::from_slice(body).unwrap();
        let entry = signed.get(id).unwrap_or_else(|| panic!("{id} was answered, and the log has no signature"));
        assert_eq!(answer["entry"], entry["index"], "{id}");
        assert_eq!(answer["signatures"][0]["signature"], entry["signatures"][0]["signature"], "{id}");
    }
    for limit in limits {
        for (scope, spent) in spent(log, limit.of) {
            let most = most_in_a_window(&spent, limit.window_ms);
            assert!(
                most <= limit.most,
                "limit {:?} {scope}: {most} in one window of at most {}",
                limit.name,
                limit.most
            );
        }
    }
}

/// What `/v1/limits` says must be what the log says, for limits no window of which has ended yet.
pub(crate) fn assert_limits_agree(answer: &Value, log: &[Value], limits: &[Limit]) {
    for limit in limits.iter().filter(|limit| limit.window_ms >= HOUR && limit.of != Of::AmountToOneDestination) {
        let lines = answer["limits"].as_array().unwrap();
        let line = lines.iter().find(|line| line["name"] == limit.name).unwrap();
        let percents = of_kind(log, "boot").filter_map(|boot| boot["unanchored_percent"].as_u64());
        let charged: u64 = percents.map(|percent| limit.most * percent / 100).sum();
        let sum = charged + spent(log, limit.of).values().flatten().map(|(_, amount)| amount).sum::<u64>();
        let used = if limit.of == Of::Signatures {
            line["used"].as_str().unwrap().parse().unwrap()
        } else {
            units(&line["used"])
        };
        assert_eq!(used, sum, "{line}");
    }
}

pub(crate) fn watcher_tls(installation: &Installation) -> Arc<ClientConfig> {
    wire::tls(&installation.path("pki"), Some("watcher"))
}

pub(crate) async fn get(running: &Running, tls: &Arc<ClientConfig>, path: &str) -> wire::Answer {
    Connection::open(running.watcher, tls).await.unwrap().request("GET", path, b"").await.unwrap()
}

/// A number from the environment: soak runs use larger ones.
pub(crate) fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

/// A generator of one's own, so that a failure can be repeated: splitmix64.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }
}
