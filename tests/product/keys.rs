//! Keys: what a watcher may use, and that what they sign verifies elsewhere.

use hsm_types::Algorithm;
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation, block_on,
    body::{digest, digests, message, payment},
    trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("keys::every_algorithm_signs_what_other_implementations_verify", algorithms),
        trial("keys::two_hundred_and_fifty_six_items_are_signed_in_order", many_items),
        trial("keys::a_watcher_sees_and_uses_only_what_a_rule_grants_it", grants),
        trial("keys::the_library_gets_over_http2_what_a_hand_gets_over_http1", http2_and_http1),
    ]
}

fn hex_of(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

/// By implementations that are not ours.
fn verify(algorithm: &str, item: &Value, signature: &Value) {
    let (raw, public_key) = (hex_of(&signature["signature"]), hex_of(&signature["public_key"]));
    assert_eq!(item["key"], signature["key"]);
    match algorithm {
        "secp256k1" => {
            let digest = hex_of(&item["digest"]);
            let raw = k256::ecdsa::Signature::from_slice(&raw).unwrap();
            assert!(raw.normalize_s().is_none(), "high S");
            let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(&public_key).unwrap();
            key.verify_prehash(&digest, &raw).unwrap();
            assert_eq!(hex_of(&signature["der"]), raw.to_der().as_bytes());
            let id = u8::try_from(signature["recovery_id"].as_u64().unwrap()).unwrap();
            let id = k256::ecdsa::RecoveryId::from_byte(id).unwrap();
            assert_eq!(k256::ecdsa::VerifyingKey::recover_from_prehash(&digest, &raw, id).unwrap(), key);
            assert_eq!(signature["digest"], item["digest"]);
        }
        "p256" => {
            let digest = hex_of(&item["digest"]);
            let raw = p256::ecdsa::Signature::from_slice(&raw).unwrap();
            assert!(raw.normalize_s().is_none(), "high S");
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&public_key).unwrap();
            key.verify_prehash(&digest, &raw).unwrap();
            assert_eq!(hex_of(&signature["der"]), raw.to_der().as_bytes());
        }
        _ => {
            let message = hex_of(&item["message"]);
            let key = ed25519_dalek::VerifyingKey::from_bytes(&public_key.try_into().unwrap()).unwrap();
            key.verify_strict(&message, &ed25519_dalek::Signature::from_slice(&raw).unwrap()).unwrap();
            assert_eq!(signature["message_sha256"], appliance_wire::sha256_hex(&message));
            for absent in ["digest", "der", "recovery_id", "message"] {
                assert!(signature.get(absent).is_none(), "{absent} in {signature}");
            }
        }
    }
}

fn check(watcher: &Watcher, id: &str, algorithm: &str, body: &Value) -> Value {
    let answer = watcher.signed(id, body);
    assert_eq!(answer["status"], "signed");
    let (items, signatures) = (body["items"].as_array().unwrap(), answer["signatures"].as_array().unwrap());
    assert_eq!(items.len(), signatures.len());
    items.iter().zip(signatures).for_each(|(item, signature)| verify(algorithm, item, signature));
    answer
}

fn algorithms() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let keys = watcher.get("/v1/keys").good();
    for algorithm in Algorithm::ALL {
        let name = match algorithm {
            Algorithm::Secp256k1 => "raw",
            Algorithm::P256 => "nist",
            Algorithm::Ed25519 => "ed",
        };
        let key = keys["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
        assert_eq!(key["algorithm"], algorithm.name());
        for number in 0..8 {
            let body = match algorithm {
                Algorithm::Ed25519 => message(format!("message {number}").as_bytes()),
                Algorithm::Secp256k1 | Algorithm::P256 => digest(name, number),
            };
            let answer = check(&watcher, &format!("{name}-{number}"), algorithm.name(), &body);
            assert_eq!(answer["signatures"][0]["public_key"], key["public_key"]);
        }
    }
    check(&watcher, "declared", "secp256k1", &payment(1, "0.1", "0.0001"));
    // Digests at the edges of the field.
    for (place, digest) in ["0".repeat(64), "f".repeat(64), format!("{:0>64}", 1)].iter().enumerate() {
        for (key, algorithm) in [("raw", "secp256k1"), ("nist", "p256")] {
            let body = serde_json::json!({ "items": [{ "key": key, "digest": digest }] });
            check(&watcher, &format!("edge-{key}-{place}"), algorithm, &body);
        }
    }
    running.stop();
    installation.assert_log_verifies();
}

fn many_items() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    // The same digest may be there twice.
    let mut body = digests("raw", 0..255);
    let twice = body["items"][7].clone();
    body["items"].as_array_mut().unwrap().push(twice);
    check(&watcher, "a", "secp256k1", &body);
    check(&watcher, "b", "p256", &digests("nist", 0..256));
    let items: Vec<Value> = (0..256).map(|number: u32| message(&number.to_be_bytes())["items"][0].clone()).collect();
    check(&watcher, "c", "ed25519", &serde_json::json!({ "items": items }));
    running.stop();
    installation.assert_log_verifies();
}

fn grants() {
    let installation = Installation::with_second_watcher();
    let running = installation.start();
    let first = Watcher::new(&installation, &running);
    let second = Watcher::named(&installation, &running, "second");
    let names = |watcher: &Watcher| {
        let keys = watcher.get("/v1/keys").good();
        let names = keys["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&first), ["hot", "raw", "nist", "ed"]);
    assert_eq!(names(&second), ["nist"]);
    let key = first.get("/v1/keys/hot").good();
    assert_eq!(
        (&key["evidence"], &key["state"], &key["children"]),
        (&"declared".into(), &"active".into(), &false.into())
    );
    // To whom it is not granted, a key does not exist.
    let (not_granted, absent) = (second.get("/v1/keys/raw").problem(), second.get("/v1/keys/cold").problem());
    assert_eq!(not_granted.type_uri, "urn:chancery:problem:unknown-key");
    assert_eq!(not_granted.detail.replace("raw", "cold"), absent.detail);
    let refused = second.refused("a", digest("raw", 1));
    assert_eq!(refused.type_uri, "urn:chancery:problem:unknown-key");
    assert_eq!(refused.detail.replace("raw", "cold"), second.refused("a", digest("cold", 1)).detail);
    assert!(second.get("/v1/limits").good()["limits"].as_array().unwrap().is_empty());
    second.signed("a", digest("nist", 1));
    running.stop();
    installation.assert_log_verifies();
}

fn http2_and_http1() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let client = installation.client(&running);
    block_on(async {
        let body = payment(1, "0.1", "0.0001");
        let by_library =
            client.sign(&"a".parse().unwrap(), &serde_json::from_value(body.clone()).unwrap()).await.unwrap();
        // Inside another runtime nothing may block.
        let mut by_hand = watcher.connect().await;
        let by_hand = by_hand.request("PUT", "/v1/signatures/a", body.to_string().as_bytes()).await.unwrap();
        assert_eq!(by_hand.good(), serde_json::to_value(&by_library).unwrap());
        assert!(by_hand.head.starts_with("HTTP/1.1 200"), "{}", by_hand.head);

        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..100 {
            let client = client.clone();
            tasks.spawn(async move {
                let request = serde_json::from_value(digest("raw", number)).unwrap();
                client.sign(&format!("b-{number}").parse().unwrap(), &request).await.unwrap()
            });
        }
        assert_eq!(tasks.join_all().await.len(), 100);
    });
    // All of that over one connection: the client speaks HTTP/2.
    assert!(running.metric("chancery_connections") <= 2);
    running.stop();
    installation.assert_log_verifies();
}
