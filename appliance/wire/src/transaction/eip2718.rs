//! Unsigned transactions of Ethereum's kind, in exactly the bytes whose Keccak-256 is signed: legacy with chain id
//! (EIP-155), EIP-2930 and EIP-1559. Knows no assets: which contract is a token is decided elsewhere.

mod call;
mod finish;
#[cfg(test)]
mod tests;

use alloy_consensus::{SignableTransaction, Transaction, TypedTransaction};
use alloy_primitives::{Address, U256, keccak256};
use hsm_types::Digest;

pub use self::finish::{BadEthereumSignature, finish_eip2718, transaction_hash};
use super::{BadEvidence, Call, EvmTransaction};
use crate::Amount;

/// Chain ids that every JSON reader can hold (RFC 8785): none above is in use.
const MOST_CHAIN_ID: u64 = (1 << 53) - 1;

/// What nodes relay (go-ethereum, `txMaxSize`): call data is kept in the audit log, twice as long in hexadecimal.
const MOST_TRANSACTION_BYTES: usize = 128 << 10;

pub(super) fn read(data: &[u8]) -> Result<EvmTransaction, BadEvidence> {
    let transaction = parse(data)?;
    let chain_id = transaction.chain_id().ok_or(BadEvidence::NoChainId)?;
    if !(1..=MOST_CHAIN_ID).contains(&chain_id) {
        return Err(BadEvidence::ChainId(chain_id));
    }
    let nonce = transaction.nonce();
    if nonce == u64::MAX {
        return Err(BadEvidence::Nonce);
    }
    let to = transaction.to().map(Address::into_array).ok_or(BadEvidence::ContractCreation)?;
    let value = amount(transaction.value());
    let fee = fee(&transaction)?;
    value.checked_add(fee).ok_or(BadEvidence::CostTooLarge)?;
    let call = call::read(transaction.input(), value);
    Ok(EvmTransaction { chain_id, nonce, to, value, fee, call, digest: Digest(keccak256(data).0) })
}

/// The transaction of which these bytes, and no others, are hashed to be signed.
fn parse(data: &[u8]) -> Result<TypedTransaction, BadEvidence> {
    if data.len() > MOST_TRANSACTION_BYTES {
        return Err(BadEvidence::TransactionTooLarge { length: data.len(), most: MOST_TRANSACTION_BYTES });
    }
    match data.first() {
        None => return Err(BadEvidence::Empty),
        Some(0x01 | 0x02 | 0xc0..) => {}
        Some(other) => return Err(BadEvidence::TransactionType(*other)),
    }
    let mut rest = data;
    let read = TypedTransaction::decode_unsigned(&mut rest);
    let transaction = read.map_err(|error| BadEvidence::Rlp(error.to_string()))?;
    // The decoder takes other bytes for the same transaction, and a signed legacy one as an unsigned one.
    let signed_form = transaction.encoded_for_signing();
    if signed_form == data { Ok(transaction) } else { Err(BadEvidence::NotSigningForm) }
}

/// The most the transaction can cost beside its value.
fn fee(transaction: &TypedTransaction) -> Result<Amount, BadEvidence> {
    let price = transaction.max_fee_per_gas();
    if transaction.max_priority_fee_per_gas().is_some_and(|priority| priority > price) {
        return Err(BadEvidence::PriorityFee);
    }
    let gas_limit = Amount::from_units(transaction.gas_limit());
    gas_limit.checked_mul(amount(U256::from(price))).ok_or(BadEvidence::CostTooLarge)
}

fn amount(number: U256) -> Amount {
    Amount::from_be_bytes(number.to_be_bytes())
}
