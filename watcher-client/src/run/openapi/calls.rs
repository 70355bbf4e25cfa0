//! The calls of the daemon's API, as a table.

use serde_json::{Value, json};

use super::super::problem::ProblemCode::{self, *};

/// One call.
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [&'static str],
    pub(super) body: Option<&'static str>,
    /// Status, description and schema of each good answer.
    pub(super) answers: &'static [(u16, &'static str, &'static str)],
    pub(super) problems: &'static [&'static [ProblemCode]],
}

impl Call {
    /// What it is about: the name of a group in clients made from the document.
    pub(super) fn tag(&self) -> &'static str {
        self.path.strip_prefix("/v1/").and_then(|path| path.split('/').next()).unwrap_or("service")
    }
}

/// What every call can meet.
const ANY: &[ProblemCode] = &[Malformed, Unauthenticated, JournalUnavailable, NotReady, Internal];

const WITHDRAWAL: (u16, &str, &str) = (200, "The withdrawal as it is now.", "WithdrawalView");

const READ: Call =
    Call { method: "get", path: "", id: "", summary: "", query: &[], body: None, answers: &[], problems: &[ANY] };

pub(super) const CALLS: &[Call] = &[
    Call {
        method: "put",
        path: "/v1/withdrawals/{id}",
        id: "putWithdrawal",
        summary: "A withdrawal is wanted. The same id and content is the same withdrawal, for ever: put it again after a \
                  lost answer, never under another id.",
        body: Some("WithdrawalRequest"),
        answers: &[
            (201, "It is new, and recorded.", "WithdrawalView"),
            (200, "It was there, with the same content.", "WithdrawalView"),
        ],
        problems: &[ANY, &[UnknownChain, Conflict, TooLarge, Invalid]],
        ..READ
    },
    Call {
        path: "/v1/withdrawals/{id}",
        id: "getWithdrawal",
        summary: "A withdrawal with all its transactions and its history.",
        answers: &[WITHDRAWAL],
        problems: &[ANY, &[UnknownWithdrawal]],
        ..READ
    },
    Call {
        path: "/v1/withdrawals",
        id: "getWithdrawals",
        summary: "Withdrawals in the order of their ids, without their history.",
        query: &["chain", "state", "open", "after_id", "limit"],
        answers: &[(200, "A page; `next` is there where there may be more.", "WithdrawalsAnswer")],
        problems: &[ANY, &[UnknownChain]],
        ..READ
    },
    Call {
        method: "post",
        path: "/v1/withdrawals/{id}/bump",
        id: "bumpWithdrawal",
        summary: "Raises the fee, by a transaction in place of the last one: at most one of them is ever mined.",
        answers: &[WITHDRAWAL],
        problems: &[ANY, &[UnknownWithdrawal, NotPossible]],
        ..READ
    },
    Call {
        method: "post",
        path: "/v1/withdrawals/{id}/cancel",
        id: "cancelWithdrawal",
        summary: "Has it pay nobody, where it is not too late: at once where nothing was drafted, else by a transaction \
                  in place of the last one.",
        answers: &[WITHDRAWAL],
        problems: &[ANY, &[UnknownWithdrawal, NotPossible]],
        ..READ
    },
    Call {
        path: "/v1/withdrawals/{id}/export",
        id: "exportWithdrawal",
        summary: "The withdrawal with its transactions, to be signed or sent elsewhere.",
        answers: &[(200, "As `import` and `chancery-watcher withdrawal sign` take it.", "Exported")],
        problems: &[ANY, &[UnknownWithdrawal, NotPossible]],
        ..READ
    },
    Call {
        method: "post",
        path: "/v1/withdrawals/import",
        id: "importWithdrawal",
        summary: "Takes in a withdrawal that was signed elsewhere. Its signatures are verified.",
        body: Some("Exported"),
        answers: &[WITHDRAWAL],
        problems: &[ANY, &[UnknownChain, NotPossible, TooLarge]],
        ..READ
    },
    Call {
        path: "/v1/deposits",
        id: "getDeposits",
        summary: "Deposits by their last change, each once: what changed after the cursor comes again.",
        query: &["chain", "after", "limit"],
        answers: &[(200, "A page; `next` is what to pass as `after`.", "DepositsAnswer")],
        problems: &[ANY, &[UnknownChain]],
        ..READ
    },
    Call {
        path: "/v1/chains",
        id: "getChains",
        summary: "Where the watcher stands on each chain, and which webhooks lag.",
        answers: &[(200, "All of them.", "ChainsAnswer")],
        ..READ
    },
    Call {
        path: "/v1/chains/{chain}",
        id: "getChain",
        summary: "Where the watcher stands on a chain.",
        answers: &[(200, "The chain.", "ChainView")],
        problems: &[ANY, &[UnknownChain]],
        ..READ
    },
    Call {
        method: "post",
        path: "/v1/chains/{chain}/resume",
        id: "resumeChain",
        summary: "Goes on after an alarm: deposits and withdrawals after the last block that is still there are looked \
                  at again.",
        answers: &[(202, "Done at the chain's next step; `chain.resumed` tells.", "ChainView")],
        problems: &[ANY, &[UnknownChain, NotPossible]],
        ..READ
    },
    Call {
        method: "put",
        path: "/v1/chains/{chain}/addresses/{name}",
        id: "putAddress",
        summary: "Gives an address to a customer. The same name is the same address, for ever. Where all customers pay to \
                  one address, the name is the `memo` that they have to fill in.",
        answers: &[(200, "The address. Deposits to it, with the memo, carry the name as `assigned_to`.", "Assigned")],
        problems: &[ANY, &[UnknownChain, Invalid]],
        ..READ
    },
    Call {
        path: "/v1/chains/{chain}/addresses",
        id: "getAddresses",
        summary: "Addresses given out, in the order of their names.",
        query: &["after_name", "limit"],
        answers: &[(200, "A page; `next` is there where there may be more.", "AssignedAnswer")],
        problems: &[ANY, &[UnknownChain]],
        ..READ
    },
    Call {
        path: "/v1/events",
        id: "getEvents",
        summary: "Everything that happened, in one order: a page; or, to a client that upgrades to a WebSocket, each \
                  event as a text message, first those after `after`, then as they happen.",
        query: &["after", "limit"],
        answers: &[
            (200, "A page; `next` is what to pass as `after`.", "WatcherEventsAnswer"),
            (101, "A WebSocket. A reconnect goes on with the last number as `after`.", "Event"),
        ],
        problems: &[ANY, &[TooMany]],
        ..READ
    },
    Call {
        path: "/openapi.json",
        id: "getDocument",
        summary: "This document.",
        answers: &[(200, "OpenAPI 3.1.", "object")],
        problems: &[&[Unauthenticated]],
        ..READ
    },
    Call {
        path: "/healthz",
        id: "getHealth",
        summary: "Whether the listener lives; takes no token.",
        answers: &[(200, "`ok`", "text")],
        problems: &[],
        ..READ
    },
];

