//! The tables. Values are JSON, unless they are keys of other tables.

use redb::{TableDefinition, WriteTransaction};

use super::JournalError;

pub(super) type Named = TableDefinition<'static, &'static str, &'static [u8]>;
type OfChain<V> = TableDefinition<'static, (&'static str, &'static str), V>;

/// What the file is.
pub(super) const META: Named = TableDefinition::new("meta");
/// Chain: where the watcher stands on it.
pub(super) const CHAINS: Named = TableDefinition::new("chains");
/// Id: the withdrawal.
pub(super) const WITHDRAWALS: Named = TableDefinition::new("withdrawals");
/// (Chain, id) of withdrawals that are not settled.
pub(super) const OPEN: OfChain<()> = TableDefinition::new("open withdrawals");
/// (Chain, outpoint or nonce): id of the withdrawal that uses it.
pub(super) const HELD: OfChain<&str> = TableDefinition::new("held");
/// (Chain, txid): id of the withdrawal it carries out.
pub(super) const TXIDS: OfChain<&str> = TableDefinition::new("transactions");
/// (Chain, address): whose it is.
pub(super) const ADDRESSES: OfChain<&[u8]> = TableDefinition::new("addresses");
/// (Chain, name given by the exchange): address.
pub(super) const ASSIGNED: OfChain<&str> = TableDefinition::new("assigned addresses");
/// (Chain, memo given by the exchange as a name): what was given out with it.
pub(super) const MEMOS: OfChain<&[u8]> = TableDefinition::new("memos");
/// (Chain, child): address that nobody has yet.
pub(super) const POOL: TableDefinition<'static, (&'static str, u32), &'static str> = TableDefinition::new("pool");
/// (Chain, id): the deposit.
pub(super) const DEPOSITS: OfChain<&[u8]> = TableDefinition::new("deposits");
/// (Chain, id) of deposits that a reorganisation could still change.
pub(super) const UNSETTLED: OfChain<()> = TableDefinition::new("unsettled deposits");
/// Number of the last event about a deposit: (chain, id).
pub(super) const DEPOSIT_CHANGES: TableDefinition<'static, u64, (&'static str, &'static str)> =
    TableDefinition::new("changes of deposits");
/// Number: the event.
pub(super) const EVENTS: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("events");
/// Receiver: number of the last event it has taken.
pub(super) const CURSORS: TableDefinition<'static, &'static str, u64> = TableDefinition::new("cursors");

/// Makes those that are missing, so that reading never meets one that is not there.
pub(super) fn make_all(transaction: &WriteTransaction) -> Result<(), JournalError> {
    for table in [META, CHAINS, WITHDRAWALS] {
        transaction.open_table(table)?;
    }
    for table in [HELD, TXIDS, ASSIGNED] {
        transaction.open_table(table)?;
    }
    for table in [ADDRESSES, DEPOSITS, MEMOS] {
        transaction.open_table(table)?;
    }
    for table in [OPEN, UNSETTLED] {
        transaction.open_table(table)?;
    }
    transaction.open_table(POOL)?;
    transaction.open_table(DEPOSIT_CHANGES)?;
    transaction.open_table(EVENTS)?;
    transaction.open_table(CURSORS)?;
    Ok(())
}
