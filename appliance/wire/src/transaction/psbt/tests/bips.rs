use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::{Amount, Transaction, consensus};

use super::*;

const VECTORS: &str = include_str!("bip-0174.txt");

/// The vectors of a kind: the BIP's words and the bytes.
fn vectors(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let lines = VECTORS.lines().filter(|line| !line.starts_with('#'));
    let fields = lines.map(|line| line.split(" | ").collect::<Vec<_>>());
    fields.filter(|fields| fields[0] == kind).map(|fields| (fields[1], STANDARD.decode(fields[2]).unwrap())).collect()
}

#[test]
fn what_bip_174_calls_invalid_is_refused() {
    let invalid = vectors("invalid");
    assert_eq!(invalid.len(), 20);
    for (case, data) in invalid {
        assert!(parse(&data).is_err(), "{case}");
        assert!(read(&data).is_err(), "{case}");
    }
}

#[test]
fn what_bip_174_calls_valid_is_a_psbt_of_a_form_read_or_refused_with_the_reason() {
    let refused = [
        ("one P2PKH input.", None),
        ("First input is signed and finalized", Some(BadInput::Finalised.of(0))),
        ("has a non-final scriptSig and has a sighash type", None),
        ("P2SH-P2WPKH input's redeemScript is available", Some(BadInput::NoPreviousTransaction.of(1))),
        ("one P2SH-P2WSH input", Some(BadInput::NoPreviousTransaction.of(0))),
        ("one P2WSH input", Some(BadInput::NoPreviousTransaction.of(0))),
        ("unknown types in the inputs", Some(BadInput::NoPreviousTransaction.of(0))),
        ("PSBT_GLOBAL_XPUB", Some(BadInput::NoPreviousTransaction.of(0))),
        ("0 inputs and 0 outputs", Some(BadEvidence::InputCount { count: 0, most: 256 })),
        ("PSBT with 0 inputs", Some(BadEvidence::InputCount { count: 0, most: 256 })),
    ];
    let valid = vectors("valid");
    assert_eq!(valid.len(), refused.len());
    for ((case, data), (words, refused)) in valid.iter().zip(refused) {
        assert!(case.contains(words), "{case}");
        assert!(parse(data).is_ok(), "{case}");
        assert_eq!(read(data).err(), refused, "{case}");
    }
}

#[test]
fn what_bip_174_says_a_signer_must_refuse_is_refused() {
    let unsafe_to_sign = vectors("unsafe");
    assert_eq!(unsafe_to_sign.len(), 4);
    for (case, data) in unsafe_to_sign {
        assert!(read(&data).is_err(), "{case}");
    }
}

fn digest_of(transaction: &str, index: usize, script: &str, sats: u64, spend: Spend) -> String {
    let transaction: Transaction = consensus::deserialize(&hex::decode(transaction).unwrap()).unwrap();
    let script_pubkey = hex::decode(script).unwrap().into();
    let output = TxOut { value: Amount::from_sat(sats), script_pubkey };
    let spent = Spent { output, spend };
    hex::encode(digest(&mut SighashCache::new(&transaction), index, &spent).unwrap())
}

fn key_hash(text: &str) -> [u8; 20] {
    hex::decode(text).unwrap().try_into().unwrap()
}

// BIP 143, "Native P2WPKH".
#[test]
fn the_digest_of_a_p2wpkh_input_is_that_of_bip_143() {
    let transaction = "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffff\
                       ef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206\
                       000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42db\
                       ee7e4dbe6a21b2d50ce2f0167faa815988ac11000000";
    let script = "00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1";
    let spend = Spend::P2wpkh(key_hash(&script[4..]));
    assert_eq!(
        digest_of(transaction, 1, script, 600_000_000, spend),
        "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"
    );
}

// BIP 143, "P2SH-P2WPKH".
#[test]
fn the_digest_of_a_p2sh_p2wpkh_input_is_that_of_bip_143() {
    let transaction = "0100000001db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a54770100000000feffffff\
                       02b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a9\
                       14fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac92040000";
    let script = "a9144733f37cf4db86fbc2efed2500b4f4e49f31202387";
    let spend = Spend::P2shP2wpkh(key_hash("79091972186c449eb1ded22b78e40d009bdf0089"));
    assert_eq!(
        digest_of(transaction, 0, script, 1_000_000_000, spend),
        "64f3b0f4dd2bb3aa1ce8566d220cc74dda9df97d8490cc81d89d735c92e59fb6"
    );
}

// BIP 143, "P2SH-P2WSH": a multisig of 6 keys, here the digest of SIGHASH_ALL. BIP 143 has none outside a script hash,
// whose digest would be the same.
#[test]
fn the_digest_of_a_multisig_input_is_that_of_bip_143() {
    let transaction = "010000000136641869ca081e70f394c6948e8af409e18b619df2ed74aa106c1ca29787b96e0100000000ffffffff\
                       0200e9a435000000001976a914389ffce9cd9ae88dcc0631e88a821ffdbe9bfe2688acc0832f05000000001976a9\
                       147480a33f950689af511e6e84c138dbbd3c3ee41588ac00000000";
    let script = "a9149993a429037b5d912407a71c252019287b8d27a587";
    let witness_script = "56210307b8ae49ac90a048e9b53357a2354b3334e9c8bee813ecb98e99a7e07e8c3ba32103b28f0c28bfab545\
                          54ae8c658ac5c3e0ce6e79ad336331f78c428dd43eea8449b21034b8113d703413d57761b8b9781957b8c0ac1\
                          dfe69f492580ca4195f50376ba4a21033400f6afecb833092a9a21cfdf1ed1376e58c5d1f47de74683123987e\
                          967a8f42103a6d48b1131e94ba04d9737d61acdaa1322008af9602b3b14862c07a1789aac162102d8b661b0b3\
                          302ee2f162b09e07a55ad5dfbe673a9f01d9f0c19617681024306b56ae";
    let spend = multisig::read(&hex::decode(witness_script).unwrap()).unwrap();
    assert!(matches!(spend, Spend::Multisig { required: 6, .. }));
    assert_eq!(
        digest_of(transaction, 0, script, 987_654_321, spend),
        "185c0be5263dce5b4bb50a047973c1b6272bfbd0103a89444597dc40b248ee7c"
    );
}
