//! Valid PSBTs made in code, with the crate `bitcoin` alone: the fuzz targets and their seeds are made of them too.

use bitcoin::{
    Amount, OutPoint, Psbt, PublicKey, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
    absolute::LockTime,
    hashes::Hash,
    opcodes::all::{OP_CHECKMULTISIG, OP_PUSHNUM_2, OP_PUSHNUM_3},
    secp256k1::{Secp256k1, SecretKey},
    transaction::Version,
};

/// What every input is worth.
pub(crate) const SPENT: u64 = 100_000;
/// What each of the two outputs pays.
pub(crate) const SENT: u64 = 40_000;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    P2wpkh,
    P2shP2wpkh,
    P2pkh,
    Multisig,
}

impl Form {
    pub(crate) const ALL: [Self; 4] = [Self::P2wpkh, Self::P2shP2wpkh, Self::P2pkh, Self::Multisig];
}

pub(crate) fn secret_key(seed: u8) -> SecretKey {
    SecretKey::from_slice(&[seed; 32]).unwrap()
}

pub(crate) fn public_key(seed: u8) -> PublicKey {
    PublicKey::new(secret_key(seed).public_key(&Secp256k1::new()))
}

/// Two of the keys 1, 2 and 3.
pub(crate) fn multisig_script() -> ScriptBuf {
    let keys = [1, 2, 3].map(public_key);
    let script = keys.iter().fold(ScriptBuf::builder().push_opcode(OP_PUSHNUM_2), |script, key| script.push_key(key));
    script.push_opcode(OP_PUSHNUM_3).push_opcode(OP_CHECKMULTISIG).into_script()
}

/// What key 1 can spend in this form, with its redeem script.
pub(crate) fn script(form: Form) -> (ScriptBuf, Option<ScriptBuf>) {
    let native = ScriptBuf::new_p2wpkh(&public_key(1).wpubkey_hash().unwrap());
    match form {
        Form::P2wpkh => (native, None),
        Form::P2shP2wpkh => (native.to_p2sh(), Some(native)),
        Form::P2pkh => (ScriptBuf::new_p2pkh(&public_key(1).pubkey_hash()), None),
        Form::Multisig => (multisig_script().to_p2wsh(), None),
    }
}

/// A transaction that pays `outputs`; `number` makes it another one.
pub(crate) fn previous(number: u8, outputs: Vec<TxOut>) -> Transaction {
    let outpoint = OutPoint::new(Txid::from_byte_array([number; 32]), 0);
    transaction(vec![outpoint], outputs)
}

pub(crate) fn transaction(outpoints: Vec<OutPoint>, output: Vec<TxOut>) -> Transaction {
    let input = |previous_output| TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let input = outpoints.into_iter().map(input).collect();
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input, output }
}

pub(crate) fn pay(sats: u64, script_pubkey: ScriptBuf) -> TxOut {
    TxOut { value: Amount::from_sat(sats), script_pubkey }
}

/// One input of each form, each from output 1 of a transaction of its own, and two outputs.
pub(crate) fn psbt(forms: &[Form]) -> Psbt {
    let scripts = forms.iter().map(|form| script(*form));
    let previous = (1..)
        .zip(scripts.clone())
        .map(|(number, (script, _))| previous(number, vec![pay(5000, script_to(9)), pay(SPENT, script)]));
    let previous: Vec<_> = previous.collect();
    let outpoints = previous.iter().map(|previous| OutPoint::new(previous.compute_txid(), 1)).collect();
    let outputs = vec![pay(SENT, script_to(7)), pay(SENT, ScriptBuf::new_p2pkh(&public_key(8).pubkey_hash()))];
    let mut psbt = Psbt::from_unsigned_tx(transaction(outpoints, outputs)).unwrap();
    for (((input, previous), (_, redeem_script)), form) in psbt.inputs.iter_mut().zip(previous).zip(scripts).zip(forms)
    {
        input.witness_utxo = previous.output.get(1).cloned();
        input.non_witness_utxo = Some(previous);
        input.redeem_script = redeem_script;
        input.witness_script = matches!(form, Form::Multisig).then(multisig_script);
    }
    psbt
}

fn script_to(seed: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&public_key(seed).wpubkey_hash().unwrap())
}
