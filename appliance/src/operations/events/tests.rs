use appliance_wire::{Entry, Event, RequestStatus, canonical};
use serde_json::{Value, json};

use super::*;

const POLICY: &str = r#"
version = 1

[[watcher]]
name = "w"
public_keys_sha256 = ["0000000000000000000000000000000000000000000000000000000000000001"]

[[watcher]]
name = "w-2"
public_keys_sha256 = ["0000000000000000000000000000000000000000000000000000000000000002"]

[[key]]
name = "raw"
algorithm = "secp256k1"
evidence = "blind"

[[key]]
name = "other"
algorithm = "secp256k1"
evidence = "blind"

[[rule]]
name = "its"
watchers = ["w"]
keys = ["raw"]
action = "sign"

[[rule]]
name = "theirs"
watchers = ["w-2"]
keys = ["other"]
action = "sign"

[[limit]]
name = "digests"
max_signatures = 100
window = "1h"
"#;

fn whose(watcher: &str) -> Whose {
    let policy = Policy::parse(POLICY).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let named = format!("\"watcher\":\"{watcher}\"");
    Whose { watcher: watcher.to_owned(), named, policy: Arc::new(policy) }
}

fn entry(body: Value) -> Entry {
    let mut entry = json!({ "index": 7, "time": "2026-11-21T11:58:03Z", "elapsed": 1, "policy": 1, "salt": "00" });
    entry.as_object_mut().unwrap().append(&mut body.as_object().unwrap().clone());
    serde_json::from_value(entry).unwrap()
}

/// What `watcher` is told of it.
fn told(watcher: &str, body: Value) -> Option<Event> {
    let (whose, entry) = (whose(watcher), entry(body));
    let bytes = canonical(&entry).unwrap();
    let event = whose.event(entry);
    assert!(event.is_none() || whose.may_concern(bytes.as_ref()), "an event is never passed over unread");
    event
}

#[test]
fn an_entry_is_told_to_its_watcher_alone() {
    let lapsed = |expired| {
        let about = json!({ "kind": "lapsed", "watcher": "w", "request_id": "a", "accepted": 3 });
        let mut lapsed = about.as_object().unwrap().clone();
        lapsed.extend([("reason".to_owned(), json!("late")), ("expired".to_owned(), json!(expired))]);
        Value::Object(lapsed)
    };
    let event = told("w", lapsed(true)).unwrap();
    assert_eq!((event.index, event.status, event.pending), (7, Some(RequestStatus::Expired), Some(3)));
    let event = told("w", lapsed(false)).unwrap();
    assert_eq!((event.status, event.pending), (Some(RequestStatus::Lapsed), None));
    assert_eq!(told("w-2", lapsed(true)), None);
    let lost = json!({ "kind": "recovered", "what": "request", "watcher": "w", "request_id": "a", "proven": [] });
    assert_eq!(told("w", lost.clone()).unwrap().kind, EventKind::Recovered);
    assert_eq!(told("w-2", lost), None, "read, for it may be about all, and not told");
    let log = json!({ "kind": "recovered", "what": "log", "by": "admin socket", "reason": "lost", "known": [] });
    assert_eq!(told("w-2", log).unwrap().request_id, None);
}

#[test]
fn a_freeze_is_told_to_those_it_stops() {
    let frozen = |kind: &str, scope: &str, name: &str| {
        let mut what = json!({ "scope": scope, "name": name });
        if scope == "all" {
            what.as_object_mut().unwrap().remove("name");
        }
        json!({ "kind": kind, "what": what, "by": "alice", "reason": "her words" })
    };
    for (scope, name, wanted) in [
        ("all", "", [true, true]),
        ("watcher", "w", [true, false]),
        ("key", "raw", [true, false]),
        ("key", "x", [false; 2]),
    ] {
        for kind in ["frozen", "unfrozen"] {
            let found = ["w", "w-2"].map(|watcher| told(watcher, frozen(kind, scope, name)));
            assert_eq!(found.each_ref().map(Option::is_some), wanted, "{scope} {name}");
            let text = json!(found).to_string();
            assert!(!text.contains("alice") && !text.contains("her words"), "{text}");
        }
    }
}
