//! Signed transactions, ready to be sent. Does not know who signed: recover the sender to be sure.

use alloy_consensus::transaction::RlpEcdsaEncodableTx;
use alloy_primitives::{Signature, U256, keccak256, uint};

use super::{BadEvidence, parse, read};

/// n / 2 of secp256k1, rounded down: s of a valid signature is not above (EIP-2).
const HALF_ORDER: U256 = uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);
/// n of secp256k1.
const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

/// Why no signed transaction is made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadEthereumSignature {
    /// The transaction is none that is signed.
    #[error("a signature cannot be put into this transaction")]
    Evidence(#[from] BadEvidence),
    /// No transaction can say it: the x of R was reduced, which no honest signature has ever met.
    #[error("recovery id {0} has no form in an Ethereum transaction: 0 and 1 have")]
    RecoveryId(u8),
    /// r or s is 0 or too large.
    #[error("the signature's r must be in 1 to n - 1, its s in 1 to n / 2 (EIP-2)")]
    OutOfRange,
}

/// The signed transaction, as `eth_sendRawTransaction` takes it: `data` is the unsigned one, `signature` r || s, and
/// `recovery_id` the parity of R's y.
///
/// # Errors
/// The data is nothing the appliance signs, or the signature has no place in a transaction.
pub fn finish_eip2718(data: &[u8], signature: &[u8; 64], recovery_id: u8) -> Result<Vec<u8>, BadEthereumSignature> {
    read(data)?;
    let transaction = parse(data)?;
    if recovery_id > 1 {
        return Err(BadEthereumSignature::RecoveryId(recovery_id));
    }
    let signature = Signature::from_bytes_and_parity(signature, recovery_id == 1);
    let (r, s) = (signature.r(), signature.s());
    if r.is_zero() || r >= ORDER || s.is_zero() || s > HALF_ORDER {
        return Err(BadEthereumSignature::OutOfRange);
    }
    // Legacy transactions get v = 35 + 2 * chain id + parity (EIP-155), typed ones the parity.
    let mut signed = Vec::with_capacity(data.len().saturating_add(80));
    transaction.eip2718_encode(&signature, &mut signed);
    Ok(signed)
}

/// The id of a signed transaction.
#[must_use]
pub fn transaction_hash(signed: &[u8]) -> [u8; 32] {
    keccak256(signed).0
}
