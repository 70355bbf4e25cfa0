//! Where the watcher stands on each chain.

use hsm_types::Algorithm;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EventKind, Journal, JournalError, Pages, Subject, decode, encode, now, tables};
use crate::chains::{Block, Tip};

/// How many settled blocks are remembered, to find where a deep reorganisation begins.
const REMEMBERED: usize = 200;

/// Where the watcher stands on a chain.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChainBooks {
    /// All deposits up to this block are settled; what comes after it is read again.
    pub safe: Option<Block>,
    /// Settled blocks before it, the oldest first.
    pub past: Vec<Block>,
    /// The tip when deposits were last read.
    pub tip: Option<Tip>,
    /// The last block that ended a withdrawal, while it is above the safe one.
    #[serde(default)]
    pub confirmed: Option<Block>,
    /// What a person has to look at: nothing is credited, drafted or sent until then.
    pub alarm: Option<Alarm>,
    /// Sweeps and top-ups made so far.
    pub own_withdrawals: u64,
    /// The last child pulled from the signer.
    pub last_child: Option<u32>,
    /// The key's own address, as first seen.
    pub key: Option<KeyAddress>,
}

/// The address of the chain's key itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyAddress {
    /// In its one spelling.
    pub address: String,
    /// Hexadecimal.
    pub public_key: String,
    /// Of which kind.
    pub algorithm: Algorithm,
}

/// What a person has to look at.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Alarm {
    /// What, and what to do.
    pub what: String,
    /// RFC 3339.
    pub since: String,
}

impl Journal {
    /// Where the watcher stands on a chain; nowhere at first.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn chain(&self, chain: &str) -> Result<ChainBooks, JournalError> {
        let table = self.read()?.open_table(tables::CHAINS)?;
        let found = table.get(chain)?;
        found.map_or_else(|| Ok(ChainBooks::default()), |bytes| decode(chain, bytes.value()))
    }

    /// Begins on a chain: what is in this block or before is nobody's deposit.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn begin_chain(&self, chain: &str, from: &Block) -> Result<(), JournalError> {
        self.write(|pages| pages.change_chain(chain, |books| books.safe = Some(from.clone())).map(|_| ()))
    }

    /// Keeps the key's own address at first sight.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] where another one was seen before: a journal is of one key.
    pub fn keep_key(&self, chain: &str, key: &KeyAddress) -> Result<(), JournalError> {
        self.write(|pages| {
            let known = pages.chain(chain)?.key;
            match known {
                Some(known) if known == *key => Ok(()),
                Some(known) => Err(JournalError::Conflict(format!(
                    "chain {chain}: the key's address is {} and was {} when this journal began: a journal is of one \
                     key; name another file as `run.journal` for another key",
                    key.address, known.address
                ))),
                None => pages.change_chain(chain, |books| books.key = Some(key.clone())).map(|_| ()),
            }
        })
    }

    /// The block that ended a withdrawal is of the chain no more: those that ended above the safe block are looked at
    /// again.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn reopen(&self, chain: &str) -> Result<(), JournalError> {
        self.write(|pages| {
            let books = pages.change_chain(chain, |books| books.confirmed = None)?;
            pages.reopen_withdrawals(chain, books.safe.map_or(0, |safe| safe.height))
        })
    }

    /// Stops crediting, drafting and sending on a chain until a person has looked.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn raise_alarm(&self, chain: &str, what: &str) -> Result<(), JournalError> {
        self.write(|pages| {
            if pages.chain(chain)?.alarm.is_some() {
                return Ok(());
            }
            let alarm = Alarm { what: what.to_owned(), since: now() };
            pages.change_chain(chain, |books| books.alarm = Some(alarm.clone()))?;
            pages.tell(EventKind::ChainAlarm, chain, Subject::Alarm(alarm))?;
            Ok(())
        })
    }

    /// Goes on after an alarm, from a block that is settled on the chain as it is now: every deposit and withdrawal
    /// after it is looked at again.
    ///
    /// # Errors
    /// [`JournalError::Refused`] where there is no alarm.
    pub fn resume_chain(&self, chain: &str, from: &Block) -> Result<(), JournalError> {
        self.write(|pages| {
            let Some(alarm) = pages.chain(chain)?.alarm else {
                return Err(JournalError::Refused(format!("chain {chain} has no alarm to go on from")));
            };
            pages.change_chain(chain, |books| {
                books.alarm = None;
                books.safe = Some(from.clone());
                books.confirmed = None;
                books.past.retain(|block| block.height < from.height);
            })?;
            pages.reopen_deposits(chain, from.height)?;
            pages.reopen_withdrawals(chain, from.height)?;
            pages.tell(EventKind::ChainResumed, chain, Subject::Alarm(alarm))?;
            Ok(())
        })
    }
}

impl Pages {
    pub(super) fn chain(&self, chain: &str) -> Result<ChainBooks, JournalError> {
        let bytes = self.read_bytes(tables::CHAINS, chain)?;
        bytes.map_or_else(|| Ok(ChainBooks::default()), |bytes| decode(chain, &bytes))
    }

    pub(super) fn change_chain(
        &mut self,
        chain: &str,
        change: impl FnOnce(&mut ChainBooks),
    ) -> Result<ChainBooks, JournalError> {
        let mut books = self.chain(chain)?;
        change(&mut books);
        let bytes = encode(chain, &books)?;
        self.transaction.open_table(tables::CHAINS)?.insert(chain, bytes.as_slice())?;
        Ok(books)
    }
}

impl ChainBooks {
    /// The safe block moves on.
    pub(super) fn settle(&mut self, safe: &Block) {
        self.confirmed = self.confirmed.take().filter(|block| block.height > safe.height);
        if let Some(before) = self.safe.replace(safe.clone())
            && before.height < safe.height
        {
            self.past.push(before);
            let surplus = self.past.len().saturating_sub(REMEMBERED);
            self.past.drain(..surplus);
        }
    }
}
