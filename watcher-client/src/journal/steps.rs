//! The steps of a withdrawal, as values: each can be had only from the journal, after the step before it is durable.
//!
//! Nothing is signed that is not a [`Drafted`], and nothing is sent that is not a [`Recorded`]: a process killed between
//! two steps finds the same value again, and goes on with the same bytes.

use redb::ReadableTable;

use super::{
    EventKind, Journal, JournalError, Moment, Pages, Transaction, Waiting, Wish, Withdrawal, WithdrawalId,
    WithdrawalState, now, tables,
};
use crate::chains::{Draft, Signed};

/// What is to be done next about a withdrawal.
#[derive(Clone, Debug)]
pub enum Next {
    /// An unsigned transaction is to be made.
    Draft(Undrafted),
    /// The last transaction is to be signed.
    Sign(Drafted),
    /// The last transaction is to be sent, and watched.
    Send(Recorded),
    /// Another transaction is to be made in place of those there are.
    Vary(Recorded, Wish),
    /// Nothing.
    Nothing,
}

/// A withdrawal without a transaction.
#[derive(Clone, Debug)]
pub struct Undrafted {
    withdrawal: Withdrawal,
}

/// A withdrawal whose last transaction is recorded and not signed.
#[derive(Clone, Debug)]
pub struct Drafted {
    withdrawal: Withdrawal,
    transaction: Box<Transaction>,
}

/// Why an unsigned transaction is taken back.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// In words.
    pub why: String,
    /// Whether its request id is bound at the signer all the same, for ever.
    pub bound: bool,
    /// When a further one is drafted.
    pub waiting: Option<Waiting>,
}

/// A withdrawal whose last transaction is recorded with its signatures.
#[derive(Clone, Debug)]
pub struct Recorded {
    withdrawal: Withdrawal,
    signed: Signed,
}

impl Undrafted {
    /// The withdrawal.
    #[must_use]
    pub fn withdrawal(&self) -> &Withdrawal {
        &self.withdrawal
    }
}

impl Drafted {
    /// The withdrawal.
    #[must_use]
    pub fn withdrawal(&self) -> &Withdrawal {
        &self.withdrawal
    }

    /// What is to be signed, and under which id.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The request it is signed in place of: the last one that was signed.
    #[must_use]
    pub fn replaces(&self) -> Option<&Transaction> {
        self.withdrawal.transactions.iter().rev().find(|transaction| transaction.signed.is_some())
    }
}

impl Recorded {
    /// The withdrawal.
    #[must_use]
    pub fn withdrawal(&self) -> &Withdrawal {
        &self.withdrawal
    }

    /// What may be sent.
    #[must_use]
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// The unsigned forms of all its transactions, in the order in which they were made.
    #[must_use]
    pub fn drafts(&self) -> Vec<Draft> {
        self.withdrawal.transactions.iter().map(|transaction| transaction.draft.clone()).collect()
    }
}

impl Withdrawal {
    fn next(self) -> Next {
        if self.state.is_settled() {
            return Next::Nothing;
        }
        let Some(last) = self.transactions.last() else { return Next::Draft(Undrafted { withdrawal: self }) };
        let Some(signed) = last.signed.clone() else {
            let transaction = Box::new(last.clone());
            return Next::Sign(Drafted { withdrawal: self, transaction });
        };
        let wish = self.wish;
        let recorded = Recorded { withdrawal: self, signed };
        wish.map_or(Next::Send(recorded.clone()), |wish| Next::Vary(recorded, wish))
    }
}

impl Journal {
    /// What is to be done next about a withdrawal.
    ///
    /// # Errors
    /// [`JournalError::Unknown`]; see [`JournalError`].
    pub fn next(&self, id: &WithdrawalId) -> Result<Next, JournalError> {
        Ok(self.withdrawal(id)?.next())
    }

    /// Records the first unsigned transaction; from now on what it spends is its own.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] where another withdrawal uses the same coin or nonce; see [`JournalError`].
    pub fn record_draft(&self, undrafted: &Undrafted, draft: Draft) -> Result<Drafted, JournalError> {
        self.add_transaction(&undrafted.withdrawal, None, draft)
    }

