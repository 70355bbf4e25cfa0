//! One id and one content: one acceptance, one set of bytes, for ever.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::harness::{
    Installation,
    body::{DESTINATION, OTHER_DESTINATION, digest, digests, payment},
    eventually, trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("idempotency::sixty_four_identical_requests_at_once_are_one_request", identical_at_once),
        trial("idempotency::an_id_belongs_to_its_first_content_also_in_a_race", other_content),
        trial("idempotency::how_a_content_is_written_makes_no_difference", spellings),
        trial("idempotency::a_request_whose_client_left_after_its_acceptance_ends_signed", client_leaves),
        trial("idempotency::a_request_whose_client_left_at_once_is_whole_or_was_never_there", client_leaves_at_once),
        trial("idempotency::a_client_that_gives_up_over_http2_cuts_nothing_in_two", client_gives_up),
        trial("idempotency::a_reference_belongs_to_its_first_withdrawal_also_after_a_restart", references),
        trial("idempotency::what_one_watcher_asked_is_not_there_for_another", watchers_apart),
    ]
}

/// How many entries of each kind a request has.
fn kinds(installation: &Installation, watcher: &str, id: &str) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for entry in installation.entries() {
        if entry["request_id"] == id && entry["watcher"] == watcher {
            *kinds.entry(entry["kind"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    kinds
}

fn counted(kinds: &[(&str, usize)]) -> BTreeMap<String, usize> {
    kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

fn identical_at_once() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    // Often: what may go wrong is a moment between acceptance and signature.
    let mut requests: Vec<(String, Value)> =
        (0..12).map(|n| (format!("blind-{n}"), digests("raw", n..n + 8))).collect();
    requests.push(("declared".to_owned(), payment(1, "0.1", "0.0001")));
    for (id, body) in requests {
        let answers = watcher.put_at_once(vec![(id.clone(), body); 64]);
        let first = &answers[0];
        first.good();
        for answer in &answers {
            assert_eq!(answer.good(), first.json());
            assert_eq!(answer.body, first.body);
        }
        assert_eq!(kinds(&installation, "btc-watcher", &id), counted(&[("accepted", 1), ("signed", 1)]));
    }
    // Charged once.
    let limits = watcher.get("/v1/limits").good();
    let used = limits["limits"].as_array().unwrap().iter().find(|limit| limit["asset"] == "BTC").unwrap();
    assert_eq!(used["used"], "0.1001", "{limits}");
    running.stop();
    installation.assert_log_verifies();
}

fn other_content() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let first = watcher.put("a", digest("raw", 1));
    first.good();
    for other in [digest("raw", 2), digest("nist", 1), digests("raw", 1..3), payment(1, "0.1", "0")] {
        let problem = watcher.refused("a", &other);
        assert_eq!(problem.type_uri, "urn:chancery:problem:request-conflict", "{}", problem.detail);
        assert_eq!(problem.held_by.as_deref(), Some("a"));
        assert_eq!(problem.request_id.as_deref(), Some("a"));
    }
    assert_eq!(watcher.put("a", digest("raw", 1)).body, first.body);

    // Each content is put twice, all at once: one wins, for both who put it.
    let contents: Vec<Value> = (0..32).map(|number| digest("raw", 100 + number)).collect();
    let answers = watcher.put_at_once(contents.iter().chain(&contents).map(|body| ("race".to_owned(), body.clone())));
    let won: Vec<usize> = (0..64).filter(|place| answers[*place].status == 200).collect();
    assert_eq!(won.len(), 2, "{won:?}");
    assert_eq!(won[0] % 32, won[1] % 32);
    assert_eq!(answers[won[0]].body, answers[won[1]].body);
    let digest = &contents[won[0] % 32]["items"][0]["digest"];
    assert_eq!(&answers[won[0]].json()["signatures"][0]["digest"], digest);
    for (place, answer) in answers.iter().enumerate().filter(|(place, _)| !won.contains(place)) {
        let problem = answer.problem();
        assert_eq!(problem.type_uri, "urn:chancery:problem:request-conflict", "{place}");
        assert_eq!(problem.held_by.as_deref(), Some("race"));
    }
    let kinds = kinds(&installation, "btc-watcher", "race");
    assert_eq!((kinds["accepted"], kinds["signed"]), (1, 1));
    running.stop();
    installation.assert_log_verifies();
}

fn spellings() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let digest = "00ab".repeat(16);
    let plain = format!(
        r#"{{"items":[{{"key":"hot","digest":"{digest}"}}],"transfer":{{"asset":"BTC","fee":"0.0001","outputs":[{{"destination":"{DESTINATION}","amount":"0.1"}}]}}}}"#
    );
    let first = watcher.put("a", &plain);
    first.good();
    let odd = format!(
        r#"
        {{ "expires_at": "2020-01-01T00:00:00Z",
           "transfer": {{ "outputs": [ {{ "amount": "0.10000000", "destination": "{DESTINATION}" }} ],
                          "fee": "0.00010000", "asset": "BTC" }},
           "items": [ {{ "digest": "{}", "key": "\u0068ot" }} ] }}"#,
        digest.to_uppercase()
    );
    // Signed is signed: expires_at counts only before the token is asked.
    assert_eq!(watcher.put("a", odd).good(), first.json());
    for (from, to) in [(r#""0.1""#, r#""0.10000001""#), ("0.0001", "0.0002"), (DESTINATION, OTHER_DESTINATION)] {
        assert_eq!(watcher.put("a", plain.replace(from, to)).code(), "request-conflict", "{to}");
    }
    running.stop();
}

/// Puts 256 items and leaves: when `leave` says so, with nothing read of the answer.
fn put_and_leave(watcher: &Watcher, id: &str, body: &str, leave: impl FnOnce()) {
    watcher.block_on(async {
        let mut connection = watcher.connect().await;
        // What the server sends after the handshake is read; else closing would reset the connection.
        assert_eq!(connection.request("GET", "/healthz", b"").await.unwrap().status, 200);
        let length = body.len();
        let head = format!("PUT /v1/signatures/{id} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        connection.send((head + body).as_bytes()).await.unwrap();
        leave();
    });
}

fn client_leaves() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let body = digests("raw", 0..256).to_string();
    for id in ["a", "b", "c", "d"] {
        put_and_leave(&watcher, id, &body, || {
            let is_accepted = || kinds(&installation, "btc-watcher", id).contains_key("accepted").then_some(());
            eventually("it is accepted", is_accepted);
        });
        let answer = eventually(&format!("{id} is signed"), || {
            let answer = watcher.get(&format!("/v1/signatures/{id}"));
            (answer.status == 200).then(|| answer.json())
        });
        assert_eq!(answer["status"], "signed");
        assert_eq!(watcher.signed(id, &body)["signatures"], answer["signatures"]);
        assert_eq!(kinds(&installation, "btc-watcher", id), counted(&[("accepted", 1), ("signed", 1)]));
    }
    running.stop();
    installation.assert_log_verifies();
}

fn client_leaves_at_once() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let ids: Vec<String> = (0..20).map(|number| format!("left-{number}")).collect();
    let body = digest("raw", 1).to_string();
    for id in &ids {
        put_and_leave(&watcher, id, &body, || {});
    }
    // Requests under way are finished before it ends.
    running.stop();
    for id in &ids {
        let kinds = kinds(&installation, "btc-watcher", id);
        assert!(kinds.is_empty() || kinds == counted(&[("accepted", 1), ("signed", 1)]), "{id}: {kinds:?}");
    }
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    for id in &ids {
        watcher.signed(id, &body);
        assert_eq!(kinds(&installation, "btc-watcher", id), counted(&[("accepted", 1), ("signed", 1)]));
    }
    running.stop();
    installation.assert_log_verifies();
}

fn client_gives_up() {
    let installation = Installation::new();
    let running = installation.start();
    let client = installation.client(&running);
    crate::harness::block_on(async {
        client.keys().await.unwrap();
        for number in 0..20_u64 {
            let request = serde_json::from_value(digests("raw", 0..256)).unwrap();
            let id = format!("given-up-{number}").parse().unwrap();
            let patience = std::time::Duration::from_micros(500 * number);
            let _ = tokio::time::timeout(patience, client.sign(&id, &request)).await;
        }
    });
    let watcher = Watcher::new(&installation, &running);
    let mut accepted = 0;
    for number in 0..20 {
        let id = format!("given-up-{number}");
        let answer = watcher.signed(&id, digests("raw", 0..256));
        assert_eq!(answer["signatures"].as_array().unwrap().len(), 256);
        let kinds = kinds(&installation, "btc-watcher", &id);
        assert_eq!(kinds, counted(&[("accepted", 1), ("signed", 1)]), "{id}");
        accepted += kinds["accepted"];
    }
    assert_eq!(accepted, 20);
    running.stop();
    installation.assert_log_verifies();
}

fn references() {
    let installation = Installation::new();
    let paying = |number, destination: &str, amount: &str| {
        let mut body = payment(number, amount, "0");
        body["transfer"]["outputs"][0]["destination"] = json!(destination);
        body["transfer"]["outputs"][0]["reference"] = json!("customer-wd-991");
        body
    };
    let first = paying(1, DESTINATION, "0.1");
    let others = [
        paying(1, DESTINATION, "0.1"), // the same payout under a new id is what a reference is there to catch
        paying(2, DESTINATION, "0.1"),
        paying(2, DESTINATION, "0.2"),
        paying(2, OTHER_DESTINATION, "0.1"),
    ];
    let mut answer = None;
    for _ in 0..2 {
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        let again = watcher.signed("wd-1", &first);
        assert_eq!(answer.get_or_insert_with(|| again.clone()), &again);
        for other in &others {
            let problem = watcher.refused("wd-2", other);
            assert_eq!(problem.type_uri, "urn:chancery:problem:request-conflict", "{}", problem.detail);
            assert_eq!(problem.held_by.as_deref(), Some("wd-1"));
        }
        running.stop();
    }
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let answers = watcher.put_at_once((0..16).map(|number| {
        let mut body = payment(number, "0.01", "0");
        body["transfer"]["outputs"][0]["reference"] = json!("raced");
        (format!("race-{number}"), body)
    }));
    let (signed, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(signed.len(), 1);
    let winner = signed[0].json()["request_id"].as_str().unwrap().to_owned();
    assert!(refused.iter().all(|answer| answer.problem().held_by.as_ref() == Some(&winner)));
    running.stop();
    installation.assert_log_verifies();
}

fn watchers_apart() {
    let installation = Installation::with_second_watcher();
    let running = installation.start();
    let first = Watcher::new(&installation, &running);
    let second = Watcher::named(&installation, &running, "second");
    let answer = first.signed("a", digest("nist", 1));
    let index = &answer["entry"];

    assert_eq!(second.get("/v1/signatures/a").code(), "unknown-request");
    for index in [index.as_u64().unwrap(), index.as_u64().unwrap() - 1, 0, 1, 2] {
        let foreign = second.get(&format!("/v1/log/entries/{index}")).problem();
        assert_eq!(foreign.type_uri, "urn:chancery:problem:not-found");
        // An entry that does not exist is not told from one of another.
        let absent = second.get("/v1/log/entries/1000000").problem();
        assert_eq!(absent.detail.replace("1000000", "N"), foreign.detail.replace(&index.to_string(), "N"));
    }
    // An id is the watcher's own.
    let other = second.signed("a", digest("nist", 2));
    assert_ne!(other["signatures"], answer["signatures"]);
    assert_eq!(first.put("a", digest("nist", 1)).good(), answer);
    running.stop();
}
