//! What holds for any bytes called a PSBT.

use std::collections::BTreeSet;

use appliance_wire::{
    Evidence,
    transaction::{BadEvidence, NotFinished, UnsignedTransaction, UtxoTransaction, finish_psbt},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::Psbt;

/// Panics where something does not hold; whether the bytes are read.
pub(crate) fn check(data: &[u8]) -> bool {
    let Ok(transaction) = read(data) else {
        let finished = finish_psbt(data, &[]);
        assert!(matches!(finished, Err(NotFinished::Evidence(_))), "what is not read is not finished");
        return false;
    };
    let psbt = Psbt::deserialize(data).expect("what is read is a PSBT");
    check_amounts(&transaction);
    check_against(&transaction, &psbt);
    assert_eq!(read(&psbt.serialize()), Ok(transaction), "written again, it says the same");
    assert!(matches!(finish_psbt(data, &[]), Err(NotFinished::Count { .. })), "every input needs a signature");
    true
}

fn read(data: &[u8]) -> Result<UtxoTransaction, BadEvidence> {
    let evidence = Evidence { format: "psbt".to_owned(), data: STANDARD.encode(data) };
    match UnsignedTransaction::read(&evidence)? {
        UnsignedTransaction::Utxo(transaction) => Ok(transaction),
        UnsignedTransaction::Evm(_) => panic!("a PSBT is no transaction of Ethereum's kind"),
    }
}

fn check_amounts(transaction: &UtxoTransaction) {
    assert!((1..=256).contains(&transaction.inputs.len()));
    assert!((1..=1000).contains(&transaction.outputs.len()));
    let inputs: u128 = transaction.inputs.iter().map(|input| u128::from(input.amount)).sum();
    let outputs: u128 = transaction.outputs.iter().map(|output| u128::from(output.amount)).sum();
    assert_eq!(inputs, outputs + u128::from(transaction.fee));
    let outpoints: BTreeSet<_> = transaction.inputs.iter().map(|input| &input.outpoint).collect();
    assert_eq!(outpoints.len(), transaction.inputs.len(), "no outpoint twice");
    let digests: BTreeSet<_> = transaction.inputs.iter().map(|input| input.digest.0).collect();
    assert_eq!(digests.len(), transaction.inputs.len(), "a digest for each input, no two alike");
}

fn check_against(transaction: &UtxoTransaction, psbt: &Psbt) {
    assert_eq!(transaction.inputs.len(), psbt.unsigned_tx.input.len());
    for ((read, input), map) in transaction.inputs.iter().zip(&psbt.unsigned_tx.input).zip(&psbt.inputs) {
        let outpoint = input.previous_output;
        assert_eq!(read.outpoint, outpoint.to_string());
        let previous = map.non_witness_utxo.as_ref().expect("the previous transaction is there");
        assert_eq!(previous.compute_txid(), outpoint.txid);
        let output = &previous.output[outpoint.vout as usize];
        assert_eq!((read.amount, read.script.as_slice()), (output.value.to_sat(), output.script_pubkey.as_bytes()));
    }
    assert_eq!(transaction.outputs.len(), psbt.unsigned_tx.output.len());
    for (read, output) in transaction.outputs.iter().zip(&psbt.unsigned_tx.output) {
        assert_eq!((read.amount, read.script.as_slice()), (output.value.to_sat(), output.script_pubkey.as_bytes()));
    }
}
