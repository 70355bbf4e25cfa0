use bitcoin::{
    Amount, OutPoint, ScriptBuf, Txid,
    psbt::PsbtSighashType,
    secp256k1::{Secp256k1, XOnlyPublicKey},
};

use super::{sample::*, *};

fn refused(form: Form, change: impl FnOnce(&mut Psbt)) -> BadEvidence {
    let mut psbt = psbt(&[Form::P2wpkh, form]);
    change(&mut psbt);
    read(&psbt.serialize()).unwrap_err()
}

/// What is wrong with input 1.
fn refused_input(form: Form, change: impl FnOnce(&mut Psbt)) -> BadInput {
    let BadEvidence::Input { index: 1, why } = refused(form, change) else { panic!("not because of input 1") };
    why
}

/// Makes input 1 spend this script, everything else agreeing with it.
fn spend(psbt: &mut Psbt, script: ScriptBuf) {
    let previous = previous(99, vec![pay(1, ScriptBuf::new()), pay(SPENT, script)]);
    psbt.unsigned_tx.input[1].previous_output.txid = previous.compute_txid();
    psbt.inputs[1].witness_utxo = previous.output.get(1).cloned();
    psbt.inputs[1].non_witness_utxo = Some(previous);
}

#[test]
fn every_input_needs_its_very_previous_transaction() {
    for form in Form::ALL {
        let missing = refused_input(form, |psbt| psbt.inputs[1].non_witness_utxo = None);
        assert_eq!(missing, BadInput::NoPreviousTransaction);
        let wrong = refused_input(form, |psbt| {
            let other = psbt.inputs[0].non_witness_utxo.clone();
            psbt.inputs[1].non_witness_utxo = other;
        });
        assert!(matches!(wrong, BadInput::WrongPreviousTransaction { .. }));
        let richer = refused_input(form, |psbt| {
            let previous = psbt.inputs[1].non_witness_utxo.as_mut().unwrap();
            previous.output[1].value += Amount::ONE_SAT;
            psbt.inputs[1].witness_utxo = previous.output.get(1).cloned();
        });
        assert!(matches!(richer, BadInput::WrongPreviousTransaction { .. }));
        for vout in [2, u32::MAX] {
            let beyond = refused_input(form, |psbt| psbt.unsigned_tx.input[1].previous_output.vout = vout);
            assert_eq!(beyond, BadInput::NoPreviousOutput(vout));
        }
    }
}

#[test]
fn a_claimed_output_that_is_not_the_one_spent_is_refused() {
    for form in Form::ALL {
        for change in [
            |output: &mut TxOut| output.value += Amount::ONE_SAT,
            |output: &mut TxOut| output.value -= Amount::ONE_SAT,
            |output: &mut TxOut| output.script_pubkey.push_opcode(bitcoin::opcodes::all::OP_NOP),
        ] {
            let wrong = refused_input(form, |psbt| change(psbt.inputs[1].witness_utxo.as_mut().unwrap()));
            assert_eq!(wrong, BadInput::WrongWitnessUtxo);
        }
    }
}

#[test]
fn only_sighash_all_is_signed() {
    for number in [0, 2, 3, 0x41, 0x80, 0x81, 0x82, 0x83, 0x101, 0xff, u32::MAX] {
        let wrong = refused_input(Form::P2wpkh, |psbt| {
            psbt.inputs[1].sighash_type = Some(PsbtSighashType::from_u32(number));
        });
        assert_eq!(wrong, BadInput::SighashType(number));
    }
}

#[test]
fn finalised_inputs_are_refused() {
    let script_sig = refused_input(Form::P2pkh, |psbt| psbt.inputs[1].final_script_sig = Some(ScriptBuf::new()));
    assert_eq!(script_sig, BadInput::Finalised);
    let witness = refused_input(Form::P2wpkh, |psbt| {
        psbt.inputs[1].final_script_witness = Some(bitcoin::Witness::from_slice(&[[1]]));
    });
    assert_eq!(witness, BadInput::Finalised);
}

#[test]
fn no_outpoint_is_spent_twice() {
    let twice = refused_input(Form::P2wpkh, |psbt| {
        psbt.unsigned_tx.input[1] = psbt.unsigned_tx.input[0].clone();
        psbt.inputs[1] = psbt.inputs[0].clone();
    });
    assert!(matches!(twice, BadInput::SpentTwice(_)));
}

