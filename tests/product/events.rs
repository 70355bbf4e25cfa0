//! What a watcher is told of the log: pages, from anywhere on, of its own events and nobody else's.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::harness::{
    Installation,
    body::{digest, payment},
    eventually,
    installation::POLICY,
    long_log,
    officers::Officers,
    trial,
    watcher::Watcher,
};

mod program;
mod stream;

pub(crate) fn trials() -> Vec<Trial> {
    let pages = vec![
        trial("events::a_page_goes_on_where_the_last_one_ended_and_carries_no_signature", pages),
        trial("events::a_call_reads_so_many_entries_and_gives_so_many_events_and_no_more", bounded),
        trial("events::another_watchers_events_are_never_shown", of_others),
        trial("events::officers_decisions_are_told_with_their_number_and_not_with_their_names", approved),
        trial("events::what_is_frozen_gives_its_events_all_the_same", frozen),
    ];
    pages.into_iter().chain(stream::trials()).chain(program::trials()).collect()
}

const APPROVE: &str = r#"{ approve = 2, of = ["alice", "bob", "carol"], expires = "1h" }"#;

/// Keys `raw` and its like wait for two officers.
fn policy_of(officers: &Officers) -> String {
    let digests = "keys = [\"raw\", \"nist\", \"ed\"]\naction = ";
    officers.policy(&POLICY.replace(&format!("{digests}\"sign\""), &format!("{digests}{APPROVE}")))
}

/// All pages from `after` on.
fn all(watcher: &Watcher, after: Option<u64>) -> (Vec<Value>, u64) {
    let mut events = Vec::new();
    let mut query = after.map_or(String::new(), |after| format!("?after={after}"));
    loop {
        let page = watcher.get(&format!("/v1/events{query}")).good();
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        let next = page["next"].as_u64().unwrap();
        if page["more"] == false {
            return (events, next);
        }
        query = format!("?after={next}");
    }
}

/// One member of each event.
fn each<'a>(events: &'a [Value], member: &str) -> Vec<&'a str> {
    events.iter().map(|event| event[member].as_str().unwrap_or_default()).collect()
}

fn pages() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let (before, start) = all(&watcher, None);
    assert_eq!(before, [] as [Value; 0]);
    watcher.signed("a", payment(1, "0.1", "0.0001"));
    assert_eq!(watcher.refused("b", payment(2, "0.6", "0.0001")).code().unwrap().name(), "denied");
    let (events, next) = all(&watcher, Some(start));
    assert_eq!(each(&events, "kind"), ["accepted", "signed", "denied"]);
    assert_eq!(each(&events, "status"), ["accepted", "signed", ""]);
    assert_eq!(each(&events, "request_id"), ["a", "a", "b"]);
    assert_eq!((&events[0]["key"], &events[2]["code"]), (&json!("hot"), &json!("denied")));
    assert!(!events[2]["reason"].as_str().unwrap().is_empty());
    assert!(!watcher.get("/v1/events").json().to_string().contains("signature"));
    // By the log: the same entries, the same times.
    for event in &events {
        let entry = &installation.entries()[event["index"].as_u64().unwrap() as usize];
        assert_eq!((&entry["kind"], &entry["time"]), (&event["kind"], &event["time"]));
    }
    assert_eq!(next, installation.entries().len() as u64 - 1);
    assert_eq!(watcher.get(&format!("/v1/events?after={next}")).good()["events"], json!([]));
    let last = events[1]["index"].as_u64().unwrap();
    assert_eq!(each(&all(&watcher, Some(last)).0, "kind"), ["denied"], "`after` is left out itself");

    let beyond = watcher.get(&format!("/v1/events?after={}", next + 1)).problem();
    assert!(beyond.code().unwrap().name() == "not-found" && beyond.detail.contains("older copy"), "{beyond:?}");
    for bad in ["after=", "after=-1", "after=x", "since=1", "after=1&after=2", "after=18446744073709551616"] {
        assert_eq!(watcher.get(&format!("/v1/events?{bad}")).code(), "malformed", "{bad}");
    }
    assert_eq!(watcher.get(&format!("/v1/events?after={}", u64::MAX)).code(), "not-found");
    running.stop();
}

