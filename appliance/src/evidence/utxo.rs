//! A PSBT against the request that brought it: every input ours, every digest recomputed, every output an address.

use appliance_wire::{
    Amount, Chain, ChangeTo, ProblemCode, TransactionFacts, TransactionOutput,
    transaction::{UtxoInput, UtxoTransaction},
};

use super::{Subject, invalid};
use crate::refusal::Refusal;

pub(super) fn facts(subject: &Subject<'_>, transaction: &UtxoTransaction) -> Result<TransactionFacts, Refusal> {
    let chain = subject.policy.chain_of_key(subject.key).ok_or_else(|| {
        invalid(format!("evidence is a PSBT, and key {} pays on no chain of Bitcoin's kind", subject.key.name))
    })?;
    let (items, inputs) = (subject.command.inputs.len(), transaction.inputs.len());
    if items != inputs {
        return Err(invalid(format!("{items} items for the {inputs} inputs of the PSBT: one for each, in order")));
    }
    for (place, input) in transaction.inputs.iter().enumerate() {
        check_input(subject, place, input)?;
    }
    Ok(TransactionFacts {
        chain: chain.to_string(),
        format: subject.evidence.format.clone(),
        evidence_sha256: subject.sha256.clone(),
        holds: transaction.inputs.iter().map(|input| input.outpoint.clone()).collect(),
        outputs: outputs(chain, transaction)?,
        fee: Amount::from_units(transaction.fee).to_decimal(0),
        change_to: change_to(chain, &transaction.inputs),
        call: None,
    })
}

fn check_input(subject: &Subject<'_>, place: usize, input: &UtxoInput) -> Result<(), Refusal> {
    let public_key = subject.public_key(place)?;
    if !input.spend.is_by(&public_key) {
        let item = subject.command.request.items.get(place).map(|item| item.key.to_string()).unwrap_or_default();
        return Err(invalid(format!(
            "input {place} ({}) is not spent by {item}: items name the key of each input, in order",
            input.outpoint
        )));
    }
    subject.check_digest(place, &input.digest)
}

fn outputs(chain: Chain, transaction: &UtxoTransaction) -> Result<Vec<TransactionOutput>, Refusal> {
    let output = |(place, output): (usize, &appliance_wire::transaction::UtxoOutput)| {
        let destination = chain.address_of_script(&output.script).ok_or_else(|| {
            let detail = format!(
                "output {place} pays a script that is no address ({}...): no rule can name it",
                hex::encode(output.script.get(..8).unwrap_or(&output.script))
            );
            Refusal::new(ProblemCode::Denied, detail).rule("outputs")
        })?;
        let amount = Amount::from_units(output.amount).to_decimal(0);
        Ok(TransactionOutput { destination, amount, contract: None })
    };
    transaction.outputs.iter().enumerate().map(output).collect()
}

/// What comes back to a script of which others have keys is change only where everything came from that script: one
/// made up for the purpose, with a key of ours and one of the thief's, would be an input's script as well.
fn change_to(chain: Chain, inputs: &[UtxoInput]) -> ChangeTo {
    if inputs.iter().all(|input| !input.spend.is_shared()) {
        return ChangeTo::Family;
    }
    let Some((first, rest)) = inputs.split_first() else { return ChangeTo::Nobody };
    let one_script = rest.iter().all(|input| input.script == first.script);
    let address = chain.address_of_script(&first.script).filter(|_| one_script);
    address.map_or(ChangeTo::Nobody, ChangeTo::Address)
}
