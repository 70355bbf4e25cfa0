//! Answers of a signer with one key and one request.

use appliance_wire::{
    ItemSignature, KeyAnswer, KeysAnswer, LimitAnswer, LimitsAnswer, Problem, ProblemCode, RequestStatus,
    SignatureAnswer,
};
use hsm_types::Algorithm;

use super::{Seen, TestAnswer, TestLog, ecdsa_public_key, ecdsa_signature};

/// `btc-hot` with the key of a seed.
pub(crate) fn keys_answer(seed: u8) -> KeysAnswer {
    KeysAnswer {
        keys: vec![KeyAnswer {
            name: "btc-hot".to_owned(),
            algorithm: Algorithm::Secp256k1,
            public_key: ecdsa_public_key(seed).to_string(),
            address: None,
            evidence: "declared".to_owned(),
            state: "active".to_owned(),
            children: false,
            chain_code: None,
            attestation: Vec::new(),
        }],
    }
}

/// A signed request.
pub(crate) fn signed_answer(id: &str, entry: u64, signatures: Vec<ItemSignature>) -> SignatureAnswer {
    SignatureAnswer {
        request_id: id.to_owned(),
        status: RequestStatus::Signed,
        signatures: Some(signatures),
        entry: Some(entry),
        receipt: None,
    }
}

/// One limit, a quarter spent.
pub(crate) fn limits_answer() -> LimitsAnswer {
    let limit = LimitAnswer {
        name: "hot wallet, a day".to_owned(),
        window_seconds: 86_400,
        asset: Some("BTC".to_owned()),
        max: "10".to_owned(),
        used: "2.5".to_owned(),
        remaining: "7.5".to_owned(),
        frees_at: None,
    };
    LimitsAnswer { limits: vec![limit] }
}

/// A signer that signed `wd-1` in entry 5 of `log`, of which the receipt is there once the log is longer.
pub(crate) fn serve_log(seen: &Seen, log: &TestLog) -> TestAnswer {
    let answer = || signed_answer("wd-1", 5, vec![ecdsa_signature(1, "btc-hot", [3; 32])]);
    match seen.line.split_once('?').unwrap_or((&seen.line, "")) {
        ("GET /v1/log/checkpoint", _) => TestAnswer::Body(200, log.head().note().to_owned()),
        ("GET /v1/log/proof/consistency", query) => proof(query, log, |from, to| log.consistency(from, to)),
        ("GET /v1/log/proof/inclusion", query) => proof(query, log, |index, size| log.inclusion(index, size)),
        ("POST /v1/log/cosignatures", _) => TestAnswer::Body(200, "{}".to_owned()),
        ("GET /v1/keys", _) => TestAnswer::json(&keys_answer(1)),
        ("GET /v1/limits", _) => TestAnswer::json(&limits_answer()),
        ("PUT /v1/signatures/wd-1", _) => TestAnswer::json(&answer()),
        ("GET /v1/signatures/wd-1", _) => {
            let receipt = (log.head().size() > 5).then(|| log.receipt(5));
            TestAnswer::json(&SignatureAnswer { receipt, ..answer() })
        }
        ("POST /v1/freeze", _) => TestAnswer::Body(204, String::new()),
        (other, _) => panic!("{other}"),
    }
}

/// A proof between the two numbers of a query, where the log is long enough.
fn proof(query: &str, log: &TestLog, prove: impl Fn(u64, u64) -> Vec<String>) -> TestAnswer {
    let number = |part: &str| part.split_once('=').unwrap().1.parse().unwrap();
    let (first, second) = query.split_once('&').map(|(first, second)| (number(first), number(second))).unwrap();
    if second > log.head().size() {
        return TestAnswer::Problem(Box::new(Problem::new(ProblemCode::Malformed, "there is no such proof")));
    }
    TestAnswer::json(&serde_json::json!({ "proof": prove(first, second) }))
}