#[test]
fn scripts_are_the_ones_hashed_and_given_only_where_they_belong() {
    let redeem = |form, script: Option<ScriptBuf>| refused_input(form, |psbt| psbt.inputs[1].redeem_script = script);
    let witness = |form, script: Option<ScriptBuf>| refused_input(form, |psbt| psbt.inputs[1].witness_script = script);
    let other = || Some(ScriptBuf::new_p2wpkh(&public_key(2).wpubkey_hash().unwrap()));
    assert_eq!(redeem(Form::P2shP2wpkh, None), BadInput::NoRedeemScript);
    assert_eq!(redeem(Form::P2shP2wpkh, other()), BadInput::WrongRedeemScript);
    assert_eq!(redeem(Form::P2shP2wpkh, Some(ScriptBuf::new())), BadInput::WrongRedeemScript);
    assert_eq!(witness(Form::Multisig, None), BadInput::NoWitnessScript);
    assert_eq!(witness(Form::Multisig, other()), BadInput::WrongWitnessScript);
    for form in [Form::P2wpkh, Form::P2pkh, Form::Multisig] {
        assert_eq!(redeem(form, other()), BadInput::WrongRedeemScript);
    }
    for form in [Form::P2wpkh, Form::P2pkh, Form::P2shP2wpkh] {
        assert_eq!(witness(form, Some(multisig_script())), BadInput::WrongWitnessScript);
    }
}

#[test]
fn other_scripts_are_refused_by_name() {
    let refused = |script: ScriptBuf, redeem: Option<ScriptBuf>, witness: Option<ScriptBuf>| {
        refused_input(Form::P2wpkh, |psbt| {
            spend(psbt, script);
            psbt.inputs[1].redeem_script = redeem;
            psbt.inputs[1].witness_script = witness;
        })
    };
    let taproot = ScriptBuf::new_p2tr(&Secp256k1::new(), XOnlyPublicKey::from(public_key(1).inner), None);
    assert_eq!(refused(taproot, None, None), BadInput::Taproot);
    assert_eq!(refused(ScriptBuf::new_p2pk(&public_key(1)), None, None), BadInput::UnknownScript);
    assert_eq!(refused(multisig_script(), None, None), BadInput::UnknownScript);
    assert_eq!(refused(ScriptBuf::new_op_return([1]), None, None), BadInput::UnknownScript);
    assert_eq!(refused(ScriptBuf::new(), None, None), BadInput::UnknownScript);
    for bytes in [vec![0x00, 0x14, 1], vec![0x52, 0x20, 1], [&[0x00, 0x15][..], &[1; 21]].concat()] {
        assert_eq!(refused(bytes.into(), None, None), BadInput::UnknownScript);
    }
    let nested = multisig_script().to_p2wsh();
    let nested = refused(nested.to_p2sh(), Some(nested), Some(multisig_script()));
    assert_eq!(nested, BadInput::NestedWitnessScript);
    let bare = refused(multisig_script().to_p2sh(), Some(multisig_script()), None);
    assert_eq!(bare, BadInput::UnknownRedeemScript);
    let single = ScriptBuf::new_p2pk(&public_key(1));
    assert_eq!(refused(single.to_p2wsh(), None, Some(single)), BadInput::NotMultisig);
}

#[test]
fn one_to_256_inputs_and_1_to_1000_outputs_are_read() {
    let many = |inputs: u8, rest: u32, outputs: usize| {
        let mut psbt = psbt(&vec![Form::P2wpkh; inputs.into()]);
        for vout in 0..rest {
            let outpoint = OutPoint { vout, ..psbt.unsigned_tx.input[0].previous_output };
            psbt.unsigned_tx.input.extend(transaction(vec![outpoint], vec![]).input);
            psbt.inputs.push(Default::default());
        }
        let output = pay(1000, psbt.unsigned_tx.output[0].script_pubkey.clone());
        psbt.unsigned_tx.output = vec![output; outputs];
        psbt.outputs = vec![Default::default(); outputs];
        read(&psbt.serialize())
    };
    assert_eq!(many(200, 0, 1000).unwrap().outputs.len(), 1000);
    assert_eq!(many(200, 0, 1001), Err(BadEvidence::OutputCount { count: 1001, most: 1000 }));
    assert_eq!(many(1, 0, 0), Err(BadEvidence::OutputCount { count: 0, most: 1000 }));
    assert_eq!(many(0, 0, 1), Err(BadEvidence::InputCount { count: 0, most: 256 }));
    assert_eq!(many(1, 256, 1), Err(BadEvidence::InputCount { count: 257, most: 256 }));
    let last = many(1, 255, 1);
    assert!(matches!(last, Err(BadEvidence::Input { index: 1, why: BadInput::NoPreviousTransaction })), "{last:?}");
}

