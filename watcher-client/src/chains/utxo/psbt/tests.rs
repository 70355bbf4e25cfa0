use appliance_wire::{
    AddressType, Chain, Evidence,
    transaction::{Spend, UnsignedTransaction},
};
use bitcoin::{Amount, TxOut};

use super::{
    super::testing::{Owner, coin, own, own_in},
    *,
};
use crate::chains::Format;

const FORMS: [AddressType; 3] = [AddressType::P2wpkh, AddressType::P2shP2wpkh, AddressType::P2pkh];

fn plan() -> (Plan, HashMap<Txid, Transaction>, Vec<Owner>) {
    let owners: Vec<Owner> = FORMS.into_iter().zip(1..).map(|(form, seed)| own_in(seed, form)).collect();
    let (coins, made): (Vec<Coin>, Vec<Transaction>) = owners.iter().map(|owner| coin(owner, 50_000)).unzip();
    let output = |sats| TxOut { value: Amount::from_sat(sats), script_pubkey: ScriptBuf::from_bytes(own(9).script) };
    let plan = Plan { coins, outputs: vec![output(100_000), output(40_000)], fee: 10_000, needed: 9_000, vbytes: 400 };
    (plan, made.into_iter().map(|made| (made.compute_txid(), made)).collect(), owners)
}

#[test]
fn a_signer_takes_every_form_of_input() {
    let (plan, previous, _) = plan();
    let data = write(&plan, &previous).unwrap();
    let read = UnsignedTransaction::read(&Evidence { format: "psbt".to_owned(), data: data.clone() }).unwrap();
    let UnsignedTransaction::Utxo(read) = read else { panic!("it is of Bitcoin's kind") };
    assert_eq!((read.fee, read.outputs.len(), read.outputs[0].amount), (10_000, 2, 100_000));
    let spends: Vec<&Spend> = read.inputs.iter().map(|input| &input.spend).collect();
    assert!(matches!(spends[..], [Spend::P2wpkh(_), Spend::P2shP2wpkh(_), Spend::P2pkh(_)]), "{spends:?}");

    let psbt = Psbt::deserialize(&STANDARD.decode(data).unwrap()).unwrap();
    assert_eq!((psbt.unsigned_tx.version, psbt.unsigned_tx.lock_time), (Version::TWO, LockTime::ZERO));
    assert!(psbt.unsigned_tx.input.iter().all(|input| input.sequence.is_rbf()));
    assert!(psbt.inputs.iter().all(|input| input.non_witness_utxo.is_some()));
    let witness: Vec<bool> = psbt.inputs.iter().map(|input| input.witness_utxo.is_some()).collect();
    let redeem: Vec<bool> = psbt.inputs.iter().map(|input| input.redeem_script.is_some()).collect();
    assert_eq!((witness, redeem), (vec![true, true, false], vec![false, true, false]));
}

#[test]
fn a_transaction_that_made_something_else_is_not_written() {
    let (mut plan, mut previous, _) = plan();
    plan.coins[1].sats += 1;
    assert_eq!(write(&plan, &previous), None);
    plan.coins[1].sats -= 1;
    assert!(write(&plan, &previous).is_some());
    previous.remove(&plan.coins[2].outpoint.txid);
    assert_eq!(write(&plan, &previous), None);
}

#[test]
fn a_draft_is_read_again_as_it_was_written() {
    let (plan, previous, owners) = plan();
    let draft = Draft {
        format: Format::Psbt,
        unsigned: write(&plan, &previous).unwrap(),
        owners: vec![],
        holds: vec![],
        amount: "0".parse().unwrap(),
        fee: "0".parse().unwrap(),
        transfer: None,
    };
    let address_of = |script: &[u8]| Chain::LitecoinRegtest.address_of_script(script);
    let mut addresses = owners.into_iter().map(|owner| owner.address);
    let own = Own::new(addresses.next().unwrap(), addresses);
    let before = read(&draft, &own, address_of).unwrap();
    let coins: Vec<Coin> = before.coins.into_iter().map(|(coin, _)| coin).collect();
    assert_eq!((coins, before.outputs, before.fee), (plan.coins.clone(), plan.outputs, plan.fee));
    let stranger = Own::new(plan.coins[0].owner.clone(), []);
    assert!(read(&draft, &stranger, address_of).is_none(), "not all inputs are ours");
    let broken = Draft { unsigned: "cHNidP8=".to_owned(), ..draft };
    assert!(read(&broken, &own, address_of).is_none());
}
