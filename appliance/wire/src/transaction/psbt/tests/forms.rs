use bitcoin::{Amount, opcodes::all::OP_PUSHNUM_1, script::Builder};

use super::{sample::*, *};

#[test]
fn every_form_is_read_with_its_amounts_scripts_and_fee() {
    let psbt = psbt(&Form::ALL);
    let read = read(&psbt.serialize()).unwrap();
    assert_eq!(read.inputs.len(), 4);
    assert_eq!(read.fee, 4 * SPENT - 2 * SENT);
    let key_hash = public_key(1).pubkey_hash().to_byte_array();
    let public_keys = [1, 2, 3].map(|seed| public_key(seed).inner.serialize()).to_vec();
    let spends = [
        Spend::P2wpkh(key_hash),
        Spend::P2shP2wpkh(key_hash),
        Spend::P2pkh(key_hash),
        Spend::Multisig { required: 2, public_keys },
    ];
    for ((input, spend), form) in read.inputs.iter().zip(spends).zip(Form::ALL) {
        assert_eq!(input.spend, spend);
        assert_eq!(input.amount, SPENT);
        assert_eq!(input.script, script(form).0.to_bytes());
    }
    for ((input, read), txin) in psbt.inputs.iter().zip(&read.inputs).zip(&psbt.unsigned_tx.input) {
        assert_eq!(read.outpoint, format!("{}:1", input.non_witness_utxo.as_ref().unwrap().compute_txid()));
        assert_eq!(read.outpoint, txin.previous_output.to_string());
    }
    for (output, read) in psbt.unsigned_tx.output.iter().zip(&read.outputs) {
        assert_eq!((read.amount, &read.script), (SENT, &output.script_pubkey.to_bytes()));
    }
}

#[test]
fn the_claimed_output_may_be_left_out_and_sighash_all_may_be_said() {
    let psbt = psbt(&Form::ALL);
    let expected = read(&psbt.serialize()).unwrap();
    let mut other = psbt.clone();
    for input in &mut other.inputs {
        input.witness_utxo = None;
        input.sighash_type = Some(EcdsaSighashType::All.into());
    }
    assert_eq!(read(&other.serialize()).unwrap(), expected);
}

#[test]
fn what_does_not_bear_on_the_digest_changes_nothing() {
    let mut psbt = psbt(&Form::ALL);
    let expected = read(&psbt.serialize()).unwrap();
    let source = ([7; 4].into(), "84'/0'/0'/0/5".parse().unwrap());
    psbt.inputs[0].bip32_derivation.insert(public_key(1).inner, source);
    psbt.inputs[1].unknown.insert(bitcoin::psbt::raw::Key { type_value: 0xf0, key: vec![1] }, vec![2]);
    psbt.outputs[0].witness_script = Some(multisig_script());
    assert_eq!(read(&psbt.serialize()).unwrap(), expected);
}

#[test]
fn each_digest_commits_to_every_output() {
    let mut psbt = psbt(&Form::ALL);
    let before = read(&psbt.serialize()).unwrap();
    psbt.unsigned_tx.output[1].value += Amount::ONE_SAT;
    let after = read(&psbt.serialize()).unwrap();
    assert_eq!(after.fee + 1, before.fee);
    for (before, after) in before.inputs.iter().zip(&after.inputs) {
        assert_ne!(before.digest, after.digest);
    }
}

#[test]
fn op_return_with_nothing_is_kept() {
    let mut psbt = psbt(&[Form::P2wpkh]);
    psbt.unsigned_tx.output[1] = pay(0, ScriptBuf::new_op_return([1, 2, 3]));
    let read = read(&psbt.serialize()).unwrap();
    assert_eq!(read.outputs[1], UtxoOutput { amount: 0, script: vec![0x6a, 3, 1, 2, 3] });
    assert_eq!(read.fee, SPENT - SENT);
}

#[test]
fn multisig_scripts_come_out_as_they_went_in() {
    let keys: Vec<_> = (1..=16).map(|seed| public_key(seed).inner.serialize()).collect();
    for (required, count) in [(1, 1), (1, 2), (2, 3), (16, 16)] {
        let keys = &keys[..count];
        let spend = Spend::Multisig { required, public_keys: keys.to_vec() };
        assert_eq!(multisig::read(multisig::script(required, keys).as_bytes()), Some(spend));
    }
}

#[test]
fn anything_but_a_standard_multisig_is_none() {
    let keys: Vec<_> = (1..=3).map(|seed| public_key(seed).inner.serialize()).collect();
    let good = multisig::script(2, &keys).to_bytes();
    assert!(multisig::read(&good).is_some());
    let with = |index: usize, byte: u8| {
        let mut script = good.clone();
        script[index] = byte;
        script
    };
    let uncompressed = bitcoin::PublicKey::new_uncompressed(public_key(1).inner);
    let uncompressed = Builder::new().push_opcode(OP_PUSHNUM_1).push_key(&uncompressed).push_opcode(OP_PUSHNUM_1);
    let uncompressed = uncompressed.push_opcode(bitcoin::opcodes::all::OP_CHECKMULTISIG).into_bytes();
    let seventeen: Vec<_> = (1..=17).map(|seed| public_key(seed).inner.serialize()).collect();
    let bad = [
        ("no key required", with(0, 0x50)),
        ("OP_0 required", with(0, 0x00)),
        ("more required than keys", with(0, 0x54)),
        ("fewer keys counted", with(good.len() - 2, 0x52)),
        ("more keys counted", with(good.len() - 2, 0x54)),
        ("OP_CHECKMULTISIGVERIFY", with(good.len() - 1, 0xaf)),
        ("a push of 32 bytes", with(1, 0x20)),
        ("a key that begins with 4", with(2, 0x04)),
        ("a key twice", multisig::script(2, &[keys[0], keys[1], keys[0]]).to_bytes()),
        ("a key that is no point", multisig::script(1, &[keys[0], [0x02; 33], [0x03; 33]]).to_bytes()),
        ("an uncompressed key", uncompressed),
        ("17 keys", multisig::script(1, &seventeen).to_bytes()),
        ("no keys", vec![0x51, 0x51, 0xae]),
        ("a byte more", [good.as_slice(), &[0x51]].concat()),
        ("a byte before", [&[0x61], good.as_slice()].concat()),
        ("nothing", vec![]),
    ];
    for (what, script) in bad {
        assert_eq!(multisig::read(&script), None, "{what}");
    }
}