#[test]
fn a_transaction_no_node_would_relay_is_refused() {
    let length = |script: usize| {
        let mut psbt = psbt(&[Form::P2wpkh]);
        psbt.unsigned_tx.output[0] = pay(SENT, ScriptBuf::from(vec![0x6a; script]));
        (psbt.unsigned_tx.base_size(), read(&psbt.serialize()))
    };
    let (fits, read) = length(99_800);
    assert!(fits < MOST_TRANSACTION_BYTES && read.is_ok(), "{read:?}");
    let (length, read) = length(100_000);
    assert_eq!(read, Err(BadEvidence::TransactionTooLarge { length, most: MOST_TRANSACTION_BYTES }));
}

#[test]
fn sums_above_the_supply_or_above_the_inputs_are_refused() {
    let outputs = |first: u64, second: u64| {
        refused(Form::P2wpkh, |psbt| {
            psbt.unsigned_tx.output[0].value = Amount::from_sat(first);
            psbt.unsigned_tx.output[1].value = Amount::from_sat(second);
        })
    };
    let inputs = 2 * SPENT;
    assert_eq!(outputs(SENT, inputs), BadEvidence::OutputsExceedInputs { inputs, outputs: inputs + SENT });
    assert_eq!(outputs(inputs, 1), BadEvidence::OutputsExceedInputs { inputs, outputs: inputs + 1 });
    assert_eq!(outputs(MOST_BASE_UNITS, 0), BadEvidence::OutputsExceedInputs { inputs, outputs: MOST_BASE_UNITS });
    assert_eq!(outputs(MOST_BASE_UNITS, 1), BadEvidence::AmountTooLarge("outputs"));
    assert_eq!(outputs(u64::MAX, 1), BadEvidence::AmountTooLarge("outputs"));
    assert_eq!(outputs(1 << 63, 1 << 63), BadEvidence::AmountTooLarge("outputs"));

    let rich = refused(Form::P2wpkh, |psbt| {
        let script = script(Form::P2wpkh).0;
        let previous = previous(99, vec![pay(u64::MAX, script)]);
        psbt.unsigned_tx.input[1].previous_output = OutPoint::new(previous.compute_txid(), 0);
        psbt.inputs[1].witness_utxo = None;
        psbt.inputs[1].non_witness_utxo = Some(previous);
    });
    assert_eq!(rich, BadEvidence::AmountTooLarge("inputs"));
}

#[test]
fn outputs_of_nothing_or_of_dust_are_refused() {
    for (script, least) in [
        (ScriptBuf::new_p2wpkh(&public_key(1).wpubkey_hash().unwrap()), 294),
        (ScriptBuf::new_p2pkh(&public_key(1).pubkey_hash()), 546),
        (multisig_script().to_p2wsh(), 330),
    ] {
        let with = |amount| {
            let mut psbt = psbt(&[Form::P2wpkh]);
            psbt.unsigned_tx.output[1] = pay(amount, script.clone());
            read(&psbt.serialize())
        };
        for amount in [0, least - 1] {
            assert_eq!(with(amount), Err(BadEvidence::Dust { index: 1, amount, least }));
        }
        assert_eq!(with(least).unwrap().outputs[1].amount, least);
    }
}

#[test]
fn coins_of_no_transaction_are_refused() {
    let nobody = refused_input(Form::P2wpkh, |psbt| {
        psbt.unsigned_tx.input[1].previous_output = OutPoint::new(Txid::all_zeros(), u32::MAX);
    });
    assert!(matches!(nobody, BadInput::WrongPreviousTransaction { .. }));
}

#[test]
fn what_cannot_be_read_is_told_in_few_words_however_long_it_is() {
    let long = vec![0xff; 3_900_000];
    let length = |bytes: &[u8]| [&[0xfe][..], &u32::try_from(bytes.len()).unwrap().to_le_bytes()].concat();
    // A preimage that is not one, which the parser quotes number by number; a key it quotes in hexadecimal.
    let preimage = [&[21, 0x0a][..], &[0; 20], &length(&long), &long].concat();
    let key = [&length(&long)[..], &[0x00], &long[1..], &[0]].concat();
    for entry in [preimage, key] {
        let mut psbt = psbt(&[Form::P2wpkh]);
        psbt.inputs[0] = Default::default();
        let data = psbt.serialize();
        // The input's map is empty, and so are those of the two outputs.
        let (before, ends) = data.split_at(data.len() - 3);
        let Err(why) = read(&[before, &entry, ends].concat()) else { panic!("it was read") };
        assert!(matches!(why, BadEvidence::Psbt(_)), "{}", why.to_string().len());
        assert!(why.to_string().len() < 500, "{} bytes", why.to_string().len());
    }
}