fn bounded() {
    let installation = Installation::with_second_watcher();
    long_log::grow(&installation, 21_000);
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let first = watcher.get("/v1/events?after=100").good();
    let indices: Vec<u64> =
        first["events"].as_array().unwrap().iter().map(|event| event["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, (101..=200).collect::<Vec<_>>());
    assert_eq!((&first["next"], &first["more"]), (&json!(200), &json!(true)));
    // Whoever none of this is about comes through it all the same, and with bounded steps.
    let second = Watcher::named(&installation, &running, "second");
    let page = second.get("/v1/events").good();
    assert_eq!(page, json!({ "events": [], "next": 9_999, "more": true }));
    let page = second.get("/v1/events?after=9999").good();
    assert_eq!((&page["next"], &page["more"]), (&json!(19_999), &json!(true)));
    let (events, next) = all(&second, Some(19_999));
    assert_eq!((events.len(), next + 1), (0, installation.entries().len() as u64));
    running.stop();
}

fn of_others() {
    let installation = Installation::with_second_watcher();
    let running = installation.start();
    let (watcher, second) = (Watcher::new(&installation, &running), Watcher::named(&installation, &running, "second"));
    watcher.signed("mine", digest("raw", 1));
    second.signed("theirs", digest("nist", 1));
    watcher.refused("mine", digest("raw", 2));
    let freeze = |what: &[&str]| installation.run("chancery", &[&["freeze", "--reason", "drill"], what].concat());
    freeze(&["--key", "raw"]);
    freeze(&["--key", "nist"]);
    freeze(&["--watcher", "second"]);
    installation.run("chancery", &["unfreeze", "--watcher", "second", "--reason", "drill over"]);
    freeze(&["--all"]);

    let own = all(&watcher, None).0;
    assert_eq!(each(&own, "kind"), ["accepted", "signed", "denied", "frozen", "frozen", "frozen"]);
    let frozen: Vec<&Value> = own[3..].iter().map(|event| &event["what"]).collect();
    let key = |name| json!({ "scope": "key", "name": name });
    assert_eq!(frozen, [&key("raw"), &key("nist"), &json!({ "scope": "all" })]);
    let theirs = all(&second, None).0;
    assert_eq!(each(&theirs, "kind"), ["accepted", "signed", "frozen", "frozen", "unfrozen", "frozen"]);
    assert_eq!(theirs[2]["what"], key("nist"), "not the key it may not use");
    assert!(!json!(own).to_string().contains("theirs") && !json!(theirs).to_string().contains("mine"));
    assert!(!json!(own).to_string().contains("second"));
    running.stop();
}

fn approved() {
    let officers = Officers::new();
    let installation = Installation::with_policy(&policy_of(&officers));
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let waits = |id: &str, number| watcher.put(id, digest("raw", number)).json()["entry"].to_string();
    let first = waits("a", 1);
    officers.act(&installation, &["approve", &first], &["bob"]);
    let approvals = |given| json!([{ "because": "rule \"digests\"", "given": given, "wanted": 2 }]);
    let events = all(&watcher, None).0;
    assert_eq!(each(&events, "kind"), ["pending", "approved"]);
    assert_eq!((&events[0]["approvals"], &events[1]["approvals"]), (&approvals(0), &approvals(1)));
    assert!(events[0]["waits_until"].as_str().unwrap().ends_with('Z'), "{}", events[0]);

    officers.act(&installation, &["approve", &first], &["alice"]);
    eventually("it is signed", || (all(&watcher, None).0.last()?["kind"] == "signed").then_some(()));
    let rejected = waits("b", 2);
    officers.act(&installation, &["reject", &rejected], &["carol"]);
    waits("c", 3);
    watcher.call("DELETE", "/v1/signatures/c", "").good();
    let events = all(&watcher, None).0;
    assert_eq!(
        each(&events, "kind"),
        ["pending", "approved", "approved", "accepted", "signed", "pending", "rejected", "pending", "withdrawn"]
    );
    // What it came to with each of them, and after the fact as at the time.
    assert_eq!(
        each(&events, "status"),
        ["pending", "pending", "pending", "accepted", "signed", "pending", "rejected", "pending", "withdrawn"]
    );
    assert_eq!((&events[1]["approvals"], &events[2]["approvals"]), (&approvals(1), &approvals(2)));
    assert!(events[..4].iter().all(|event| event["pending"] == events[0]["index"]), "{events:?}");
    let told = json!(events).to_string();
    assert!(["alice", "bob", "carol", "ssh-"].iter().all(|word| !told.contains(word)), "{told}");
    running.stop();
}

fn frozen() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", digest("raw", 1));
    watcher.call("POST", "/v1/freeze", r#"{"reason":"drill"}"#).good();
    assert_eq!(watcher.get("/v1/signatures/a").code(), "frozen");
    let answer = watcher.get("/v1/events");
    let events = answer.good()["events"].as_array().unwrap().clone();
    assert_eq!(each(&events, "kind"), ["accepted", "signed", "frozen"]);
    let signature = installation.entries().into_iter().find(|entry| entry["kind"] == "signed").unwrap();
    let signature = signature["signatures"][0]["signature"].as_str().unwrap().to_owned();
    assert!(!String::from_utf8_lossy(&answer.body).contains(&signature));
    running.stop();
}
