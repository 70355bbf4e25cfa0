//! Signatures put into a PSBT, and the transaction made of it where none is missing. Every signature is verified, so a
//! transaction that comes out of here is valid.

use bitcoin::{
    Psbt, PublicKey as BitcoinKey, Script, ScriptBuf, WPubkeyHash, Witness, consensus,
    ecdsa::Signature,
    hashes::Hash,
    script::PushBytesBuf,
    secp256k1::{self, Message, Secp256k1, VerifyOnly},
};
use hsm_types::{Digest, PublicKey};

use super::{BadEvidence, Spend, UnsignedPsbt, multisig};

/// A PSBT with signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finished {
    /// None is missing: the transaction as `sendrawtransaction` takes it.
    Transaction(Vec<u8>),
    /// Others have to sign too: the PSBT with these signatures in it.
    Psbt(Vec<u8>),
}

/// Why signatures do not go into a PSBT.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotFinished {
    /// The PSBT is none that is signed.
    #[error("signatures cannot be put into this PSBT")]
    Evidence(#[from] BadEvidence),
    /// One signature for each input, in order.
    #[error("{signatures} signatures for {inputs} inputs: give one for each, in order")]
    Count {
        /// Given.
        signatures: usize,
        /// Of the PSBT.
        inputs: usize,
    },
    /// A key of another curve, or one the input's script does not name.
    #[error("input {0} cannot be spent by the key given for it")]
    WrongKey(usize),
    /// A signature of another digest or key, or one with a high s.
    #[error("the signature for input {0} does not verify under its key")]
    WrongSignature(usize),
    /// Somebody else's signature in the PSBT is not one.
    #[error("input {input} comes with a signature of key {public_key} that does not verify (SIGHASH_ALL)")]
    WrongPartialSignature {
        /// Counted from 0.
        input: usize,
        /// Compressed, hexadecimal.
        public_key: String,
    },
}

/// Puts a signature into each input, as partial signatures (BIP 174) of SIGHASH_ALL, and makes the transaction where
/// every input then has what it needs. A signature is r || s with low s, as the appliance answers it, beside the key it
/// is of.
///
/// # Errors
/// The PSBT is nothing the appliance signs, or a signature, given or already in it, is not valid.
pub fn finish_psbt(psbt: &[u8], signatures: &[(PublicKey, [u8; 64])]) -> Result<Finished, NotFinished> {
    let mut unsigned = UnsignedPsbt::read(psbt)?;
    let digests: Vec<Digest> = unsigned.transaction()?.inputs.iter().map(|input| input.digest).collect();
    let (given, inputs) = (signatures.len(), digests.len());
    if given != inputs {
        return Err(NotFinished::Count { signatures: given, inputs });
    }
    let verifier = Verifier { secp256k1: Secp256k1::verification_only(), digests };
    for (index, (public_key, signature)) in signatures.iter().enumerate() {
        if !unsigned.spent.get(index).is_some_and(|spent| spent.spend.is_by(public_key)) {
            return Err(NotFinished::WrongKey(index));
        }
        let (key, signature) = verifier.given(index, public_key, signature)?;
        if let Some(input) = unsigned.psbt.inputs.get_mut(index) {
            input.partial_sigs.insert(key, signature);
        }
    }
    let spent = unsigned.spent.iter().enumerate();
    let unlocked = spent.map(|(index, spent)| unlock(&unsigned.psbt, index, &spent.spend, &verifier));
    let unlocked: Option<Vec<Unlocked>> = unlocked.collect::<Result<_, _>>()?;
    Ok(match unlocked {
        Some(unlocked) => Finished::Transaction(transaction(unsigned.psbt, unlocked)),
        None => Finished::Psbt(unsigned.psbt.serialize()),
    })
}

/// What makes an input valid.
struct Unlocked {
    script_sig: ScriptBuf,
    witness: Witness,
}

fn transaction(psbt: Psbt, unlocked: Vec<Unlocked>) -> Vec<u8> {
    let mut transaction = psbt.unsigned_tx;
    for (input, unlocked) in transaction.input.iter_mut().zip(unlocked) {
        input.script_sig = unlocked.script_sig;
        input.witness = unlocked.witness;
    }
    consensus::serialize(&transaction)
}

