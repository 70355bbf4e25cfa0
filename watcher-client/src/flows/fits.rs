//! Whether a signed transaction is the one that was drafted: of what comes in a file nobody here saw the signing.

use alloy_consensus::{SignableTransaction, TxEip1559, transaction::RlpEcdsaDecodableTx};
use base64::{Engine, engine::general_purpose::STANDARD};
use bitcoin::{Psbt, ScriptBuf, Witness};

use crate::chains::{Draft, Format, Signed, solana};

/// Whether the bytes are the draft with signatures, and the id is theirs.
pub(super) fn fits(draft: &Draft, signed: &Signed) -> bool {
    let fits = match draft.format {
        Format::Psbt => psbt(draft, signed),
        Format::Eip2718 => eip2718(draft, signed),
        Format::Solana => message(draft, signed),
    };
    fits.unwrap_or(false)
}

fn psbt(draft: &Draft, signed: &Signed) -> Option<bool> {
    let drafted = Psbt::deserialize(&STANDARD.decode(&draft.unsigned).ok()?).ok()?.unsigned_tx;
    let bytes = hex::decode(&signed.transaction).ok()?;
    let mut found: bitcoin::Transaction = bitcoin::consensus::deserialize(&bytes).ok()?;
    let txid = found.compute_txid().to_string();
    for input in &mut found.input {
        (input.script_sig, input.witness) = (ScriptBuf::new(), Witness::new());
    }
    Some(txid == signed.txid && found == drafted)
}

fn eip2718(draft: &Draft, signed: &Signed) -> Option<bool> {
    let drafted = STANDARD.decode(&draft.unsigned).ok()?;
    let bytes = hex::decode(signed.transaction.strip_prefix("0x")?).ok()?;
    let found = TxEip1559::eip2718_decode(&mut bytes.as_slice()).ok()?;
    Some(format!("{:#x}", found.hash()) == signed.txid && found.tx().encoded_for_signing() == drafted)
}

fn message(draft: &Draft, signed: &Signed) -> Option<bool> {
    let bytes = STANDARD.decode(&signed.transaction).ok()?;
    let signature = bytes.get(1..65)?.try_into().ok()?;
    Some(solana::finish(draft, signature).ok()? == *signed)
}
