//! What a receipt proves, offline: with the log key alone, without the signer and without the network.

use appliance_wire::{BadCheckpoint, BadReceipt, Checkpoint, Entry, ItemSignature, LogKey, Receipt};
use hsm_types::{Algorithm, PublicKey, Verifier};

use crate::{Error, Outcome, signature_check};

/// What a receipt proved.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The entry, in the log at its index.
    pub entry: Entry,
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
    /// For a `signed` entry, or one that binds such a request again, each of its signatures.
    pub signatures: Vec<ProvenSignature>,
}

/// A signature inside a proven entry.
#[derive(Clone, Debug)]
pub struct ProvenSignature {
    /// As in the entry.
    pub signature: ItemSignature,
    /// The algorithm it verifies by.
    pub algorithm: Algorithm,
    /// Whether it could be verified.
    pub outcome: Outcome,
}

/// Verifies checkpoint and inclusion, and the signatures inside a `signed` entry under the public keys it names.
///
/// # Errors
/// [`Error::Receipt`] where it proves nothing, [`Error::NotVerified`] where a signature in the entry is wrong.
pub fn verify_receipt(receipt: &Receipt, log_key: &LogKey) -> Result<Proven, Error> {
    let (entry, checkpoint) = receipt.verify(log_key).map_err(Error::Receipt)?;
    let mut signatures = Vec::new();
    if let Some(signed) = entry.body.signed() {
        for (position, signature) in signed.signatures.iter().enumerate() {
            let (algorithm, outcome) = verify_named(signature).map_err(|what| Error::NotVerified {
                what: format!("signature {position} of entry {}: {what}", entry.index),
            })?;
            signatures.push(ProvenSignature { signature: signature.clone(), algorithm, outcome });
        }
    }
    Ok(Proven { entry, checkpoint, signatures })
}

/// Likewise, under whichever of the log keys signed the checkpoint.
pub(crate) fn verify_receipt_under(receipt: &Receipt, log_keys: &[LogKey]) -> Result<Proven, Error> {
    let mut result = Err(Error::Checkpoint(BadCheckpoint::Form("there is no log key")));
    for log_key in log_keys {
        result = verify_receipt(receipt, log_key);
        if !matches!(result, Err(Error::Receipt(BadReceipt::Checkpoint(_)))) {
            break;
        }
    }
    result
}

/// Entries do not name the algorithm, and both ECDSA curves have 33-byte keys: the one it verifies by is it.
fn verify_named(signature: &ItemSignature) -> Result<(Algorithm, Outcome), String> {
    let bytes = hex::decode(&signature.public_key).map_err(|_| "the public key is not hexadecimal")?;
    let mut failure = "the public key is none".to_owned();
    for algorithm in Algorithm::ALL {
        let Ok(public_key) = PublicKey::decode(algorithm, &bytes) else { continue };
        match signature_check::check(signature, &Verifier::new(public_key), None) {
            Ok(outcome) => return Ok((algorithm, outcome)),
            Err(what) => failure = what,
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests;