    /// Records an unsigned transaction in place of those there are. What was wished for is thereby begun.
    ///
    /// # Errors
    /// As [`Journal::record_draft`].
    pub fn record_variant(&self, recorded: &Recorded, wish: Wish, draft: Draft) -> Result<Drafted, JournalError> {
        self.add_transaction(&recorded.withdrawal, Some(wish), draft)
    }

    fn add_transaction(&self, seen: &Withdrawal, wish: Option<Wish>, draft: Draft) -> Result<Drafted, JournalError> {
        self.write(|pages| {
            let mut withdrawal = pages.unchanged(seen)?;
            pages.hold(&withdrawal, &draft.holds)?;
            let position = withdrawal.transactions.len() + withdrawal.spent_ids;
            let request_id = withdrawal.id.request_id(position);
            let request_id = request_id.ok_or_else(|| {
                JournalError::Refused(format!("{}: {position} transactions are too many", withdrawal.id))
            })?;
            let what = match wish {
                None => "drafted",
                Some(Wish::Bump) => "drafted again with a higher fee",
                Some(Wish::Cancel) => "cancellation drafted",
            };
            let moment = Moment { fee: Some(draft.fee.clone()), ..Moment::of(what, &request_id) };
            let transaction = Transaction {
                request_id,
                variation: wish.map(Into::into),
                draft,
                signed: None,
                entry: None,
                sent: false,
                mined: None,
            };
            withdrawal.transactions.push(transaction.clone());
            if withdrawal.wish == wish {
                withdrawal.wish = None;
            }
            withdrawal.waiting = None;
            withdrawal.history.push(moment);
            pages.put(&withdrawal)?;
            Ok(Drafted { withdrawal, transaction: Box::new(transaction) })
        })
    }

    /// Takes an unsigned transaction back: it will not be signed. What it would have spent is free again. The first of a
    /// withdrawal is put off by `waiting` and drafted again later; without the others the withdrawal is as it was before.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn drop_draft(&self, drafted: &Drafted, dropped: &Dropped) -> Result<(), JournalError> {
        self.write(|pages| {
            let mut withdrawal = pages.unchanged(&drafted.withdrawal)?;
            let Some(transaction) = withdrawal.transactions.pop() else { return Ok(()) };
            pages.release(&withdrawal, &transaction.draft.holds)?;
            withdrawal.spent_ids += usize::from(dropped.bound);
            let what = format!("not signed: {}", dropped.why);
            withdrawal.history.push(Moment::of(&what, &transaction.request_id));
            if withdrawal.transactions.is_empty() && withdrawal.wish == Some(Wish::Cancel) {
                let ended = pages.end(withdrawal, WithdrawalState::Cancelled, "cancelled before it was signed");
                return ended.map(|_| ());
            }
            withdrawal.waiting = dropped.waiting.clone().filter(|_| withdrawal.transactions.is_empty());
            pages.put(&withdrawal)?;
            pages.tell_of(EventKind::WithdrawalWaiting, &withdrawal)
        })
    }

    /// Records the signatures. Before this is durable nothing is sent.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn record_signed(
        &self,
        drafted: &Drafted,
        signed: Signed,
        entry: Option<u64>,
    ) -> Result<Recorded, JournalError> {
        self.write(|pages| {
            let mut withdrawal = pages.unchanged(&drafted.withdrawal)?;
            let id = &drafted.transaction.request_id;
            let Some(transaction) = withdrawal.transactions.last_mut().filter(|last| last.request_id == *id) else {
                return Err(JournalError::Conflict(format!("{id} is not the last transaction")));
            };
            transaction.signed = Some(signed.clone());
            transaction.entry = entry;
            pages
                .transaction
                .open_table(tables::TXIDS)?
                .insert((withdrawal.chain.as_str(), signed.txid.as_str()), withdrawal.id.as_str())?;
            withdrawal.state = WithdrawalState::Signed;
            withdrawal.waiting = None;
            let txid = Some(signed.txid.clone());
            withdrawal.history.push(Moment { txid, entry, ..Moment::of("signed", id) });
            pages.put(&withdrawal)?;
            pages.tell_of(EventKind::WithdrawalSigned, &withdrawal)?;
            Ok(Recorded { withdrawal, signed })
        })
    }

    /// A node has the last transaction.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn record_sent(&self, recorded: &Recorded) -> Result<(), JournalError> {
        self.write(|pages| {
            let mut withdrawal = pages.withdrawal(&recorded.withdrawal.id)?;
            let txid = &recorded.signed.txid;
            let sent = withdrawal.transactions.iter_mut().find(|one| one.signed.as_ref() == Some(&recorded.signed));
            let Some(transaction) = sent.filter(|transaction| !transaction.sent) else { return Ok(()) };
            transaction.sent = true;
            let moment = Moment { txid: Some(txid.clone()), ..Moment::of("sent", &transaction.request_id) };
            withdrawal.history.push(moment);
            withdrawal.waiting = None;
            withdrawal.state = WithdrawalState::Sent;
            pages.put(&withdrawal)?;
            pages.tell_of(EventKind::WithdrawalSent, &withdrawal)
        })
    }
}

