//! What a decision costs the one thread that decides: entries are long, and a watcher chooses how many it asks about.

use std::{str::FromStr, time::Instant};

use appliance_wire::{Addresses, ChangeTo, Decimal, TransactionFacts, TransactionOutput};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use super::{withdrawals::VAULT, *};

const MANY: u32 = 1_000;

fn destination(number: u32) -> String {
    let program = Sha256::digest(number.to_be_bytes());
    appliance_wire::Chain::BitcoinRegtest.address_of_script(&[&[0x00, 0x20], program.as_slice()].concat()).unwrap()
}

/// The decision on a transaction that pays `outputs`, and how many entries were read for it.
fn decide(world: &mut World, id: &str, outputs: &[TransactionOutput], more: serde_json::Value) -> (Decision, usize) {
    let transaction = TransactionFacts {
        chain: "bitcoin-regtest".to_owned(),
        format: "psbt".to_owned(),
        evidence_sha256: "0".repeat(64),
        holds: vec![format!("{:064}:0", 1)],
        outputs: outputs.to_vec(),
        fee: "1".parse().unwrap(),
        change_to: ChangeTo::Family,
        call: None,
    };
    let mut body = serde_json::json!({
        "items": [{ "key": "vault", "digest": "07".repeat(32) }],
        "evidence": { "format": "psbt", "data": STANDARD.encode(id) },
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let command = SignCommand::decode(id, body.to_string().as_bytes()).unwrap();
    let facts = Facts { transfer: command.request.transfer.clone(), transaction: Some(transaction), evidence: None };
    let (before, start) = (world.log.read.get(), Instant::now());
    let decision = world.decide_on(&command, &facts);
    let read = world.log.read.get() - before;
    println!("{id}: {read} entries in {:?}", start.elapsed());
    (decision, read)
}

fn output(destination: String) -> TransactionOutput {
    TransactionOutput { destination, amount: Decimal::from_str("1").unwrap(), contract: None }
}

#[test]
fn a_variant_with_many_references_reads_its_withdrawal_a_few_times() {
    let mut world = World::under(&VAULT.replace("0.00004000", "1").replace("0.00002000", "1"));
    let outputs: Vec<_> = (0..MANY).map(|number| output(destination(number))).collect();
    let paid = outputs.iter().enumerate().map(|(number, output)| {
        serde_json::json!({ "destination": output.destination, "amount": "0.00000001", "reference": format!("wd-{number}") })
    });
    let transfer = serde_json::json!({ "asset": "BTC", "outputs": paid.collect::<Vec<_>>() });
    let first = serde_json::json!({ "transfer": transfer });
    assert_eq!(code(&decide(&mut world, "first", &outputs, first).0), "accepted");
    let second = serde_json::json!({ "transfer": transfer, "replaces": "first" });
    let (decision, read) = decide(&mut world, "second", &outputs, second);
    assert_eq!(code(&decision), "accepted");
    assert!(read < 20, "{read} entries were read");
}

#[test]
fn a_transaction_to_many_of_our_addresses_reads_each_allocation_once() {
    let mut world = World::under(VAULT);
    let addresses: Vec<String> = (0..MANY).map(destination).collect();
    let key = "vault".parse().unwrap();
    let watcher = "w".to_owned();
    world.append(Body::Addresses(Addresses { key, first: 0, count: MANY, addresses: addresses.clone(), watcher }));
    let outputs: Vec<_> = addresses.into_iter().map(output).collect();
    let (decision, read) = decide(&mut world, "change", &outputs, serde_json::json!({}));
    let Decision::Accepted(accepted) = decision else { panic!("refused") };
    assert_eq!((accepted.accepted.change.len(), accepted.accepted.payments.len()), (MANY as usize, 0));
    assert!(read < 20, "{read} entries were read");
}
