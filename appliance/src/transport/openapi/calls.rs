//! The calls of the watcher API, as a table.

use appliance_wire::ProblemCode::{self, *};
use hsm_types::LAST_CHILD;
use serde_json::{Value, json};

/// One call.
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [&'static str],
    pub(super) body: Option<&'static str>,
    pub(super) answers: &'static [Answer],
    pub(super) problems: &'static [&'static [ProblemCode]],
}

impl Call {
    /// What it is about: the name of a group in clients made from the document.
    pub(super) fn tag(&self) -> &'static str {
        self.path.strip_prefix("/v1/").and_then(|path| path.split('/').next()).unwrap_or("service")
    }
}

/// One good answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) media_type: &'static str,
    pub(super) schema: &'static str,
}

/// What every call of a watcher can meet.
const ANY: &[ProblemCode] = &[Malformed, Unauthenticated, RateLimited, AuditLogUnavailable, Internal];

const SIGN: &[ProblemCode] = &[
    Denied,
    LimitExceeded,
    UnknownKey,
    UnknownRequest,
    RequestConflict,
    InputReserved,
    Expired,
    TooLarge,
    DigestMismatch,
    EvidenceRequired,
    EvidenceInvalid,
    Frozen,
    TokenUnavailable,
];

const fn ok(description: &'static str, schema: &'static str) -> Answer {
    Answer { status: 200, description, media_type: "application/json", schema }
}

const fn text(description: &'static str) -> Answer {
    Answer { status: 200, description, media_type: "text/plain", schema: "text" }
}

const STATES: &[Answer] = &[
    ok("The request's last state; with its signatures where it is `signed`.", "SignatureAnswer"),
    Answer {
        status: 202,
        description: "`pending` (waits for officers) or `accepted` (waits for the token): ask again.",
        media_type: "application/json",
        schema: "SignatureAnswer",
    },
];

const READ: Call =
    Call { method: "get", path: "", id: "", summary: "", parameters: &[], body: None, answers: &[], problems: &[ANY] };

pub(super) const CALLS: &[Call] = &[
    Call {
        method: "put",
        path: "/v1/signatures/{request_id}",
        id: "putSignatures",
        summary: "Request the signatures of one transaction. The same id and content answers the same bytes, for ever.",
        parameters: &["request_id"],
        body: Some("SignatureRequest"),
        answers: STATES,
        problems: &[ANY, SIGN],
    },
    Call {
        path: "/v1/signatures/{request_id}",
        id: "getSignatures",
        summary: "A request's state and result.",
        parameters: &["request_id"],
        answers: STATES,
        problems: &[ANY, &[UnknownRequest, Frozen]],
        ..READ
    },
    Call {
        method: "delete",
        path: "/v1/signatures/{request_id}",
        id: "deleteSignatures",
        summary: "Takes a request back that waits for officers.",
        parameters: &["request_id"],
        body: None,
        answers: STATES,
        problems: &[ANY, &[UnknownRequest, RequestConflict]],
    },
    Call {
        method: "post",
        path: "/v1/signatures/{request_id}/explain",
        id: "explainSignatures",
        summary: "What a PUT of the same body would come to now, rule by rule. Binds, spends and signs nothing.",
        parameters: &["request_id"],
        body: Some("SignatureRequest"),
        answers: &[ok("What would happen, and why.", "Explanation")],
        problems: &[ANY, &[UnknownKey, TooLarge, DigestMismatch, EvidenceRequired, EvidenceInvalid, Denied, Frozen]],
    },
    Call {
        path: "/v1/keys",
        id: "getKeys",
        summary: "The keys granted to the caller.",
        answers: &[ok("The keys.", "KeysAnswer")],
        ..READ
    },
    Call {
        path: "/v1/keys/{key}",
        id: "getKey",
        summary: "One granted key.",
        parameters: &["key"],
        answers: &[ok("The key.", "KeyAnswer")],
        problems: &[ANY, &[UnknownKey]],
        ..READ
    },
    Call {
        path: "/v1/keys/{key}/addresses",
        id: "getAddresses",
        summary: "Children of a key allocated before, at most 1000 at once.",
        parameters: &["key", "?after?"],
        answers: &[ok("Children in order.", "AddressesAnswer")],
        problems: &[ANY, &[UnknownKey]],
        ..READ
    },
    Call {
        method: "post",
        path: "/v1/keys/{key}/addresses",
        id: "postAddresses",
        summary: "The next children after one, allocated where they are not yet. With `after`, the same body gives the \
                  same addresses.",
        parameters: &["key"],
        body: Some("AddressesRequest"),
        answers: &[ok("Children in order.", "AddressesAnswer")],
        problems: &[ANY, &[UnknownKey, TooLarge, Frozen]],
    },
    Call {
        path: "/v1/limits",
        id: "getLimits",
        summary: "What is left in each window that applies to the caller.",
        answers: &[ok("The limits.", "LimitsAnswer")],
        ..READ
    },
    Call {
        path: "/v1/events",
        id: "getEvents",
        summary: "What happened to the caller's requests and to the caller, by index of the audit log: a page; or, to a client \
                  that upgrades to a WebSocket (HTTP/1.1), each event as a text message of its own, as it happens.",
        parameters: &["?after?entry"],
        answers: &[
            ok("A page: at most 100 events, from at most 10,000 entries.", "EventsAnswer"),
            Answer {
                status: 101,
                description: "A WebSocket. Each text message is an `Event`; closed with 1008 where the caller is no watcher \
                              any more. A reconnect goes on with the last index as `after`.",
                media_type: "application/json",
                schema: "Event",
            },
        ],
        problems: &[ANY, &[NotFound]],
        ..READ
    },
    Call {
        path: "/v1/log/checkpoint",
        id: "getCheckpoint",
        summary: "The newest checkpoint of the audit log.",
        answers: &[text("A C2SP tlog-checkpoint, signed by the log key.")],
        problems: &[ANY, &[TokenUnavailable]],
        ..READ
    },
    Call {
        path: "/v1/log/checkpoint/cosigned",
        id: "getCosignedCheckpoint",
        summary: "The newest checkpoint that witnesses cosigned, with their cosignatures (C2SP tlog-cosignature).",
        answers: &[text("A C2SP tlog-checkpoint, signed by the log key and cosigned by witnesses.")],
        problems: &[ANY, &[NotFound]],
        ..READ
    },
    Call {
        method: "post",
        path: "/v1/log/cosignatures",
        id: "postCosignatures",
        summary: "Hands over a checkpoint's note with cosignatures. Those of configured witnesses are verified and kept, \
                  others passed over.",
        body: Some("text"),
        answers: &[ok("The configured witnesses among them.", "CosignaturesAnswer")],
        problems: &[ANY, &[NotFound, TooLarge]],
        ..READ
    },
    Call {
        path: "/v1/log/entries/{index}",
        id: "getEntry",
        summary: "An entry of one of the caller's own requests.",
        parameters: &["index"],
        answers: &[ok("The entry's exact bytes.", "EntryAnswer")],
        problems: &[ANY, &[NotFound]],
        ..READ
    },
    Call {
        path: "/v1/log/proof/inclusion",
        id: "getInclusionProof",
        summary: "Proof that an entry is in the tree of a size.",
        parameters: &["?index", "?size"],
        answers: &[ok("Hashes in the order of RFC 9162.", "ProofAnswer")],
        problems: &[ANY, &[NotFound]],
        ..READ
    },
    Call {
        path: "/v1/log/proof/consistency",
        id: "getConsistencyProof",
        summary: "Proof that a tree begins with a smaller one.",
        parameters: &["?from", "?to"],
        answers: &[ok("Hashes in the order of RFC 9162.", "ProofAnswer")],
        problems: &[ANY, &[NotFound]],
        ..READ
    },
    Call {
        method: "post",
        path: "/v1/freeze",
        id: "postFreeze",
        summary: "The caller freezes itself; only officers can end it.",
        body: Some("FreezeRequest"),
        answers: &[ok("Frozen, and recorded.", "FreezeAnswer")],
        problems: &[ANY, &[TooLarge]],
        ..READ
    },
    Call {
        path: "/openapi.json",
        id: "getDocument",
        summary: "This document.",
        answers: &[ok("OpenAPI 3.1.", "object")],
        problems: &[&[Malformed, Unauthenticated, Internal]],
        ..READ
    },
    Call {
        path: "/healthz",
        id: "getHealth",
        summary: "Whether the listener lives: for any certificate of the CA, in the policy or not.",
        answers: &[text("`ok`")],
        problems: &[&[Internal]],
        ..READ
    },
];

