//! What holds for any bytes called an unsigned transaction of Ethereum's kind.

use alloy_consensus::{
    SignableTransaction, Signed, Transaction, TxEip1559, TxEip2930, TxLegacy, transaction::RlpEcdsaDecodableTx,
};
use alloy_primitives::Signature;
use appliance_wire::{
    Amount, Evidence,
    transaction::{
        BadEthereumSignature, BadEvidence, Call, EvmTransaction, UnsignedTransaction, finish_eip2718, transaction_hash,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// r = s = 1: in range, of nobody.
const SIGNATURE: [u8; 64] = {
    let mut signature = [0; 64];
    (signature[31], signature[63]) = (1, 1);
    signature
};

/// Panics where something does not hold; whether the bytes are read.
pub(crate) fn check(data: &[u8]) -> bool {
    let finished = finish_eip2718(data, &SIGNATURE, 1);
    let Ok(transaction) = read(data) else {
        assert!(matches!(finished, Err(BadEthereumSignature::Evidence(_))), "what is not read is not finished");
        return false;
    };
    assert_eq!(transaction.digest.0, transaction_hash(data));
    assert!((1..1 << 53).contains(&transaction.chain_id));
    assert!(transaction.value.checked_add(transaction.fee).is_some());
    if let Call::Erc20Transfer { .. } = transaction.call {
        assert_eq!(transaction.value, Amount::ZERO);
    }
    // The signed transaction, decoded as nodes do, is of the very bytes that were read.
    let signed = finished.expect("what is read is finished");
    let mut rest = signed.as_slice();
    match data[0] {
        0x01 => agree(TxEip2930::eip2718_decode(&mut rest).expect("decodes"), &transaction, data),
        0x02 => agree(TxEip1559::eip2718_decode(&mut rest).expect("decodes"), &transaction, data),
        _ => agree(TxLegacy::eip2718_decode(&mut rest).expect("decodes"), &transaction, data),
    }
    assert!(rest.is_empty());
    assert!(read(&signed).is_err(), "signed is not unsigned");
    true
}

fn agree<T>(signed: Signed<T>, read: &EvmTransaction, data: &[u8])
where
    T: Transaction + SignableTransaction<Signature>,
{
    assert!(signed.signature().v());
    let decoded = signed.tx();
    assert_eq!(decoded.encoded_for_signing(), data);
    assert_eq!(decoded.chain_id(), Some(read.chain_id));
    assert_eq!(decoded.nonce(), read.nonce);
    assert_eq!(decoded.to().map(|to| to.into_array()), Some(read.to));
    assert_eq!(Amount::from_be_bytes(decoded.value().to_be_bytes()), read.value);
    match &read.call {
        Call::None => assert!(decoded.input().is_empty()),
        Call::Erc20Transfer { recipient, .. } => assert_eq!(&decoded.input()[16..36], recipient),
        Call::Other { data } => assert_eq!(decoded.input().as_ref(), data),
    }
}

fn read(data: &[u8]) -> Result<EvmTransaction, BadEvidence> {
    let evidence = Evidence { format: "eip2718".to_owned(), data: STANDARD.encode(data) };
    match UnsignedTransaction::read(&evidence)? {
        UnsignedTransaction::Evm(transaction) => Ok(transaction),
        UnsignedTransaction::Utxo(_) => panic!("no transaction of Ethereum's kind is a PSBT"),
    }
}