/// None where signatures of others are missing.
fn unlock(psbt: &Psbt, index: usize, spend: &Spend, verifier: &Verifier) -> Result<Option<Unlocked>, NotFinished> {
    let Some(input) = psbt.inputs.get(index) else { return Ok(None) };
    let hash = match spend {
        Spend::P2wpkh(hash) | Spend::P2shP2wpkh(hash) | Spend::P2pkh(hash) => hash,
        Spend::Multisig { required, public_keys } => {
            let mut signatures = Vec::new();
            for key in public_keys {
                let mut signed = input.partial_sigs.iter();
                if let Some((key, signature)) = signed.find(|(by, _)| by.to_bytes() == key) {
                    verifier.partial(index, key, signature)?;
                    signatures.push(signature);
                }
            }
            let enough = signatures.get(..usize::from(*required));
            return Ok(enough.map(|enough| unlock_multisig(enough, &multisig::script(*required, public_keys))));
        }
    };
    let own = input.partial_sigs.iter().find(|(by, _)| by.pubkey_hash().to_byte_array() == *hash);
    Ok(own.map(|(key, signature)| unlock_key_hash(spend, key, signature, hash)))
}

fn unlock_key_hash(spend: &Spend, key: &BitcoinKey, signature: &Signature, hash: &[u8; 20]) -> Unlocked {
    let mut unlocked = Unlocked { script_sig: ScriptBuf::new(), witness: Witness::new() };
    match spend {
        Spend::P2pkh(_) => {
            let script_sig = ScriptBuf::builder().push_slice(signature.serialize()).push_key(key);
            unlocked.script_sig = script_sig.into_script();
            return unlocked;
        }
        Spend::P2shP2wpkh(_) => {
            let redeem = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(*hash));
            unlocked.script_sig = script_of(&redeem);
        }
        Spend::P2wpkh(_) | Spend::Multisig { .. } => {}
    }
    unlocked.witness = Witness::p2wpkh(signature, &key.inner);
    unlocked
}

/// OP_CHECKMULTISIG takes one element more than it needs, which must be empty (BIP 147), then the signatures in the
/// order of their keys.
fn unlock_multisig(signatures: &[&Signature], script: &Script) -> Unlocked {
    let mut witness = Witness::new();
    witness.push([]);
    for signature in signatures {
        witness.push_ecdsa_signature(signature);
    }
    witness.push(script);
    Unlocked { script_sig: ScriptBuf::new(), witness }
}

fn script_of(pushed: &Script) -> ScriptBuf {
    let mut bytes = PushBytesBuf::new();
    // A key hash's script has 22 bytes; a push may have 2^32 - 1.
    let _ = bytes.extend_from_slice(pushed.as_bytes());
    ScriptBuf::builder().push_slice(bytes).into_script()
}

struct Verifier {
    secp256k1: Secp256k1<VerifyOnly>,
    /// One for each input, in order.
    digests: Vec<Digest>,
}

impl Verifier {
    fn given(
        &self,
        index: usize,
        public_key: &PublicKey,
        signature: &[u8; 64],
    ) -> Result<(BitcoinKey, Signature), NotFinished> {
        let key = BitcoinKey::from_slice(&public_key.to_bytes()).map_err(|_| NotFinished::WrongKey(index))?;
        let wrong = || NotFinished::WrongSignature(index);
        let signature = secp256k1::ecdsa::Signature::from_compact(signature).map_err(|_| wrong())?;
        let signature = Signature::sighash_all(signature);
        if self.is_valid(index, &key, &signature) { Ok((key, signature)) } else { Err(wrong()) }
    }

    fn partial(&self, index: usize, key: &BitcoinKey, signature: &Signature) -> Result<(), NotFinished> {
        if self.is_valid(index, key, signature) {
            return Ok(());
        }
        Err(NotFinished::WrongPartialSignature { input: index, public_key: key.to_string() })
    }

    /// High s is no valid one here: nodes do not relay it.
    fn is_valid(&self, index: usize, key: &BitcoinKey, signature: &Signature) -> bool {
        let Some(digest) = self.digests.get(index) else { return false };
        let message = Message::from_digest(digest.0);
        signature.sighash_type == bitcoin::EcdsaSighashType::All
            && self.secp256k1.verify_ecdsa(&message, &signature.signature, &key.inner).is_ok()
    }
}
