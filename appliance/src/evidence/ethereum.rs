//! An unsigned EVM transaction against the request that brought it: one item, whose key is the account.

use appliance_wire::{
    Amount, CallFacts, Chain, ChangeTo, ProblemCode, TransactionFacts, TransactionOutput,
    transaction::{Call, EvmTransaction},
};

use super::{Subject, invalid};
use crate::refusal::Refusal;

pub(super) fn facts(subject: &Subject<'_>, transaction: &EvmTransaction) -> Result<TransactionFacts, Refusal> {
    let chain = Chain::Evm(transaction.chain_id);
    check_chain(subject, chain)?;
    if subject.command.inputs.len() != 1 {
        return Err(invalid("an EVM transaction has one signature: send exactly one item, whose key is the account"));
    }
    let public_key = subject.public_key(0)?;
    subject.check_digest(0, &transaction.digest)?;
    let account = chain.address_of(&public_key, None);
    let account = account.ok_or_else(|| Refusal::new(ProblemCode::UnknownKey, "the key has no account"))?;
    Ok(TransactionFacts {
        chain: chain.to_string(),
        format: subject.evidence.format.clone(),
        evidence_sha256: subject.sha256.clone(),
        holds: vec![format!("{chain}/{account}/{}", transaction.nonce)],
        outputs: vec![output(transaction)],
        fee: transaction.fee.to_decimal(0),
        change_to: ChangeTo::Family,
        call: match &transaction.call {
            Call::None | Call::Erc20Transfer { .. } => None,
            Call::Other { data } => Some(CallFacts { contract: address(&transaction.to), data: hex::encode(data) }),
        },
    })
}

fn check_chain(subject: &Subject<'_>, chain: Chain) -> Result<(), Refusal> {
    let paid = |name: &String| subject.policy.asset(name).is_some_and(|asset| asset.chain == chain);
    if subject.key.assets.iter().any(paid) {
        return Ok(());
    }
    let assets = subject.key.assets.join(", ");
    let detail =
        format!("the transaction is for {chain}, where key {} pays nothing: it pays {assets}", subject.key.name);
    Err(invalid(detail))
}

/// What moves: wei to the account it is sent to, or tokens to their recipient.
fn output(transaction: &EvmTransaction) -> TransactionOutput {
    let native = |to, value: Amount| TransactionOutput { destination: to, amount: value.to_decimal(0), contract: None };
    match &transaction.call {
        Call::None | Call::Other { .. } => native(address(&transaction.to), transaction.value),
        Call::Erc20Transfer { recipient, amount } => TransactionOutput {
            destination: address(recipient),
            amount: amount.to_decimal(0),
            contract: Some(address(&transaction.to)),
        },
    }
}

fn address(bytes: &[u8; 20]) -> String {
    format!("0x{}", hex::encode(bytes))
}
