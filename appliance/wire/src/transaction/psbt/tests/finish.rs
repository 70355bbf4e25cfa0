use bitcoin::secp256k1::{Message, Secp256k1};
use hsm_types::{Algorithm, PublicKey};

use super::{sample::*, *};

type Signatures = Vec<(PublicKey, [u8; 64])>;

/// The signature of key `seed` for each input.
fn signatures(psbt: &[u8], seed: u8) -> Signatures {
    let key = PublicKey::decode(Algorithm::Secp256k1, &public_key(seed).to_bytes()).unwrap();
    let sign = |input: &UtxoInput| {
        let signature = Secp256k1::new().sign_ecdsa(&Message::from_digest(input.digest.0), &secret_key(seed));
        (key.clone(), signature.serialize_compact())
    };
    read(psbt).unwrap().inputs.iter().map(sign).collect()
}

/// Bitcoin Core's verifier on every input.
fn assert_valid(psbt: &Psbt, transaction: &[u8]) {
    for (index, input) in psbt.inputs.iter().enumerate() {
        let output = input.witness_utxo.as_ref().unwrap();
        let (script, amount) = (output.script_pubkey.as_bytes(), output.value.to_sat());
        let verified = bitcoinconsensus::verify(script, amount, transaction, None, index);
        assert_eq!(verified, Ok(()), "input {index}");
    }
}

#[test]
fn a_finished_transaction_is_valid_to_bitcoin_core() {
    let alone = [Form::P2wpkh, Form::P2shP2wpkh, Form::P2pkh];
    let sets = alone.iter().map(|form| vec![*form]).chain([alone.to_vec()]);
    for forms in sets {
        let psbt = psbt(&forms);
        let data = psbt.serialize();
        let Finished::Transaction(transaction) = finish_psbt(&data, &signatures(&data, 1)).unwrap() else {
            panic!("{forms:?} is unfinished");
        };
        assert_valid(&psbt, &transaction);
        let finished: Transaction = bitcoin::consensus::deserialize(&transaction).unwrap();
        assert_eq!(finished.compute_ntxid(), psbt.unsigned_tx.compute_ntxid());
    }
}

#[test]
fn two_of_three_finish_a_multisig_in_either_order() {
    let psbt = psbt(&[Form::Multisig, Form::Multisig]);
    let data = psbt.serialize();
    for (first, second) in [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)] {
        let Finished::Psbt(half) = finish_psbt(&data, &signatures(&data, first)).unwrap() else {
            panic!("one signature of two is not enough");
        };
        assert_eq!(read(&half).unwrap(), read(&data).unwrap());
        let Finished::Transaction(transaction) = finish_psbt(&half, &signatures(&half, second)).unwrap() else {
            panic!("two signatures of two are enough");
        };
        assert_valid(&psbt, &transaction);
    }
}

#[test]
fn a_third_signature_of_a_2_of_3_is_left_out() {
    let psbt = psbt(&[Form::Multisig]);
    let data = psbt.serialize();
    let mut more = psbt.clone();
    for seed in [2, 3] {
        let (_, signature) = signatures(&data, seed)[0];
        let signature = bitcoin::secp256k1::ecdsa::Signature::from_compact(&signature).unwrap();
        let signature = bitcoin::ecdsa::Signature::sighash_all(signature);
        more.inputs[0].partial_sigs.insert(public_key(seed), signature);
    }
    let more = more.serialize();
    let Finished::Transaction(transaction) = finish_psbt(&more, &signatures(&more, 1)).unwrap() else {
        panic!("three signatures are enough");
    };
    assert_valid(&psbt, &transaction);
}

#[test]
fn an_input_others_must_sign_too_keeps_the_whole_transaction_a_psbt() {
    let data = psbt(&[Form::P2wpkh, Form::Multisig]).serialize();
    let Finished::Psbt(half) = finish_psbt(&data, &signatures(&data, 1)).unwrap() else {
        panic!("a signature of input 1 is missing");
    };
    let half = Psbt::deserialize(&half).unwrap();
    assert!(half.inputs.iter().all(|input| input.partial_sigs.contains_key(&public_key(1))));
    assert!(half.inputs.iter().all(|input| input.final_script_witness.is_none()));
}

#[test]
fn a_signature_that_is_not_of_its_input_and_key_is_refused() {
    let data = psbt(&Form::ALL).serialize();
    let good = signatures(&data, 1);
    let refused = |change: &dyn Fn(&mut Signatures)| {
        let mut signatures = good.clone();
        change(&mut signatures);
        finish_psbt(&data, &signatures).unwrap_err()
    };
    assert_eq!(refused(&|all| all.truncate(3)), NotFinished::Count { signatures: 3, inputs: 4 });
    assert_eq!(refused(&|all| all.swap(1, 2)), NotFinished::WrongSignature(1));
    assert_eq!(refused(&|all| all[3].1[40] ^= 1), NotFinished::WrongSignature(3));
    assert_eq!(refused(&|all| all[0].1 = [0; 64]), NotFinished::WrongSignature(0));
    assert_eq!(refused(&|all| all[0].1 = [0xff; 64]), NotFinished::WrongSignature(0));
    assert_eq!(refused(&|all| all[2] = signatures(&data, 4)[2].clone()), NotFinished::WrongKey(2));
    assert_eq!(refused(&|all| all[3] = signatures(&data, 4)[3].clone()), NotFinished::WrongKey(3));
    let ed25519 = PublicKey::decode(Algorithm::Ed25519, &{
        // The base point of edwards25519 (RFC 8032, 5.1).
        let mut base = [0x66; 32];
        base[0] = 0x58;
        base
    });
    assert_eq!(refused(&|all| all[1].0 = ed25519.clone().unwrap()), NotFinished::WrongKey(1));
    assert!(matches!(finish_psbt(&data[1..], &good), Err(NotFinished::Evidence(BadEvidence::NotPsbt))));
}

#[test]
fn a_high_s_is_refused() {
    let data = psbt(&[Form::P2wpkh]).serialize();
    let mut signatures = signatures(&data, 1);
    let low = k256::ecdsa::Signature::from_slice(&signatures[0].1).unwrap();
    let high = k256::ecdsa::Signature::from_scalars(low.r().to_bytes(), (-low.s()).to_bytes()).unwrap();
    signatures[0].1 = high.to_bytes().into();
    assert_eq!(finish_psbt(&data, &signatures), Err(NotFinished::WrongSignature(0)));
}

#[test]
fn a_false_signature_of_somebody_else_is_named() {
    let mut psbt = psbt(&[Form::Multisig]);
    let data = psbt.serialize();
    let good = signatures(&data, 1);
    let theirs = signatures(&data, 2)[0].1;
    let theirs = bitcoin::secp256k1::ecdsa::Signature::from_compact(&theirs).unwrap();
    let all = bitcoin::ecdsa::Signature::sighash_all(theirs);
    let none = bitcoin::ecdsa::Signature { sighash_type: EcdsaSighashType::None, ..all };
    for (by, signature) in [(3, all), (2, none)] {
        psbt.inputs[0].partial_sigs = [(public_key(by), signature)].into();
        let refused = finish_psbt(&psbt.serialize(), &good).unwrap_err();
        let public_key = public_key(by).to_string();
        assert_eq!(refused, NotFinished::WrongPartialSignature { input: 0, public_key });
    }
}
