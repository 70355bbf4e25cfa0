use std::time::{Duration, Instant};

use bitcoin::{OutPoint, ScriptBuf, TxIn};

use super::{sample::*, *};

const BODY: usize = 8 << 20;
/// A loaded machine included; alone each takes a fifth of it at most.
const SOON: Duration = Duration::from_secs(3);

fn assert_read_soon(what: &str, data: &[u8]) -> Result<UtxoTransaction, BadEvidence> {
    let start = Instant::now();
    let read = read(data);
    let took = start.elapsed();
    println!("{what}: {} bytes in {took:?}", data.len());
    assert!(took < SOON, "{what}: {took:?}");
    read
}

/// A PSBT of one P2WPKH input with `entries` put before the end of its last map.
fn with_entries(entries: &[u8]) -> Vec<u8> {
    let mut data = psbt(&[Form::P2wpkh]).serialize();
    assert_eq!(data.pop(), Some(0));
    data.extend(entries);
    data.push(0);
    data
}

#[test]
fn previous_transactions_of_megabytes_are_read_soon() {
    let mut psbt = psbt(&[Form::P2pkh, Form::P2pkh]);
    for (index, number) in [(0, 71_u8), (1, 72)] {
        let mut previous = previous(number, vec![pay(SPENT, script(Form::P2pkh).0)]);
        let outpoint = previous.input[0].previous_output;
        previous
            .input
            .extend((0..90_000).map(|vout| TxIn { previous_output: OutPoint { vout, ..outpoint }, ..TxIn::default() }));
        psbt.unsigned_tx.input[index].previous_output = OutPoint::new(previous.compute_txid(), 0);
        psbt.inputs[index].witness_utxo = None;
        psbt.inputs[index].non_witness_utxo = Some(previous);
    }
    let read = assert_read_soon("180,000 inputs in previous transactions", &psbt.serialize());
    assert_eq!(read.unwrap().inputs.len(), 2);
}

#[test]
fn digests_of_256_inputs_that_each_hash_the_whole_transaction_are_made_soon() {
    let outputs: Vec<_> = (0..256).map(|_| pay(SPENT, script(Form::P2pkh).0)).collect();
    let previous = previous(1, outputs);
    let outpoints = (0..256).map(|vout| OutPoint::new(previous.compute_txid(), vout)).collect();
    let outputs = vec![pay(SENT, ScriptBuf::from(vec![0x6a; 89_000]))];
    let mut psbt = Psbt::from_unsigned_tx(transaction(outpoints, outputs)).unwrap();
    for input in &mut psbt.inputs {
        input.non_witness_utxo = Some(previous.clone());
    }
    let read = assert_read_soon("256 legacy digests of 100 kB", &psbt.serialize());
    assert_eq!(read.unwrap().inputs.len(), 256);
}

#[test]
fn megabytes_of_public_keys_are_refused_soon() {
    let mut entries = Vec::new();
    let key = public_key(1).to_bytes();
    for number in 0..BODY as u32 / 47 {
        // An unknown key type, a key that differs by its last bytes, no value.
        entries.push(38);
        entries.push(0x02);
        entries.extend(&key);
        entries.extend(number.to_le_bytes());
        entries.extend([4, 0, 0, 0, 0]);
    }
    let refused = assert_read_soon("180,000 entries", &with_entries(&entries));
    assert_eq!(refused, Err(BadEvidence::PsbtTooManyPairs(10_000)));
}

#[test]
fn as_many_public_keys_as_there_may_be_are_read_soon() {
    let mut psbt = psbt(&[Form::P2wpkh]);
    let mut key = public_key(1).inner;
    let tweak = bitcoin::secp256k1::Scalar::ONE;
    let secp256k1 = bitcoin::secp256k1::Secp256k1::new();
    for _ in 0..9_990 {
        psbt.outputs[0].bip32_derivation.insert(key, Default::default());
        key = key.add_exp_tweak(&secp256k1, &tweak).unwrap();
    }
    assert!(assert_read_soon("9,990 public keys", &psbt.serialize()).is_ok());
}

#[test]
fn a_taproot_tree_of_megabytes_is_refused_soon() {
    // Leaves at depth 127, one beside another: read, each would carry its path of 4 kB.
    let tree: Vec<u8> = [127, 0xc0, 0].into_iter().cycle().take(3_000_000).collect();
    let mut entries = vec![1, 0x06];
    entries.extend(bitcoin::consensus::serialize(&tree));
    let refused = assert_read_soon("a million leaves", &with_entries(&entries));
    assert_eq!(refused, Err(BadEvidence::PsbtTaprootTree(1)));
}

#[test]
fn megabytes_of_unknown_values_are_read_soon() {
    let value = bitcoin::consensus::serialize(&vec![0_u8; BODY / 2 - 200_000]);
    let entries = [&[1, 0xf0], value.as_slice(), &[1, 0xf1], &value].concat();
    assert!(assert_read_soon("two unknown values", &with_entries(&entries)).is_ok());
}

#[test]
fn a_length_of_exabytes_allocates_nothing() {
    for length in [u64::MAX, 1 << 62, 1 << 33, 3_999_999] {
        let mut entries = vec![0xff];
        entries.extend(length.to_le_bytes());
        let refused = assert_read_soon("a long key", &with_entries(&entries));
        assert_eq!(refused, Err(BadEvidence::PsbtTruncated));
    }
}
