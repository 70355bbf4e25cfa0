//! Inputs: which output each spends, taken from its previous transaction, and who can spend that.

use std::collections::BTreeSet;

use bitcoin::{OutPoint, Psbt, Script, TxOut, psbt};

use super::{BadEvidence, BadInput, Spend, Spent, multisig};

const SIGHASH_ALL: u32 = 0x01;

pub(super) fn read_all(psbt: &Psbt) -> Result<Vec<Spent>, BadEvidence> {
    let mut outpoints = BTreeSet::new();
    let inputs = psbt.unsigned_tx.input.iter().map(|input| input.previous_output).zip(&psbt.inputs);
    let spent = inputs.enumerate().map(|(index, (outpoint, input))| {
        if outpoints.insert(outpoint) {
            read(outpoint, input).map_err(|why| why.of(index))
        } else {
            Err(BadInput::SpentTwice(outpoint.to_string()).of(index))
        }
    });
    spent.collect()
}

fn read(outpoint: OutPoint, input: &psbt::Input) -> Result<Spent, BadInput> {
    if input.final_script_sig.is_some() || input.final_script_witness.is_some() {
        return Err(BadInput::Finalised);
    }
    if let Some(other) = input.sighash_type.map(|given| given.to_u32()).filter(|given| *given != SIGHASH_ALL) {
        return Err(BadInput::SighashType(other));
    }
    let output = previous_output(outpoint, input)?.clone();
    let spend = spend(&output.script_pubkey, input.redeem_script.as_deref(), input.witness_script.as_deref())?;
    Ok(Spent { output, spend })
}

/// What it spends. A segwit digest commits to its own amount alone, so no amount is believed without the transaction
/// whose id is spent.
fn previous_output(outpoint: OutPoint, input: &psbt::Input) -> Result<&TxOut, BadInput> {
    let previous = input.non_witness_utxo.as_ref().ok_or(BadInput::NoPreviousTransaction)?;
    let txid = previous.compute_txid();
    if txid != outpoint.txid {
        let (given, spent) = (txid.to_string(), outpoint.txid.to_string());
        return Err(BadInput::WrongPreviousTransaction { given, spent });
    }
    let vout = usize::try_from(outpoint.vout).ok();
    let output = vout.and_then(|vout| previous.output.get(vout)).ok_or(BadInput::NoPreviousOutput(outpoint.vout))?;
    match &input.witness_utxo {
        Some(claimed) if claimed != output => Err(BadInput::WrongWitnessUtxo),
        Some(_) | None => Ok(output),
    }
}

/// BIP 174 has a signer check every script that is given, so one that has no place is refused too.
fn spend(script: &Script, redeem: Option<&Script>, witness: Option<&Script>) -> Result<Spend, BadInput> {
    if redeem.is_some() && !script.is_p2sh() {
        return Err(BadInput::WrongRedeemScript);
    }
    let spend = match script.as_bytes() {
        [0x76, 0xa9, 0x14, hash @ .., 0x88, 0xac] => Spend::P2pkh(key_hash(hash)?),
        [0x00, 0x14, hash @ ..] => Spend::P2wpkh(key_hash(hash)?),
        [0xa9, 0x14, .., 0x87] if script.is_p2sh() => nested(script, redeem.ok_or(BadInput::NoRedeemScript)?)?,
        [0x00, 0x20, ..] if script.is_p2wsh() => {
            let given = witness.ok_or(BadInput::NoWitnessScript)?;
            if *script != given.to_p2wsh() {
                return Err(BadInput::WrongWitnessScript);
            }
            return multisig::read(given.as_bytes()).ok_or(BadInput::NotMultisig);
        }
        [0x51, 0x20, ..] if script.is_p2tr() => return Err(BadInput::Taproot),
        _ => return Err(BadInput::UnknownScript),
    };
    if witness.is_some() { Err(BadInput::WrongWitnessScript) } else { Ok(spend) }
}

fn nested(script: &Script, redeem: &Script) -> Result<Spend, BadInput> {
    if *script != redeem.to_p2sh() {
        return Err(BadInput::WrongRedeemScript);
    }
    match redeem.as_bytes() {
        [0x00, 0x14, hash @ ..] => Ok(Spend::P2shP2wpkh(key_hash(hash).map_err(|_| BadInput::UnknownRedeemScript)?)),
        _ if redeem.is_p2wsh() => Err(BadInput::NestedWitnessScript),
        _ => Err(BadInput::UnknownRedeemScript),
    }
}

fn key_hash(hash: &[u8]) -> Result<[u8; 20], BadInput> {
    hash.try_into().map_err(|_| BadInput::UnknownScript)
}
