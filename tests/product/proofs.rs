//! The log as a watcher sees it: every checkpoint, proof and receipt verifies with the code that is in the watcher.

use appliance_wire::{
    Body, Checkpoint, Entry, LogKey, Receipt, decode_hashes,
    tree::{Hash, leaf_hash, verify_consistency, verify_inclusion},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::harness::{
    Installation,
    body::{digest, message, payment},
    eventually, trial,
    watcher::Watcher,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("proofs::every_entry_of_ones_own_is_proven_in_every_checkpoint_after_it", inclusion),
        trial("proofs::every_checkpoint_begins_with_every_one_before_it_also_over_a_restart", consistency),
        trial("proofs::a_receipt_proves_the_signatures_that_were_answered", receipts),
        trial("proofs::what_cannot_be_proven_is_malformed", impossible),
    ]
}

/// The newest checkpoint, once it covers `size` entries.
fn checkpoint_of(watcher: &Watcher, log_key: &LogKey, size: u64) -> Checkpoint {
    eventually("a checkpoint covers it", || {
        let answer = watcher.get("/v1/log/checkpoint");
        if answer.status != 200 {
            assert_eq!(answer.problem().retry_after_s, Some(1));
            return None;
        }
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        let note = String::from_utf8(answer.body).unwrap();
        Some(Checkpoint::open(&note, log_key).unwrap()).filter(|checkpoint| checkpoint.size() >= size)
    })
}

fn proof(watcher: &Watcher, path: &str) -> Vec<Hash> {
    let answer: Vec<String> = serde_json::from_value(watcher.get(path).good()["proof"].clone()).unwrap();
    decode_hashes(&answer).unwrap()
}

fn inclusion() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let log_key = LogKey::parse(&installation.log_key()).unwrap();
    for number in 0..10 {
        watcher.signed(&format!("a-{number}"), digest("raw", number));
        watcher.refused("b", digest("cold", number));
    }
    let checkpoint = checkpoint_of(&watcher, &log_key, installation.entries().len() as u64);
    let mut own = 0;
    for (index, entry) in installation.entries().iter().enumerate() {
        let index = index as u64;
        let answer = watcher.get(&format!("/v1/log/entries/{index}"));
        if entry.get("watcher").is_none() {
            assert_eq!(answer.code(), "not-found", "{entry}");
            continue;
        }
        own += 1;
        let bytes = STANDARD.decode(answer.good()["entry"].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), *entry);
        for size in index + 1..=checkpoint.size() {
            let proof = proof(&watcher, &format!("/v1/log/proof/inclusion?index={index}&size={size}"));
            if size == checkpoint.size() {
                verify_inclusion(&leaf_hash(&bytes), index, size, &proof, checkpoint.root()).unwrap();
                assert!(verify_inclusion(&leaf_hash(b"other"), index, size, &proof, checkpoint.root()).is_err());
            }
        }
    }
    assert_eq!(own, 30);
    running.stop();
}

fn consistency() {
    let installation = Installation::new();
    let log_key = LogKey::parse(&installation.log_key()).unwrap();
    let mut checkpoints: Vec<Checkpoint> = Vec::new();
    for round in 0..3 {
        let running = installation.start();
        let watcher = Watcher::new(&installation, &running);
        watcher.signed(&format!("a-{round}"), digest("raw", round));
        checkpoints.push(checkpoint_of(&watcher, &log_key, installation.entries().len() as u64));
        for (place, small) in checkpoints.iter().enumerate() {
            for large in &checkpoints[place..] {
                let (from, to) = (small.size(), large.size());
                let proof = proof(&watcher, &format!("/v1/log/proof/consistency?from={from}&to={to}"));
                verify_consistency(from, to, &proof, small.root(), large.root()).unwrap();
                if from < to {
                    assert!(verify_consistency(from, to, &proof, large.root(), small.root()).is_err());
                }
            }
        }
        // The origin names the key, so nobody else's log is taken for it.
        assert!(log_key.origin().starts_with("development.example/signer/"), "{}", log_key.origin());
        running.stop();
    }
    assert!(checkpoints.windows(2).all(|pair| pair[0].size() < pair[1].size()));
}

fn receipts() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    let log_key = LogKey::parse(&installation.log_key()).unwrap();
    for (id, body) in [("a", digest("raw", 1)), ("b", payment(1, "0.1", "0.0001")), ("c", message(b"hello"))] {
        let first = watcher.put(id, &body);
        let answer = eventually("there is a receipt", || {
            let answer = watcher.get(&format!("/v1/signatures/{id}")).good();
            answer.get("receipt").is_some().then_some(answer)
        });
        let receipt: Receipt = serde_json::from_value(answer["receipt"].clone()).unwrap();
        let (entry, _) = receipt.verify(&log_key).unwrap();
        let Entry { index, body: Body::Signed(signed), .. } = entry else { panic!("{entry:?} is not `signed`") };
        assert_eq!((answer["entry"].as_u64(), signed.request_id.as_str()), (Some(index), id));
        let signatures = serde_json::to_value(&signed.signatures).unwrap();
        assert_eq!(signatures[0]["signature"], answer["signatures"][0]["signature"]);
        // What is put again has the same bytes for ever, without the receipt that came later.
        assert_eq!(watcher.put(id, &body).body, first.body);
        let mut without = answer.clone();
        without.as_object_mut().unwrap().remove("receipt");
        assert_eq!(without, first.json());
    }
    running.stop();
    installation.assert_log_verifies();
}

fn impossible() {
    let installation = Installation::new();
    let running = installation.start();
    let watcher = Watcher::new(&installation, &running);
    watcher.signed("a", digest("raw", 1));
    let size = installation.entries().len() as u64;
    for path in [
        format!("inclusion?index={size}&size={size}"),
        format!("inclusion?index=0&size={}", size + 1_000_000),
        "inclusion?index=0&size=0".to_owned(),
        format!("consistency?from=1&to={}", size + 1_000_000),
        "consistency?from=3&to=2".to_owned(),
        format!("consistency?from={0}&to={0}", u64::MAX),
    ] {
        assert_eq!(watcher.get(&format!("/v1/log/proof/{path}")).code(), "malformed", "{path}");
    }
    running.stop();
}
