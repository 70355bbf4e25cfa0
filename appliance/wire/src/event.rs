//! What the watcher API tells of the log without being asked again and again: entries as a watcher's program needs them.

use hsm_types::KeyLabel;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;

use crate::{RequestId, RequestStatus, Scope};

/// Answer of `GET /v1/events`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventsAnswer {
    /// In the order of their index: at most 100. Those of a kind that a later version added are left out by who reads them.
    #[serde(deserialize_with = "known")]
    pub events: Vec<Event>,
    /// Index of the last entry looked at, also where it gave no event: what to pass as `after` next.
    pub next: u64,
    /// Whether the log goes on after that: ask again at once.
    pub more: bool,
}

/// An entry about one of the caller's requests, or about the caller. It never carries a signature.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Index of the entry.
    pub index: u64,
    /// Its wall time, RFC 3339, UTC.
    pub time: String,
    /// What happened.
    pub kind: EventKind,
    /// The request it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub request_id: Option<RequestId>,
    /// Where that request stands after it; absent where this changed nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RequestStatus>,
    /// Index of the entry with which it began to wait for officers, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<u64>,
    /// Until when it waits, RFC 3339 (`pending`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<String>,
    /// How many officers agreed, of how many: all of these are needed (`pending`, `approved`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<EventApprovals>,
    /// The request that takes its place (`withdrawn`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub replaced_by: Option<RequestId>,
    /// The problem code (`denied`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why, in one sentence (`denied`, `failed`, `lapsed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The key, or the key family, that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub key: Option<KeyLabel>,
    /// The children that were allocated (`addresses`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<EventChildren>,
    /// What the freeze covers (`frozen`, `unfrozen`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(schema_with = what))]
    pub what: Option<Scope>,
}

/// What happened: the kinds of entries that a watcher is told of. A later version may have more.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum EventKind {
    /// The request waits for officers.
    Pending,
    /// An officer agrees.
    Approved,
    /// An officer refuses: it has ended.
    Rejected,
    /// The watcher took it back.
    Withdrawn,
    /// It is charged and bound.
    Accepted,
    /// It is signed: `GET` gives the signatures.
    Signed,
    /// The token failed; it is tried again.
    Failed,
    /// It has ended unsigned.
    Lapsed,
    /// Officers set free what it held.
    Released,
    /// It was refused, and may be put again.
    Denied,
    /// The log goes on from an older copy; or, with `request_id`, a request that the copy did not know is bound again.
    Recovered,
    /// Children of a key were allocated.
    Addresses,
    /// A freeze began.
    Frozen,
    /// A freeze ended.
    Unfrozen,
}

/// How far the officers are whom one rule or limit asks for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventApprovals {
    /// The rule or limit.
    pub because: String,
    /// So many have agreed.
    pub given: u64,
    /// So many must.
    pub wanted: u64,
}

/// Children of a key, in a row.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventChildren {
    /// Index of the first.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// A [`Scope`] as it is written, for readers that know no enums with content.
#[cfg(feature = "openapi")]
fn what() -> utoipa::openapi::Object {
    use utoipa::openapi::{Object, Type};
    let scope = Object::builder().schema_type(Type::String).enum_values(Some(["all", "key", "watcher"]));
    let name = Object::builder().schema_type(Type::String).description(Some("Of the key or watcher."));
    Object::builder()
        .description(Some("What the freeze covers (`frozen`, `unfrozen`)."))
        .property("scope", scope)
        .property("name", name)
        .required("scope")
        .build()
}

impl Event {
    /// An event that says no more than that something happened: index and time are left to be set.
    #[must_use]
    pub fn new(kind: EventKind) -> Self {
        Self {
            index: 0,
            time: String::new(),
            kind,
            request_id: None,
            status: None,
            pending: None,
            waits_until: None,
            approvals: Vec::new(),
            replaced_by: None,
            code: None,
            reason: None,
            key: None,
            children: None,
            what: None,
        }
    }

    /// Reads one; none of a kind that a later version added.
    ///
    /// # Errors
    /// It is no event.
    pub fn read(value: Value) -> Result<Option<Self>, serde_json::Error> {
        match value.get("kind") {
            Some(kind @ Value::String(_)) if EventKind::deserialize(kind).is_err() => Ok(None),
            _ => serde_json::from_value(value).map(Some),
        }
    }
}

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Event>, D::Error> {
    let events = Vec::<Value>::deserialize(deserializer)?;
    events
        .into_iter()
        .filter_map(|event| Event::read(event).transpose())
        .collect::<Result<_, _>>()
        .map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_of_a_later_version_ends_no_older_watcher() {
        let event = |index: u64, kind: &str| json!({ "index": index, "time": "", "kind": kind, "duties": [] });
        let events = [event(1, "signed"), event(2, "sealed"), event(3, "frozen")];
        let page: EventsAnswer = serde_json::from_value(json!({ "events": events, "next": 3, "more": false })).unwrap();
        assert_eq!(page.events.iter().map(|event| event.index).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(Event::read(event(2, "sealed")).unwrap(), None);
        for bad in [json!({ "index": 1, "time": "" }), json!({ "index": 1, "time": "", "kind": 7 }), json!(1)] {
            assert!(Event::read(bad.clone()).is_err(), "{bad}");
            assert!(
                serde_json::from_value::<EventsAnswer>(json!({ "events": [bad], "next": 1, "more": false })).is_err()
            );
        }
    }
}
