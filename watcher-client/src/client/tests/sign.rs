//! Putting requests: what is asked again, and what of an answer is believed.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::testing::child_signature;

/// Answers the keys, and the `PUT`s by `puts`, which gets their count from 0.
async fn signer(puts: impl Fn(usize) -> TestAnswer + Send + Sync + 'static) -> Pair {
    let count = AtomicUsize::new(0);
    Pair::start(move |seen| match seen.line.as_str() {
        "GET /v1/keys" => TestAnswer::json(&keys_answer(1)),
        "PUT /v1/signatures/wd-1" => puts(count.fetch_add(1, Ordering::SeqCst)),
        other => panic!("{other}"),
    })
    .await
}

async fn assert_not_believed(answer: SignatureAnswer, wanted: &str) {
    let pair = signer(move |_| TestAnswer::json(&answer)).await;
    let error = pair.client.sign(&id(), &request(&[[3; 32]])).await.unwrap_err();
    assert!(matches!(error, Error::NotVerified { .. } | Error::KeyChanged { .. }), "{error}");
    assert!(error.to_string().contains(wanted), "{wanted}: {error}");
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_with_the_same_bytes() {
    let pair = signer(|count| match count {
        0 | 1 => TestAnswer::Nothing,
        _ => TestAnswer::json(&signed(vec![ecdsa_signature(1, "btc-hot", [3; 32])])),
    })
    .await;
    let answer = pair.client.sign(&id(), &request(&[[3; 32]])).await.unwrap();
    assert_eq!(answer.status, RequestStatus::Signed);
    let puts = pair.server.seen("PUT");
    assert_eq!(puts.len(), 3);
    assert!(puts.iter().all(|put| *put == puts[0]), "{puts:?}");
    assert_eq!(pair.server.seen("GET /v1/keys").len(), 1);
}

#[tokio::test]
async fn an_outage_is_waited_out_as_long_as_it_says() {
    let pair = signer(|count| match count {
        0 => {
            let mut problem = Problem::new(ProblemCode::TokenUnavailable, "wait");
            problem.retry_after_s = Some(1);
            TestAnswer::Problem(Box::new(problem))
        }
        1 => {
            let answer = SignatureAnswer { status: RequestStatus::Accepted, signatures: None, ..signed(Vec::new()) };
            TestAnswer::Later(202, serde_json::to_string(&answer).unwrap(), 1)
        }
        _ => TestAnswer::json(&signed(vec![ecdsa_signature(1, "btc-hot", [3; 32])])),
    })
    .await;
    let start = Instant::now();
    pair.client.sign(&id(), &request(&[[3; 32]])).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert_eq!(pair.server.seen("PUT").len(), 3);
}

#[tokio::test]
async fn a_denial_is_told_at_once_and_not_asked_again() {
    let pair = signer(|_| {
        let mut problem = Problem::new(ProblemCode::Denied, "Ask an officer.");
        problem.rule = Some("customer withdrawals".to_owned());
        TestAnswer::Problem(Box::new(problem))
    })
    .await;
    let error = pair.client.sign(&id(), &request(&[[3; 32]])).await.unwrap_err();
    assert_eq!(error.problem().unwrap().code(), Some(ProblemCode::Denied));
    assert!(error.to_string().contains("rule: customer withdrawals"), "{error}");
    assert_eq!(pair.server.seen("PUT").len(), 1);
}

#[tokio::test]
async fn the_deadline_ends_asking_and_the_last_reason_is_told() {
    let pair = signer(|_| TestAnswer::Nothing).await;
    let error = patient(&pair.config, 1).sign(&id(), &request(&[[3; 32]])).await.unwrap_err();
    assert!(matches!(error, Error::Transport(crate::TransportError::Broken { .. })), "{error:?}");
    assert!(error.to_string().contains("put the same again under the same id"), "{error}");
}

#[tokio::test]
async fn a_pending_request_is_returned_and_not_polled() {
    let answer = SignatureAnswer { status: RequestStatus::Pending, signatures: None, ..signed(Vec::new()) };
    let pair = signer(move |_| TestAnswer::Body(202, serde_json::to_string(&answer).unwrap())).await;
    let answer = pair.client.sign(&id(), &request(&[[3; 32]])).await.unwrap();
    assert_eq!((answer.status, pair.server.seen("PUT").len()), (RequestStatus::Pending, 1));
}

#[tokio::test]
async fn an_answer_that_is_not_one_to_the_request_is_not_believed() {
    let good = ecdsa_signature(1, "btc-hot", [3; 32]);
    let other = ecdsa_signature(1, "btc-hot", [4; 32]);
    let one = |signature| signed(vec![signature]);
    for (answer, wanted) in [
        (one(ItemSignature { signature: other.signature.clone(), ..good.clone() }), "does not verify"),
        (one(ItemSignature { der: other.der.clone(), ..good.clone() }), "der and signature differ"),
        (one(ItemSignature { der: None, ..good.clone() }), "der is missing"),
        (one(ItemSignature { recovery_id: Some(9), ..good.clone() }), "recovery id"),
        (one(other), "not of the item at this place"),
        (signed(vec![good.clone(), good.clone()]), "2 signatures for 1 items"),
        (signed(Vec::new()), "do not fit together"),
        (SignatureAnswer { request_id: "wd-2".to_owned(), ..one(good.clone()) }, "about \"wd-2\""),
        (SignatureAnswer { status: RequestStatus::Pending, ..one(good.clone()) }, "do not fit together"),
        (one(ecdsa_signature(2, "btc-hot", [3; 32])), "ALARM: key \"btc-hot\""),
    ] {
        assert_not_believed(answer, wanted).await;
    }
}

#[tokio::test]
async fn signatures_in_another_order_are_not_believed() {
    let signatures = [[4; 32], [3; 32]].map(|digest| ecdsa_signature(1, "btc-hot", digest)).to_vec();
    let pair = signer(move |_| TestAnswer::json(&signed(signatures.clone()))).await;
    let error = pair.client.sign(&id(), &request(&[[3; 32], [4; 32]])).await.unwrap_err();
    assert!(error.to_string().contains("signature 0 of wd-1"), "{error}");
}

#[tokio::test]
async fn a_key_that_changed_is_an_alarm_also_for_the_next_client() {
    let count = AtomicUsize::new(1);
    let pair = Pair::start(move |_| {
        let seed = count.fetch_add(1, Ordering::SeqCst);
        TestAnswer::json(&keys_answer(seed as u8))
    })
    .await;
    pair.client.keys().await.unwrap();
    for client in [&pair.client, &patient(&pair.config, 1)] {
        let error = client.keys().await.unwrap_err();
        assert!(matches!(&error, Error::KeyChanged { key, .. } if key == "btc-hot"), "{error}");
    }
}

#[tokio::test]
async fn only_a_child_with_a_chain_code_is_believed_and_it_is_derived_here() {
    let child = SignatureRequest {
        items: vec![Item { key: "btc-hot/7".parse().unwrap(), digest: Some(Digest([3; 32])), message: None }],
        ..request(&[])
    };
    for (chain_code, seed, wanted) in [
        (Some(crate::testing::chain_code(1).to_hex()), 1, None),
        (Some(crate::testing::chain_code(1).to_hex()), 2, Some("ALARM: key \"btc-hot/7\"")),
        (None, 1, Some("no chain code of btc-hot")),
    ] {
        let pair = Pair::start(move |seen| match seen.line.as_str() {
            "GET /v1/keys" => {
                let mut keys = keys_answer(1);
                keys.keys[0].chain_code = chain_code.clone();
                TestAnswer::json(&keys)
            }
            _ => TestAnswer::json(&signed(vec![child_signature(seed, "btc-hot", 7, Digest([3; 32]))])),
        })
        .await;
        let told = pair.client.sign(&id(), &child).await.map_err(|error| error.to_string());
        match wanted {
            None => assert_eq!(told.unwrap().status, RequestStatus::Signed),
            Some(wanted) => assert!(told.as_ref().unwrap_err().contains(wanted), "{told:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_outside_the_api_is_unexpected() {
    let long = "x".repeat(4 * 1024 * 1024 + 1);
    for (answer, wanted) in [
        (TestAnswer::Body(200, "<html>".to_owned()), "not the JSON"),
        (TestAnswer::Body(502, "bad gateway".to_owned()), "no problem document"),
        (TestAnswer::Body(302, String::new()), "no status of the API"),
        (TestAnswer::Body(200, long), "longer than 4194304 bytes"),
    ] {
        let answer = std::sync::Mutex::new(Some(answer));
        let pair = Pair::start(move |_| answer.lock().unwrap().take().unwrap()).await;
        let error = pair.client.limits().await.unwrap_err();
        assert!(matches!(error, Error::Unexpected { .. }) && error.to_string().contains(wanted), "{error}");
    }
}
