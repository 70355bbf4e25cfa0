//! EVM transactions as a good watcher makes them; their digest is the Keccak-256 of their bytes.

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_primitives::{Address, Bytes, TxKind, U256, keccak256};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Of the policy's chain.
pub(crate) const CHAIN_ID: u64 = 31_337;
/// The policy's token.
pub(crate) const TOKEN: &str = "0x5fbdb2315678afecb367f032d93f642f64180aa3";
/// Nobody of ours.
pub(crate) const RECIPIENT: &str = "0x3535353535353535353535353535353535353535";
/// 10^18 wei.
pub(crate) const ETHER: u64 = 1_000_000_000_000_000_000;
/// What [`ether`] and [`dollars`] can cost: 100,000 gas of 10 gwei.
pub(crate) const FEE: &str = "0.001";

/// A payment in wei.
pub(crate) fn ether(nonce: u64, to: &str, wei: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(address(to)),
        value: U256::from(wei),
        ..TxEip1559::default()
    }
}

/// A call of a contract.
pub(crate) fn call(nonce: u64, contract: &str, data: Vec<u8>) -> TxEip1559 {
    TxEip1559 { input: Bytes::from(data), ..ether(nonce, contract, 0) }
}

/// A transfer of the token's base units (ERC-20).
pub(crate) fn dollars(nonce: u64, to: &str, units: u64) -> TxEip1559 {
    call(nonce, TOKEN, function([0xa9, 0x05, 0x9c, 0xbb], to, units))
}

/// Call data: a function of an address and a number.
pub(crate) fn function(selector: [u8; 4], account: &str, number: u64) -> Vec<u8> {
    [&selector[..], &[0; 12], address(account).as_slice(), &U256::from(number).to_be_bytes::<32>()].concat()
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// The request to sign a transaction with `path`.
pub(crate) fn body<T>(path: &str, transaction: &T) -> Value
where
    T: SignableTransaction<alloy_primitives::Signature>,
{
    raw(path, &transaction.encoded_for_signing())
}

/// The request to sign these bytes.
pub(crate) fn raw(path: &str, data: &[u8]) -> Value {
    json!({
        "items": [{ "key": path, "digest": hex::encode(keccak256(data)) }],
        "evidence": { "format": "eip2718", "data": STANDARD.encode(data) },
    })
}

/// The request, as a variant of another.
pub(crate) fn replacing(id: &str, mut body: Value) -> Value {
    body["replaces"] = id.into();
    body
}
