//! PSBTs (BIP 174) as the signer asks for them, and what there is to read in ours again.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::{
    OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, Txid, Witness, absolute::LockTime, transaction::Version,
};

use super::{coin::Coin, selection::Plan};
use crate::chains::{Draft, Own};

/// A draft of ours, read again.
#[derive(Clone, Debug)]
pub(super) struct Before {
    /// With the transactions that made them.
    pub(super) coins: Vec<(Coin, Transaction)>,
    pub(super) outputs: Vec<bitcoin::TxOut>,
    pub(super) fee: u64,
}

/// The unsigned transaction in base64, with every transaction it spends of; none where one of those is not in
/// `previous`.
pub(super) fn write(plan: &Plan, previous: &HashMap<Txid, Transaction>) -> Option<String> {
    let input = |coin: &Coin| TxIn {
        previous_output: coin.outpoint,
        script_sig: ScriptBuf::new(),
        // It may be replaced for a higher fee (BIP 125).
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let transaction = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: plan.coins.iter().map(input).collect(),
        output: plan.outputs.clone(),
    };
    let mut psbt = Psbt::from_unsigned_tx(transaction).ok()?;
    for (input, coin) in psbt.inputs.iter_mut().zip(&plan.coins) {
        let made = previous.get(&coin.outpoint.txid)?;
        let output = output(made, coin.outpoint).filter(|output| output.value.to_sat() == coin.sats)?;
        let is_segwit = output.script_pubkey.is_p2wpkh() || coin.redeem_script().is_some();
        input.witness_utxo = is_segwit.then(|| output.clone());
        input.redeem_script = coin.redeem_script();
        input.non_witness_utxo = Some(made.clone());
    }
    Some(STANDARD.encode(psbt.serialize()))
}

/// Reads a draft of ours; none where it is not.
pub(super) fn read(draft: &Draft, own: &Own, address_of: impl Fn(&[u8]) -> Option<String>) -> Option<Before> {
    let psbt = Psbt::deserialize(&STANDARD.decode(&draft.unsigned).ok()?).ok()?;
    let mut coins = Vec::with_capacity(psbt.inputs.len());
    for (input, spent) in psbt.inputs.into_iter().zip(&psbt.unsigned_tx.input) {
        let made = input.non_witness_utxo?;
        let output = output(&made, spent.previous_output)?;
        let owner = own.find(&address_of(output.script_pubkey.as_bytes())?)?;
        let coin = Coin::new(spent.previous_output, output.value.to_sat(), output.script_pubkey.as_bytes(), owner)?;
        coins.push((coin, made));
    }
    let outputs = psbt.unsigned_tx.output;
    let spent: u64 = coins.iter().map(|(coin, _)| coin.sats).sum();
    let paid: u64 = outputs.iter().map(|output| output.value.to_sat()).sum();
    Some(Before { coins, outputs, fee: spent.checked_sub(paid)? })
}

fn output(made: &Transaction, outpoint: OutPoint) -> Option<&bitcoin::TxOut> {
    made.output.get(usize::try_from(outpoint.vout).ok()?)
}

#[cfg(test)]
mod tests;
