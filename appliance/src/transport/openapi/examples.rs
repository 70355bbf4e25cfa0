//! One example of each body, and of each refusal.

use appliance_wire::{Problem, ProblemCode, Retry};
use serde_json::{Map, Value, json};

const DIGEST: &str = "4b0e8c1d6f0f3b6a1f0c5a7f9b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e";
const PUBLIC_KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const HASH: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const CHECKPOINT: &str = "exchange.example/signer-1/0123456789abcdef\n1240\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\
    \u{2014} exchange.example/signer-1/0123456789abcdef Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

/// The example of a schema by its name.
pub(super) fn of(schema: &str) -> Value {
    match schema {
        "SignatureRequest" => json!({
            "items": [{ "key": "btc-hot", "digest": DIGEST }],
            "transfer": {
                "asset": "BTC",
                "fee": "0.0000141",
                "outputs": [{
                    "destination": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
                    "amount": "0.1",
                    "reference": "customer-wd-991",
                }],
            },
            "expires_at": "2036-11-21T12:00:00Z",
        }),
        "SignatureAnswer" => signed(),
        "KeysAnswer" => json!({ "keys": [key()] }),
        "KeyAnswer" => key(),
        "AddressesRequest" => json!({ "count": 1, "after": 16 }),
        "AddressesAnswer" => json!({ "addresses": [{
            "key": "btc-vault/17",
            "child": 17,
            "public_key": PUBLIC_KEY,
            "address": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
        }] }),
        "Explanation" => explanation(),
        "LimitsAnswer" => json!({ "limits": [{
            "name": "hot wallet, a day",
            "window_seconds": 86400,
            "asset": "BTC",
            "max": "10",
            "used": "9.5",
            "remaining": "0.5",
            "frees_at": "2026-11-21T14:03:11Z",
        }] }),
        "EventsAnswer" => json!({ "events": [event()], "next": 1240, "more": false }),
        "Event" => event(),
        "EntryAnswer" => json!({ "index": 1234, "entry": "eyJpbmRleCI6MTIzNH0=" }),
        "ProofAnswer" => json!({ "proof": [HASH] }),
        "CosignaturesAnswer" => json!({ "cosigned_by": ["watcher-a"] }),
        "FreezeRequest" => json!({ "reason": "unexpected withdrawals since 11:40" }),
        "FreezeAnswer" => json!({ "state": "frozen" }),
        _ => json!(CHECKPOINT),
    }
}

fn event() -> Value {
    json!({
        "index": 1234,
        "time": "2026-11-21T11:58:03.120934Z",
        "kind": "approved",
        "request_id": "wd-1042",
        "status": "pending",
        "pending": 1229,
        "approvals": [{ "because": "rule \"customer withdrawals\"", "given": 1, "wanted": 2 }],
    })
}

fn explanation() -> Value {
    let destination = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    json!({
        "request_id": "wd-1042",
        "outcome": "refuse",
        "problem": Problem::new(ProblemCode::LimitExceeded, "limit \"hot wallet, a day\" has 0.5 BTC left in its window"),
        "amounts_verified": true,
        "payments": [{
            "paid": { "asset": "BTC", "amount": "0.6", "destination": destination },
            "rules": [
                { "rule": "sweep to cold storage", "matches": false, "reason": "the destination is not in its list" },
                { "rule": "customer withdrawals", "matches": true, "reason": "it signs" },
            ],
        }],
        "change": [],
        "fee": { "asset": "BTC", "amount": "0.0000141" },
        "limits": [{
            "limit": "hot wallet, a day", "asset": "BTC", "max": "10", "used": "9.5", "adds": "0.6000141", "fits": false,
        }],
        "holds": [{ "hold": format!("{DIGEST}:0"), "free": true }],
    })
}

fn signed() -> Value {
    json!({
        "request_id": "wd-1042",
        "status": "signed",
        "signatures": [{
            "key": "btc-hot",
            "digest": DIGEST,
            "signature": format!("{}{}", DIGEST, DIGEST),
            "recovery_id": 0,
            "der": format!("30440220{DIGEST}0220{DIGEST}"),
            "public_key": PUBLIC_KEY,
        }],
        "entry": 1234,
        "receipt": {
            "index": 1234,
            "entry": "eyJpbmRleCI6MTIzNH0=",
            "proof": [HASH],
            "checkpoint": CHECKPOINT,
        },
    })
}

fn key() -> Value {
    json!({
        "name": "btc-hot",
        "algorithm": "secp256k1",
        "public_key": PUBLIC_KEY,
        "address": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
        "evidence": "declared",
        "state": "active",
        "children": false,
    })
}

/// One problem document for each code, by its name.
pub(super) fn problems() -> Value {
    let example = |code: ProblemCode| (code.name().to_owned(), json!({ "value": problem(code) }));
    Value::Object(ProblemCode::ALL.into_iter().map(example).collect::<Map<_, _>>())
}

fn problem(code: ProblemCode) -> Problem {
    let mut problem = Problem::new(code, detail(code));
    if code == ProblemCode::Denied {
        problem.rule = Some("customer withdrawals".to_owned());
    }
    if code == ProblemCode::LimitExceeded {
        problem.limit = Some("hot wallet, a day".to_owned());
        problem.remaining = Some("0.5".to_owned());
        problem.frees_at = Some("2026-11-21T14:03:11Z".to_owned());
    }
    if matches!(code, ProblemCode::RequestConflict | ProblemCode::InputReserved) {
        problem.held_by = Some("wd-1041".to_owned());
    }
    let about_no_request = matches!(
        code,
        ProblemCode::Unauthenticated | ProblemCode::UnknownKey | ProblemCode::NotFound | ProblemCode::MethodNotAllowed
    );
    problem.request_id = (!about_no_request).then(|| "wd-1042".to_owned());
    problem
}

fn detail(code: ProblemCode) -> &'static str {
    match Problem::new(code, "").retry {
        Retry::Same => "wait as long as Retry-After says, then put the same request again",
        Retry::Later => "put it again when the circumstances have changed",
        Retry::Never => "send what the documentation of this call describes",
    }
}
