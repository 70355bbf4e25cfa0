//! PSBTs of version 0 (BIP 174): every amount comes from a previous transaction that is there in full, every digest is
//! recomputed. Knows no chain: Bitcoin and Litecoin write the same PSBTs.

mod finish;
mod input;
mod maps;
mod multisig;
#[cfg(test)]
mod tests;

use bitcoin::{
    EcdsaSighashType, Psbt, ScriptBuf, Transaction, TxOut, WPubkeyHash, hashes::Hash, sighash::SighashCache,
};
use hsm_types::Digest;

pub use self::finish::{Finished, NotFinished, finish_psbt};
use super::{BadEvidence, BadInput, Spend, UtxoInput, UtxoOutput, UtxoTransaction};

const MOST_INPUTS: usize = 256;
const MOST_OUTPUTS: usize = 1000;
/// What nodes relay: 400,000 weight units, four for each byte that is no witness (Bitcoin Core,
/// `MAX_STANDARD_TX_WEIGHT`).
const MOST_TRANSACTION_BYTES: usize = 100_000;
/// Characters of what the parser says.
const MOST_WORDS: usize = 200;
/// 84,000,000 coins of 10^8 base units: what there can be of Litecoin, four times Bitcoin's.
const MOST_BASE_UNITS: u64 = 84_000_000 * 100_000_000;

pub(super) fn read(data: &[u8]) -> Result<UtxoTransaction, BadEvidence> {
    UnsignedPsbt::read(data)?.transaction()
}

/// A PSBT each of whose inputs is there with what it spends.
struct UnsignedPsbt {
    psbt: Psbt,
    /// One for each input, in order.
    spent: Vec<Spent>,
}

/// An output an input spends.
struct Spent {
    output: TxOut,
    spend: Spend,
}

impl UnsignedPsbt {
    fn read(data: &[u8]) -> Result<Self, BadEvidence> {
        let psbt = parse(data)?;
        let count = psbt.unsigned_tx.input.len();
        if !(1..=MOST_INPUTS).contains(&count) {
            return Err(BadEvidence::InputCount { count: count as u64, most: MOST_INPUTS });
        }
        let count = psbt.unsigned_tx.output.len();
        if !(1..=MOST_OUTPUTS).contains(&count) {
            return Err(BadEvidence::OutputCount { count, most: MOST_OUTPUTS });
        }
        let spent = input::read_all(&psbt)?;
        Ok(Self { psbt, spent })
    }

    fn transaction(&self) -> Result<UtxoTransaction, BadEvidence> {
        let fee = self.fee()?;
        check_dust(&self.psbt.unsigned_tx)?;
        let inputs = self.psbt.unsigned_tx.input.iter().zip(&self.spent).zip(self.digests()?);
        let inputs = inputs.map(|((input, spent), digest)| UtxoInput {
            outpoint: input.previous_output.to_string(),
            amount: spent.output.value.to_sat(),
            script: spent.output.script_pubkey.to_bytes(),
            spend: spent.spend.clone(),
            digest,
        });
        let outputs = self.psbt.unsigned_tx.output.iter();
        let outputs =
            outputs.map(|output| UtxoOutput { amount: output.value.to_sat(), script: output.script_pubkey.to_bytes() });
        Ok(UtxoTransaction { inputs: inputs.collect(), outputs: outputs.collect(), fee })
    }

    fn fee(&self) -> Result<u64, BadEvidence> {
        let inputs = sum("inputs", self.spent.iter().map(|spent| &spent.output))?;
        let outputs = sum("outputs", &self.psbt.unsigned_tx.output)?;
        inputs.checked_sub(outputs).ok_or(BadEvidence::OutputsExceedInputs { inputs, outputs })
    }

    /// What is to be signed for each input: BIP 143, for P2PKH the digest from before it.
    fn digests(&self) -> Result<Vec<Digest>, BadEvidence> {
        let mut cache = SighashCache::new(&self.psbt.unsigned_tx);
        let digests = self.spent.iter().enumerate().map(|(index, spent)| {
            let digest = digest(&mut cache, index, spent);
            digest.map(Digest).ok_or(BadInput::Digest.of(index))
        });
        digests.collect()
    }
}

/// A PSBT, whatever it says, all of the data being it.
fn parse(data: &[u8]) -> Result<Psbt, BadEvidence> {
    maps::check(data)?;
    let mut rest = data;
    let psbt = Psbt::deserialize_from_reader(&mut rest).map_err(|error| BadEvidence::Psbt(brief(&error)))?;
    if rest.is_empty() { Ok(psbt) } else { Err(BadEvidence::PsbtTrailing(rest.len())) }
}

/// The parser quotes keys and preimages whole: of four megabytes it makes twenty.
fn brief(error: &bitcoin::psbt::Error) -> String {
    error.to_string().chars().take(MOST_WORDS).collect()
}

fn sum<'a>(whose: &'static str, outputs: impl IntoIterator<Item = &'a TxOut>) -> Result<u64, BadEvidence> {
    let mut amounts = outputs.into_iter().map(|output| output.value.to_sat());
    let sum = amounts.try_fold(0_u64, |sum, amount| sum.checked_add(amount).filter(|sum| *sum <= MOST_BASE_UNITS));
    sum.ok_or(BadEvidence::AmountTooLarge(whose))
}

/// OP_RETURN outputs can hold nothing and are no dust; whether one may be signed is not decided here.
fn check_dust(transaction: &Transaction) -> Result<(), BadEvidence> {
    for (index, output) in transaction.output.iter().enumerate() {
        let (amount, least) = (output.value.to_sat(), output.script_pubkey.minimal_non_dust().to_sat());
        if amount < least {
            return Err(BadEvidence::Dust { index, amount, least });
        }
    }
    Ok(())
}

fn digest(cache: &mut SighashCache<&Transaction>, index: usize, spent: &Spent) -> Option<[u8; 32]> {
    let (script, amount, all) = (&spent.output.script_pubkey, spent.output.value, EcdsaSighashType::All);
    match &spent.spend {
        Spend::P2wpkh(hash) | Spend::P2shP2wpkh(hash) => {
            let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(*hash));
            cache.p2wpkh_signature_hash(index, &script, amount, all).ok().map(|digest| digest.to_byte_array())
        }
        Spend::P2pkh(_) => {
            cache.legacy_signature_hash(index, script, all.to_u32()).ok().map(|digest| digest.to_byte_array())
        }
        Spend::Multisig { required, public_keys } => {
            let script = multisig::script(*required, public_keys);
            cache.p2wsh_signature_hash(index, &script, amount, all).ok().map(|digest| digest.to_byte_array())
        }
    }
}
