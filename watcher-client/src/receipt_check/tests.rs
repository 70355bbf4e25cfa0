//! A receipt proves one thing, and any bent byte of it proves nothing.

use appliance_wire::sha256_hex;
use ed25519_dalek::{Signer, SigningKey};

use super::*;
use crate::testing::{TestLog, ecdsa_signature};

fn log_with(signatures: &[ItemSignature]) -> (TestLog, Receipt) {
    let mut log = TestLog::grown(5, "entry");
    let index = log.append_signed("wd-1", signatures);
    log.grow(6);
    let receipt = log.receipt(index);
    (log, receipt)
}

#[test]
fn a_good_receipt_proves_entry_and_signatures() {
    let signatures = [ecdsa_signature(1, "btc-hot", [3; 32]), ecdsa_signature(1, "btc-hot", [4; 32])];
    let (log, receipt) = log_with(&signatures);
    let proven = verify_receipt(&receipt, &log.key).unwrap();
    assert_eq!((proven.entry.index, proven.checkpoint.size(), proven.signatures.len()), (5, 12, 2));
    for signature in &proven.signatures {
        assert_eq!((signature.outcome, signature.algorithm), (Outcome::Verified, Algorithm::Secp256k1));
    }
}

#[test]
fn every_bent_byte_is_refused() {
    let (log, receipt) = log_with(&[ecdsa_signature(1, "btc-hot", [3; 32])]);
    let good = serde_json::to_vec(&receipt).unwrap();
    for position in 0..good.len() {
        for bit in [1, 4, 0x20] {
            let mut bent = good.clone();
            bent[position] ^= bit;
            let Ok(receipt) = serde_json::from_slice::<Receipt>(&bent) else { continue };
            assert!(verify_receipt(&receipt, &log.key).is_err(), "byte {position}, bit {bit}");
        }
    }
}

#[test]
fn a_wrong_signature_inside_a_proven_entry_is_found() {
    let good = ecdsa_signature(1, "btc-hot", [3; 32]);
    let other = ecdsa_signature(1, "btc-hot", [4; 32]);
    let bent = [
        ItemSignature { signature: other.signature.clone(), ..good.clone() },
        ItemSignature { digest: other.digest, ..good.clone() },
        ItemSignature { digest: None, ..good.clone() },
        ItemSignature { recovery_id: good.recovery_id.map(|id| id ^ 1), ..good.clone() },
        ItemSignature { recovery_id: None, ..good.clone() },
        ItemSignature { public_key: crate::testing::ecdsa_public_key(2).to_string(), ..good.clone() },
        ItemSignature { public_key: "00".to_owned(), ..good.clone() },
        ItemSignature { signature: good.signature.to_uppercase() + "00", ..good.clone() },
    ];
    for signature in bent {
        let (log, receipt) = log_with(&[good.clone(), signature]);
        let error = verify_receipt(&receipt, &log.key).unwrap_err();
        assert!(error.to_string().contains("signature 1 of entry 5"), "{error}");
    }
}

#[test]
fn an_ed25519_signature_is_recorded_but_its_message_is_not_at_hand() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let signature = ItemSignature {
        key: "sol-hot".parse().unwrap(),
        digest: None,
        message_sha256: Some(sha256_hex(b"message")),
        signature: hex::encode(key.sign(b"message").to_bytes()),
        recovery_id: None,
        der: None,
        public_key: hex::encode(key.verifying_key().as_bytes()),
    };
    let (log, receipt) = log_with(std::slice::from_ref(&signature));
    let proven = verify_receipt(&receipt, &log.key).unwrap();
    assert_eq!(proven.signatures[0].outcome, Outcome::MessageNotAtHand);

    let verifier = Verifier::new(PublicKey::Ed25519(key.verifying_key()));
    let check = |message: &[u8]| signature_check::check(&signature, &verifier, Some(message));
    assert_eq!(check(b"message"), Ok(Outcome::Verified));
    assert!(check(b"massage").is_err());
}

#[test]
fn any_of_the_log_keys_will_do_and_a_foreign_one_will_not() {
    let (log, receipt) = log_with(&[ecdsa_signature(1, "btc-hot", [3; 32])]);
    let foreign = SigningKey::from_bytes(&[8; 32]);
    let foreign = LogKey::new("exchange.example/signer-1", foreign.verifying_key().as_bytes()).unwrap();
    assert!(verify_receipt(&receipt, &foreign).is_err());
    for keys in [[foreign.clone(), log.key.clone()], [log.key, foreign.clone()]] {
        verify_receipt_under(&receipt, &keys).unwrap();
    }
    assert!(verify_receipt_under(&receipt, &[foreign]).is_err());
    assert!(verify_receipt_under(&receipt, &[]).is_err());
}

#[test]
fn a_proof_with_a_missing_extra_or_swapped_hash_proves_nothing() {
    let (log, good) = log_with(&[ecdsa_signature(1, "btc-hot", [3; 32])]);
    assert!(good.proof.len() > 2);
    let refused = |what: &str, change: &dyn Fn(&mut Vec<String>)| {
        let mut receipt = good.clone();
        change(&mut receipt.proof);
        assert!(matches!(verify_receipt(&receipt, &log.key), Err(Error::Receipt(BadReceipt::Proof(_)))), "{what}");
    };
    for place in 0..good.proof.len() {
        refused("missing", &|proof| drop(proof.remove(place)));
        refused("twice", &|proof| proof.insert(place, good.proof[place].clone()));
    }
    for place in 1..good.proof.len() {
        refused("swapped", &|proof| proof.swap(place - 1, place));
    }
    refused("none", &|proof| proof.clear());
    verify_receipt(&good, &log.key).unwrap();
}
