//! Three accounts of the same coins: the chain's, the journal's and the audit log's. They must agree to the last unit.

use std::{collections::BTreeMap, fs, path::Path};

use appliance_wire::{Amount, Decimal};
use serde_json::Value;
use watcher_client::journal::{DepositState, TransactionState, WithdrawalState, WithdrawalView};

use super::{Result, daemon::Daemon, ensure, node::Node};

/// Sums at a moment at which nothing is under way, in base units.
#[derive(Debug)]
pub(crate) struct Books {
    /// On our addresses, as the chain says.
    pub(crate) ours: u128,
    /// Deposits the journal says are creditable.
    pub(crate) deposited: u128,
    /// What the journal says was paid.
    pub(crate) paid: u128,
    /// What mined transactions cost, as the chain says.
    pub(crate) fees: u128,
}

impl Books {
    /// As they stand.
    pub(crate) async fn read<N: Node>(node: &N, daemon: &Daemon, addresses: [&str; 2]) -> Result<Self> {
        let mut books = Self { ours: 0, deposited: 0, paid: 0, fees: 0 };
        for address in addresses {
            books.ours += node.balance(address).await?;
        }
        for deposit in daemon.deposits().await? {
            if deposit.state == DepositState::Creditable {
                books.deposited += units::<N>(&deposit.amount)?;
            }
        }
        for withdrawal in daemon.withdrawals().await? {
            if withdrawal.state == WithdrawalState::Confirmed {
                books.paid += units::<N>(withdrawal.amount.as_ref().ok_or("a withdrawal has no amount")?)?;
            }
            for transaction in withdrawal.transactions.iter().filter(|one| one.block.is_some()) {
                books.fees += node.fee(transaction).await?;
            }
        }
        Ok(books)
    }

    /// What came and went since.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            ours: before.ours,
            deposited: self.deposited - before.deposited,
            paid: self.paid - before.paid,
            fees: self.fees - before.fees,
        }
    }
}

/// What the audit log says that these withdrawals paid. Each signature the journal names must be the log's.
pub(crate) fn paid_by_the_log<N: Node>(directory: &Path, withdrawals: &[WithdrawalView]) -> Result<u128> {
    let text = fs::read_to_string(directory.join("state/log.jsonl"))?;
    let entries: Vec<Value> = text.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?;
    let by_index: BTreeMap<u64, &Value> =
        entries.iter().filter_map(|entry| Some((entry["index"].as_u64()?, entry))).collect();
    let find = |index: Option<u64>, kind: &str| -> Result<&Value> {
        let entry = index.and_then(|index| by_index.get(&index).copied()).ok_or("the log lacks an entry")?;
        ensure(entry["kind"] == kind, || format!("entry {index:?} of the log is not {kind}"))?;
        Ok(entry)
    };
    let mut paid = 0;
    for withdrawal in withdrawals {
        for transaction in &withdrawal.transactions {
            let signed = find(transaction.entry, "signed")?;
            let id = transaction.request_id.as_str();
            ensure(signed["request_id"] == id, || format!("the log has another request in place of {id}"))?;
            let accepted = find(signed["accepted"].as_u64(), "accepted")?;
            // Of all variants only one is mined, and only that one pays.
            if transaction.state != TransactionState::Confirmed {
                continue;
            }
            for payment in accepted["payments"].as_array().into_iter().flatten() {
                ensure(payment["destination"] == withdrawal.destination.as_str(), || format!("{id} pays another"))?;
                paid += units::<N>(&serde_json::from_value(payment["amount"].clone())?)?;
            }
        }
    }
    Ok(paid)
}

/// Base units of an amount in the main unit.
pub(crate) fn units<N: Node>(amount: &Decimal) -> Result<u128> {
    let bytes = amount.to_amount(N::DECIMALS)?.to_be_bytes();
    let (high, low) = bytes.split_at(16);
    ensure(high.iter().all(|byte| *byte == 0), || format!("{amount} is too much"))?;
    Ok(u128::from_be_bytes(low.try_into()?))
}

/// An amount in the main unit, with the asset.
pub(crate) fn shown<N: Node>(units: u128) -> String {
    let mut bytes = [0; 32];
    bytes[16..].copy_from_slice(&units.to_be_bytes());
    format!("{} {}", Amount::from_be_bytes(bytes).to_decimal(N::DECIMALS), N::ASSET)
}