/// A parameter by its name; of the query where that begins with `?`, and one that may be left out where a second follows,
/// with what tells it from its namesake.
pub(super) fn parameter(name: &str) -> Value {
    let number = json!({ "type": "integer", "format": "int64", "minimum": 0 });
    let (description, schema, example) = match name {
        "request_id" => (
            "Of the caller's choosing, unique among its requests.",
            json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$" }),
            json!("wd-1042"),
        ),
        "key" => (
            "Name of a key.",
            json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$" }),
            json!("btc-hot"),
        ),
        "?after?" => (
            "The child before the first wanted.",
            json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": LAST_CHILD }),
            json!(99),
        ),
        "?after?entry" => ("Index of the entry before the first wanted.", number, json!(1233)),
        "?size" => ("Number of entries of the tree.", number, json!(1240)),
        "?from" => ("Number of entries of the smaller tree.", number, json!(1200)),
        "?to" => ("Number of entries of the larger tree.", number, json!(1240)),
        _ => ("Index of an entry.", number, json!(1234)),
    };
    let place = if name.starts_with('?') { "query" } else { "path" };
    let parts: Vec<&str> = name.split('?').collect();
    json!({
        "name": parts.get(1).copied().unwrap_or(name),
        "in": place,
        "required": parts.len() < 3,
        "description": description,
        "schema": schema,
        "example": example,
    })
}

/// What holds of an item, in a form that makers of clients pass over: a `oneOf` would be two types to them.
pub(super) fn either_digest_or_message() -> Value {
    let there = |name: &str| json!({ "required": [name], "properties": { name: { "type": "string" } } });
    json!({
        "if": there("digest"),
        "then": { "properties": { "message": { "type": "null" } } },
        "else": there("message"),
    })
}

/// Answer of `POST /v1/log/cosignatures`.
pub(super) fn cosignatures_answer() -> Value {
    json!({
        "type": "object",
        "required": ["cosigned_by"],
        "properties": { "cosigned_by": {
            "type": "array",
            "items": { "type": "string" },
            "description": "By their names in the configuration.",
        } },
    })
}

/// Body of `POST /v1/freeze`.
pub(super) fn freeze_request() -> Value {
    json!({
        "type": "object",
        "required": ["reason"],
        "properties": { "reason": { "type": "string", "description": "For the people who will read the log." } },
        "additionalProperties": false,
    })
}

/// Its answer.
pub(super) fn freeze_answer() -> Value {
    json!({
        "type": "object",
        "required": ["state"],
        "properties": { "state": { "type": "string", "enum": ["frozen"] } },
    })
}
