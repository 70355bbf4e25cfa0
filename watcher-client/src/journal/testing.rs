//! What the tests fill a journal with.

use appliance_wire::Amount;

use super::{Drafted, Journal, Next, Observation, Recorded, WithdrawalId};
use crate::{
    chains::{Asset, Block, Draft, Format, Order, Own, OwnAddress, Quantity, Sighting, Signed, Source, Tip},
    testing::ecdsa_public_key,
};

/// The chain of the tests.
pub(crate) const CHAIN: &str = "bitcoin";

pub(crate) fn id(text: &str) -> WithdrawalId {
    WithdrawalId::try_from(text.to_owned()).unwrap()
}

pub(crate) fn asset() -> Asset {
    Asset { name: "BTC".to_owned(), decimals: 8, contract: None }
}

pub(crate) fn order(amount: &str) -> Order {
    Order {
        source: Source::Key,
        destination: "bcrt1qcustomer".to_owned(),
        asset: asset(),
        quantity: Quantity::Exactly(amount.parse().unwrap()),
        memo: None,
    }
}

/// The key itself, or a child, at the address `key` or `child-N`.
pub(crate) fn address(child: Option<u32>) -> OwnAddress {
    let path = child.map_or("btc-hot".to_owned(), |child| format!("btc-hot/{child}"));
    let address = child.map_or("key".to_owned(), |child| format!("child-{child}"));
    OwnAddress { address, path: path.parse().unwrap(), public_key: ecdsa_public_key(1) }
}

/// With children 0 to 9.
pub(crate) fn own() -> Own {
    Own::new(address(None), (0..10).map(|child| address(Some(child))))
}

/// Of the best chain, or of a branch with this letter.
pub(crate) fn block(height: u64, branch: &str) -> Block {
    Block { height, hash: format!("{branch}{height}") }
}

pub(crate) fn tip(height: u64, branch: &str) -> Tip {
    Tip { block: block(height, branch), time_s: 1_900_000_000, behind: None }
}

/// A payment of 1 BTC to a child.
pub(crate) fn sighting(txid: &str, child: u32, block: Option<Block>) -> Sighting {
    Sighting {
        id: format!("{txid}:0"),
        txid: txid.to_owned(),
        address: format!("child-{child}"),
        asset: "BTC".to_owned(),
        amount: Amount::from_units(100_000_000),
        memo: None,
        block,
    }
}

/// Everything after block `after` up to a tip at `to` of this branch, where 3 confirmations are demanded.
pub(crate) fn observation(after: u64, to: u64, branch: &str, found: Vec<Sighting>) -> Observation {
    Observation {
        after: block(after, "a"),
        to: block(to, branch),
        found,
        pending: Some(Vec::new()),
        tip: tip(to, branch),
        safe: None,
        confirmations: 3,
    }
}

pub(crate) fn observe(journal: &Journal, observation: &Observation) {
    journal.observe(CHAIN, &own(), &[asset()], observation).unwrap();
}

pub(crate) fn draft(holds: &[&str]) -> Draft {
    Draft {
        format: Format::Psbt,
        unsigned: "cHNidP8=".to_owned(),
        owners: vec!["btc-hot".parse().unwrap()],
        holds: holds.iter().map(|hold| (*hold).to_owned()).collect(),
        amount: "1".parse().unwrap(),
        fee: "0.0001".parse().unwrap(),
        transfer: None,
    }
}

pub(crate) fn signed(txid: &str) -> Signed {
    Signed { transaction: "0200".to_owned(), txid: txid.to_owned() }
}

/// A withdrawal with its first unsigned transaction.
pub(crate) fn drafted(journal: &Journal, name: &str, holds: &[&str]) -> Drafted {
    journal.create(&id(name), CHAIN, &order("1")).unwrap();
    let Next::Draft(undrafted) = journal.next(&id(name)).unwrap() else { panic!("{name} is drafted already") };
    journal.record_draft(&undrafted, draft(holds)).unwrap()
}

/// A withdrawal whose transaction, with this txid, a node has.
pub(crate) fn sent(journal: &Journal, name: &str, holds: &[&str], txid: &str) -> Recorded {
    let drafted = drafted(journal, name, holds);
    let recorded = journal.record_signed(&drafted, signed(txid), Some(7)).unwrap();
    journal.record_sent(&recorded).unwrap();
    recorded
}
