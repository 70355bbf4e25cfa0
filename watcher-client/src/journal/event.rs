//! What is told to others: an event for each change, in one order.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Alarm, Deposit, Journal, JournalError, Pages, WithdrawalView, decode, encode, now, tables};

/// Something that happened, with where its subject stood then.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// From 1 on, without gaps.
    pub number: u64,
    /// RFC 3339.
    pub time: String,
    /// What happened.
    pub kind: EventKind,
    /// The chain, by its name in the config.
    pub chain: String,
    /// To whom.
    #[serde(flatten)]
    pub subject: Subject,
}

/// What happened.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub enum EventKind {
    /// A withdrawal is wanted.
    #[serde(rename = "withdrawal.created")]
    WithdrawalCreated,
    /// It cannot go on for now.
    #[serde(rename = "withdrawal.waiting")]
    WithdrawalWaiting,
    /// A transaction of it is signed.
    #[serde(rename = "withdrawal.signed")]
    WithdrawalSigned,
    /// A node has it.
    #[serde(rename = "withdrawal.sent")]
    WithdrawalSent,
    /// A block holds it, or another one, or none any more.
    #[serde(rename = "withdrawal.mined")]
    WithdrawalMined,
    /// It paid.
    #[serde(rename = "withdrawal.confirmed")]
    WithdrawalConfirmed,
    /// It pays nobody.
    #[serde(rename = "withdrawal.cancelled")]
    WithdrawalCancelled,
    /// It pays nobody, and why.
    #[serde(rename = "withdrawal.failed")]
    WithdrawalFailed,
    /// Coins were seen.
    #[serde(rename = "deposit.pending")]
    DepositPending,
    /// They are believed.
    #[serde(rename = "deposit.creditable")]
    DepositCreditable,
    /// They are gone.
    #[serde(rename = "deposit.removed")]
    DepositRemoved,
    /// Something on the chain that a person has to look at.
    #[serde(rename = "chain.alarm")]
    ChainAlarm,
    /// A person has.
    #[serde(rename = "chain.resumed")]
    ChainResumed,
}

/// What an event is about.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A withdrawal.
    Withdrawal(Box<WithdrawalView>),
    /// A deposit.
    Deposit(Box<Deposit>),
    /// A chain.
    Alarm(Alarm),
}

impl Journal {
    /// Events after a number, the oldest first, at most `most`.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn events(&self, after: u64, most: usize) -> Result<Vec<Event>, JournalError> {
        let table = self.read()?.open_table(tables::EVENTS)?;
        let found = table.range(after.saturating_add(1)..)?.take(most);
        found.map(|found| decode("an event", found?.1.value())).collect()
    }

    /// Number of the last event a receiver has taken; 0 where it took none.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn cursor(&self, receiver: &str) -> Result<u64, JournalError> {
        let table = self.read()?.open_table(tables::CURSORS)?;
        Ok(table.get(receiver)?.map_or(0, |number| number.value()))
    }

    /// A receiver has taken the events up to this number.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn move_cursor(&self, receiver: &str, number: u64) -> Result<(), JournalError> {
        self.write(|pages| {
            pages.transaction.open_table(tables::CURSORS)?.insert(receiver, number)?;
            Ok(())
        })
    }

    pub(super) fn last_recorded_event(&self) -> Result<u64, JournalError> {
        let table = self.read()?.open_table(tables::EVENTS)?;
        Ok(table.last()?.map_or(0, |(number, _)| number.value()))
    }
}

impl Pages {
    /// The number the next event will have.
    pub(super) fn next_event(&self) -> Result<u64, JournalError> {
        let table = self.transaction.open_table(tables::EVENTS)?;
        Ok(table.last()?.map_or(1, |(number, _)| number.value() + 1))
    }

    /// Adds an event.
    pub(super) fn tell(&mut self, kind: EventKind, chain: &str, subject: Subject) -> Result<u64, JournalError> {
        let number = self.next_event()?;
        let event = Event { number, time: now(), kind, chain: chain.to_owned(), subject };
        let bytes = encode("an event", &event)?;
        self.transaction.open_table(tables::EVENTS)?.insert(number, bytes.as_slice())?;
        self.last_event = Some(number);
        Ok(number)
    }
}