impl Pages {
    /// The withdrawal as it is now, which must have the transactions that were seen: nobody else drafted meanwhile. A
    /// wish may have come.
    fn unchanged(&self, seen: &Withdrawal) -> Result<Withdrawal, JournalError> {
        let withdrawal = self.withdrawal(&seen.id)?;
        if withdrawal.transactions != seen.transactions || withdrawal.state.is_settled() {
            return Err(JournalError::Conflict(format!("{} has gone on meanwhile", seen.id)));
        }
        Ok(withdrawal)
    }

    /// Takes coins or nonces for a withdrawal; those it has already stay its own.
    pub(super) fn hold(&mut self, withdrawal: &Withdrawal, holds: &[String]) -> Result<(), JournalError> {
        let mut table = self.transaction.open_table(tables::HELD)?;
        for hold in holds {
            let key = (withdrawal.chain.as_str(), hold.as_str());
            let holder = table.insert(key, withdrawal.id.as_str())?.map(|holder| holder.value().to_owned());
            if let Some(holder) = holder.filter(|holder| holder != withdrawal.id.as_str()) {
                return Err(JournalError::Conflict(format!("{hold} is used by {holder}")));
            }
        }
        Ok(())
    }

    /// Likewise, but for what another withdrawal has by now: the chain decides between the two.
    pub(super) fn hold_what_is_free(&mut self, withdrawal: &Withdrawal, holds: &[String]) -> Result<(), JournalError> {
        let mut table = self.transaction.open_table(tables::HELD)?;
        for hold in holds {
            let key = (withdrawal.chain.as_str(), hold.as_str());
            if table.get(key)?.is_none() {
                table.insert(key, withdrawal.id.as_str())?;
            }
        }
        Ok(())
    }

    /// Lets go of what no remaining transaction of the withdrawal uses.
    pub(super) fn release(&mut self, withdrawal: &Withdrawal, holds: &[String]) -> Result<(), JournalError> {
        let mut table = self.transaction.open_table(tables::HELD)?;
        for hold in holds.iter().filter(|hold| withdrawal.state.is_settled() || !withdrawal.uses(hold)) {
            let key = (withdrawal.chain.as_str(), hold.as_str());
            let is_its_own = table.get(key)?.is_some_and(|holder| holder.value() == withdrawal.id.as_str());
            if is_its_own {
                table.remove(key)?;
            }
        }
        Ok(())
    }
}

impl Withdrawal {
    fn uses(&self, hold: &str) -> bool {
        self.holds().any(|held| held == hold)
    }
}

impl Moment {
    pub(super) fn now(what: &str) -> Self {
        Self { at: now(), what: what.to_owned(), request_id: None, txid: None, entry: None, fee: None }
    }

    pub(super) fn of(what: &str, request_id: &appliance_wire::RequestId) -> Self {
        Self { request_id: Some(request_id.clone()), ..Self::now(what) }
    }
}
