//! Valid unsigned transactions made in code: the fuzz targets' seeds are these too.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxLegacy};
use alloy_primitives::{TxKind, U256};

pub(crate) const RECIPIENT: [u8; 20] = [0x35; 20];
const GWEI: u64 = 1_000_000_000;

pub(crate) enum Kind {
    Legacy(TxLegacy),
    Eip2930(TxEip2930),
    Eip1559(TxEip1559),
}

pub(crate) fn unsigned(kind: Kind) -> Vec<u8> {
    match kind {
        Kind::Legacy(transaction) => transaction.encoded_for_signing(),
        Kind::Eip2930(transaction) => transaction.encoded_for_signing(),
        Kind::Eip1559(transaction) => transaction.encoded_for_signing(),
    }
}

pub(crate) fn legacy() -> TxLegacy {
    TxLegacy {
        chain_id: Some(31_337),
        nonce: 7,
        gas_price: 20,
        gas_limit: 50_000,
        to: TxKind::Call(RECIPIENT.into()),
        value: U256::from(GWEI),
        input: Default::default(),
    }
}

pub(crate) fn eip2930() -> TxEip2930 {
    TxEip2930 {
        chain_id: 31_337,
        nonce: 7,
        gas_price: 20,
        gas_limit: 50_000,
        to: TxKind::Call(RECIPIENT.into()),
        value: U256::from(GWEI),
        access_list: Default::default(),
        input: Default::default(),
    }
}

pub(crate) fn eip1559() -> TxEip1559 {
    TxEip1559 {
        chain_id: 31_337,
        nonce: 7,
        gas_limit: 50_000,
        max_fee_per_gas: 30,
        max_priority_fee_per_gas: 2,
        to: TxKind::Call(RECIPIENT.into()),
        value: U256::from(GWEI),
        access_list: Default::default(),
        input: Default::default(),
    }
}

/// ERC-20 `transfer(RECIPIENT, amount)`.
pub(crate) fn transfer(amount: u64) -> Vec<u8> {
    [&[0xa9, 0x05, 0x9c, 0xbb][..], &[0; 12], &RECIPIENT, &[0; 24], &amount.to_be_bytes()].concat()
}

/// One of each kind, and one that transfers a token.
pub(crate) fn all() -> Vec<Vec<u8>> {
    let mut token = eip1559();
    (token.value, token.input) = (U256::ZERO, transfer(1_000_000).into());
    let kinds = [Kind::Legacy(legacy()), Kind::Eip2930(eip2930()), Kind::Eip1559(eip1559()), Kind::Eip1559(token)];
    kinds.into_iter().map(unsigned).collect()
}