/// A withdrawal as a file. What else is in it is for the program that reads it.
pub(super) fn exported() -> Value {
    json!({
        "type": "object",
        "required": ["format", "withdrawal"],
        "properties": {
            "format": { "type": "string", "const": "chancery-withdrawal-1" },
            "withdrawal": { "type": "object", "additionalProperties": true, "description": "As the journal keeps it." },
        },
        "additionalProperties": true,
    })
}

/// A parameter of the path.
pub(super) fn in_path(name: &str) -> Value {
    let (description, schema, example) = match name {
        "id" => (
            "Of the exchange's choosing, and not `import`. In other calls than `PUT` also the watcher's own, such as \
             `sweep:bitcoin:7`.",
            json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$" }),
            "wd-1042",
        ),
        "name" => (
            "Of the exchange's choosing.",
            json!({ "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]*$" }),
            "customer-991",
        ),
        _ => ("The chain, by its name in the config.", json!({ "type": "string" }), "bitcoin"),
    };
    json!({
        "name": name, "in": "path", "required": true, "description": description, "schema": schema, "example": example,
    })
}

/// A parameter of the query.
pub(super) fn in_query(name: &str) -> Value {
    let number = json!({ "type": "integer", "format": "int64", "minimum": 0 });
    let text = json!({ "type": "string" });
    let (written, description, schema) = match name {
        "chain" => ("chain", "Of this chain only.", text),
        "state" => ("state", "In this state only.", json!({ "$ref": "#/components/schemas/WithdrawalState" })),
        "open" => ("open", "Those not settled only.", json!({ "type": "boolean" })),
        "after_id" => (
            "after",
            "The id before the first wanted.",
            json!({ "type": "string", "pattern": "^([A-Za-z0-9][A-Za-z0-9._-]{0,99}|(sweep|top-up):.*)$" }),
        ),
        "after_name" => ("after", "The name before the first wanted.", text),
        "after" => ("after", "The cursor before the first wanted; 0 from the beginning.", number),
        _ => ("limit", "At most so many.", json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 })),
    };
    json!({ "name": written, "in": "query", "required": false, "description": description, "schema": schema })
}
