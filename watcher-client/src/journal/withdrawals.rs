//! Withdrawals in the journal: made, found, put off, ended.

use std::collections::BTreeSet;

use redb::ReadableTable;

use super::{
    EventKind, Journal, JournalError, Mined, Moment, Pages, Purpose, Subject, Transaction, Waiting, Wish, Withdrawal,
    WithdrawalId, WithdrawalState, WithdrawalView, decode, encode, tables,
};
use crate::chains::{Held, Order};

/// What came of creating a withdrawal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Creation {
    /// It is new.
    New(Withdrawal),
    /// It was there, with the same content.
    Same(Withdrawal),
}

/// Which withdrawals are asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this chain only.
    pub chain: Option<String>,
    /// In this state only.
    pub state: Option<WithdrawalState>,
    /// Those not settled only.
    pub open: bool,
    /// After this one, in the order of ids.
    pub after: Option<WithdrawalId>,
}

impl Journal {
    /// A withdrawal is wanted. The same id and content gives the same withdrawal, for ever.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] where the id has other content; see [`JournalError`].
    pub fn create(&self, id: &WithdrawalId, chain: &str, order: &Order) -> Result<Creation, JournalError> {
        self.write(|pages| {
            if let Some(known) = pages.find_withdrawal(id)? {
                let same = known.chain == chain && known.order == *order;
                let conflict =
                    || JournalError::Conflict(format!("{id} exists, and pays something else: take a new id"));
                return if same { Ok(Creation::Same(known)) } else { Err(conflict()) };
            }
            pages.create(id.clone(), chain, Purpose::Payout, order.clone()).map(Creation::New)
        })
    }

    /// A withdrawal of the watcher's own.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn create_own(&self, purpose: Purpose, chain: &str, order: &Order) -> Result<Withdrawal, JournalError> {
        self.write(|pages| {
            let books = pages.change_chain(chain, |books| books.own_withdrawals += 1)?;
            pages.create(WithdrawalId::own(purpose, chain, books.own_withdrawals), chain, purpose, order.clone())
        })
    }

    /// A withdrawal.
    ///
    /// # Errors
    /// [`JournalError::Unknown`]; see [`JournalError`].
    pub fn withdrawal(&self, id: &WithdrawalId) -> Result<Withdrawal, JournalError> {
        let table = self.read()?.open_table(tables::WITHDRAWALS)?;
        let found = table.get(id.as_str())?;
        let found = found.ok_or_else(|| JournalError::Unknown { what: format!("withdrawal {id}") })?;
        decode(id.as_str(), found.value())
    }

    /// Withdrawals by id, at most `most`.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn withdrawals(&self, filter: &Filter, most: usize) -> Result<Vec<Withdrawal>, JournalError> {
        let transaction = self.read()?;
        let table = transaction.open_table(tables::WITHDRAWALS)?;
        let after = filter.after.as_ref().map(|id| format!("{id}\0")).unwrap_or_default();
        let mut all = Vec::new();
        if filter.open {
            // Few are open of many that ever were.
            let mut ids = BTreeSet::new();
            for found in transaction.open_table(tables::OPEN)?.iter()? {
                let (key, _) = found?;
                ids.insert(key.value().1.to_owned());
            }
            for id in ids.range(after..) {
                if let Some(bytes) = table.get(id.as_str())? {
                    all.push(decode(id, bytes.value())?);
                }
                all.retain(|withdrawal| filter.admits(withdrawal));
                if all.len() == most {
                    break;
                }
            }
            return Ok(all);
        }
        for found in table.range(after.as_str()..)? {
            let (id, bytes) = found?;
            let withdrawal: Withdrawal = decode(id.value(), bytes.value())?;
            if filter.admits(&withdrawal) {
                all.push(withdrawal);
            }
            if all.len() == most {
                break;
            }
        }
        Ok(all)
    }

    /// Ids of the withdrawals of a chain that are not settled.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open_withdrawals(&self, chain: &str) -> Result<Vec<WithdrawalId>, JournalError> {
        let table = self.read()?.open_table(tables::OPEN)?;
        let mut ids = Vec::new();
        for found in table.range((chain, "")..)? {
            let (key, ()) = found.map(|(key, nothing)| (key, nothing.value()))?;
            let (of, id) = key.value();
            if of != chain {
                break;
            }
            let id = WithdrawalId::try_from(id.to_owned());
            ids.push(id.map_err(|what| JournalError::Damaged { what })?);
        }
        Ok(ids)
    }

    /// What the transactions of a chain use.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn held(&self, chain: &str) -> Result<Held, JournalError> {
        let table = self.read()?.open_table(tables::HELD)?;
        let mut held = BTreeSet::new();
        for found in table.range((chain, "")..)? {
            let (key, _) = found?;
            let (of, hold) = key.value();
            if of != chain {
                break;
            }
            held.insert(hold.to_owned());
        }
        Ok(held)
    }

    /// Asks for a higher fee, or that nobody is paid. What has no transaction yet is cancelled at once.
    ///
    /// # Errors
    /// [`JournalError::Refused`] where it is too late or too early; see [`JournalError`].
    pub fn wish(&self, id: &WithdrawalId, wish: Wish) -> Result<Withdrawal, JournalError> {
        self.write(|pages| {
            let mut withdrawal = pages.withdrawal(id)?;
            if withdrawal.state.is_settled() {
                let state = format!("{:?}", withdrawal.state).to_lowercase();
                return Err(JournalError::Refused(format!("{id} is {state}: nothing of it can be changed")));
            }
            if let Some(mined) = withdrawal.mined() {
                let request = &mined.request_id;
                return Err(JournalError::Refused(format!("{id}: its transaction {request} is mined already")));
            }
            let signed = withdrawal.transactions.iter().any(|transaction| transaction.signed.is_some());
            match wish {
                Wish::Cancel if withdrawal.transactions.is_empty() => {
                    return pages.end(withdrawal, WithdrawalState::Cancelled, "cancelled before it was signed");
                }
                Wish::Bump if !signed => {
                    return Err(JournalError::Refused(format!("{id} is not signed yet: there is no fee to raise")));
                }
                Wish::Bump if withdrawal.is_to_be_cancelled() => {
                    return Err(JournalError::Refused(format!(
                        "{id} is being cancelled, and a higher fee would pay it: ask for the cancellation again to raise \
                         its fee"
                    )));
                }
                Wish::Cancel | Wish::Bump => {}
            }
            let asked = match wish {
                Wish::Cancel => "cancellation asked for",
                Wish::Bump => "higher fee asked for",
            };
            withdrawal.history.push(Moment::now(asked));
            withdrawal.wish = Some(wish);
            withdrawal.waiting = None;
            pages.put(&withdrawal)?;
            pages.wakes = true;
            Ok(withdrawal)
        })
    }

    /// Gives a wish up: it cannot be fulfilled, and why.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn give_up_wish(&self, id: &WithdrawalId, wish: Wish, why: &str) -> Result<(), JournalError> {
        self.write(|pages| {
            let mut withdrawal = pages.withdrawal(id)?;
            // Another one may have come meanwhile.
            withdrawal.wish = withdrawal.wish.filter(|known| *known != wish);
            withdrawal.history.push(Moment::now(why));
            pages.put(&withdrawal)?;
            pages.tell_of(EventKind::WithdrawalWaiting, &withdrawal)
        })
    }

    /// Puts a withdrawal off. Told once for each reason.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn wait(&self, id: &WithdrawalId, waiting: Waiting) -> Result<(), JournalError> {
        self.write(|pages| {
            let mut withdrawal = pages.withdrawal(id)?;
            let known = withdrawal.waiting.as_ref().is_some_and(|before| before.why == waiting.why);
            if !known {
                withdrawal.history.push(Moment::now(&format!("waits: {}", waiting.why)));
            }
            withdrawal.waiting = Some(waiting);
            pages.put(&withdrawal)?;
            if known { Ok(()) } else { pages.tell_of(EventKind::WithdrawalWaiting, &withdrawal) }
        })
    }

    /// Records which block holds a transaction of the withdrawal, or that none does any more.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn record_mined(
        &self,
        id: &WithdrawalId,
        txid: &str,
        mined: Option<Mined>,
    ) -> Result<Withdrawal, JournalError> {
        self.write(|pages| {
            let mut withdrawal = pages.withdrawal(id)?;
            let is_it = |one: &&mut Transaction| one.signed.as_ref().is_some_and(|signed| signed.txid == txid);
            let found = withdrawal.transactions.iter_mut().find(is_it).filter(|found| found.mined != mined);
            let Some(transaction) = found else { return Ok(withdrawal) };
            let what = match &mined {
                Some(mined) if mined.succeeded => format!("in block {}", mined.block.height),
                Some(mined) => format!("in block {}, where it failed", mined.block.height),
                None => "in no block any more: the chain was reorganised".to_owned(),
            };
            let moment = Moment { txid: Some(txid.to_owned()), ..Moment::of(&what, &transaction.request_id) };
            if mined.is_some() {
                transaction.sent = true;
                withdrawal.waiting = None;
                withdrawal.state = WithdrawalState::Sent;
            }
            transaction.mined = mined;
            withdrawal.history.push(moment);
            pages.put(&withdrawal)?;
            pages.tell_of(EventKind::WithdrawalMined, &withdrawal)?;
            Ok(withdrawal)
        })
    }

    /// Ends a withdrawal. What it used is free.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn settle(&self, id: &WithdrawalId, state: WithdrawalState, why: &str) -> Result<Withdrawal, JournalError> {
        self.write(|pages| {
            let withdrawal = pages.withdrawal(id)?;
            pages.end(withdrawal, state, why)
        })
    }
}

impl Filter {
    fn admits(&self, withdrawal: &Withdrawal) -> bool {
        self.chain.as_ref().is_none_or(|chain| *chain == withdrawal.chain)
            && self.state.is_none_or(|state| state == withdrawal.state)
            && !(self.open && withdrawal.state.is_settled())
    }
}

impl Pages {
    fn create(
        &mut self,
        id: WithdrawalId,
        chain: &str,
        purpose: Purpose,
        order: Order,
    ) -> Result<Withdrawal, JournalError> {
        let withdrawal = Withdrawal {
            id,
            chain: chain.to_owned(),
            purpose,
            order,
            state: WithdrawalState::Created,
            transactions: Vec::new(),
            spent_ids: 0,
            wish: None,
            waiting: None,
            history: vec![Moment::now("created")],
        };
        self.put(&withdrawal)?;
        self.tell_of(EventKind::WithdrawalCreated, &withdrawal)?;
        Ok(withdrawal)
    }

    pub(super) fn end(
        &mut self,
        mut withdrawal: Withdrawal,
        state: WithdrawalState,
        why: &str,
    ) -> Result<Withdrawal, JournalError> {
        withdrawal.state = state;
        withdrawal.wish = None;
        withdrawal.waiting = None;
        withdrawal.history.push(Moment::now(why));
        if let Some(mined) = withdrawal.mined().and_then(|transaction| transaction.mined.as_ref()) {
            self.change_chain(&withdrawal.chain, |books| books.confirmed = Some(mined.block.clone()))?;
        }
        let holds: Vec<String> = withdrawal.holds().map(str::to_owned).collect();
        self.release(&withdrawal, &holds)?;
        self.put(&withdrawal)?;
        let kind = match state {
            WithdrawalState::Confirmed => EventKind::WithdrawalConfirmed,
            WithdrawalState::Cancelled => EventKind::WithdrawalCancelled,
            WithdrawalState::Failed => EventKind::WithdrawalFailed,
            WithdrawalState::Created | WithdrawalState::Signed | WithdrawalState::Sent => {
                return Err(JournalError::Refused(format!("{state:?} is no end")));
            }
        };
        self.tell_of(kind, &withdrawal)?;
        Ok(withdrawal)
    }

    pub(super) fn find_withdrawal(&self, id: &WithdrawalId) -> Result<Option<Withdrawal>, JournalError> {
        let bytes = self.read_bytes(tables::WITHDRAWALS, id.as_str())?;
        bytes.map(|bytes| decode(id.as_str(), &bytes)).transpose()
    }

    pub(super) fn withdrawal(&self, id: &WithdrawalId) -> Result<Withdrawal, JournalError> {
        self.find_withdrawal(id)?.ok_or_else(|| JournalError::Unknown { what: format!("withdrawal {id}") })
    }

    pub(super) fn put(&mut self, withdrawal: &Withdrawal) -> Result<(), JournalError> {
        let id = withdrawal.id.as_str();
        let bytes = encode(id, withdrawal)?;
        self.transaction.open_table(tables::WITHDRAWALS)?.insert(id, bytes.as_slice())?;
        let mut open = self.transaction.open_table(tables::OPEN)?;
        let key = (withdrawal.chain.as_str(), id);
        if withdrawal.state.is_settled() {
            open.remove(key)?;
        } else {
            open.insert(key, ())?;
        }
        Ok(())
    }

    pub(super) fn tell_of(&mut self, kind: EventKind, withdrawal: &Withdrawal) -> Result<(), JournalError> {
        let subject = Subject::Withdrawal(Box::new(WithdrawalView::short(withdrawal)));
        self.tell(kind, &withdrawal.chain, subject).map(|_| ())
    }

    /// Withdrawals that ended in a block above this height are looked at again. Reads all there are: deep
    /// reorganisations are rare.
    pub(super) fn reopen_withdrawals(&mut self, chain: &str, height: u64) -> Result<(), JournalError> {
        let mut again = Vec::new();
        for found in self.transaction.open_table(tables::WITHDRAWALS)?.iter()? {
            let (id, bytes) = found?;
            let withdrawal: Withdrawal = decode(id.value(), bytes.value())?;
            let mined = withdrawal.mined().and_then(|transaction| transaction.mined.as_ref());
            let above = mined.is_some_and(|mined| mined.block.height > height);
            if withdrawal.chain == chain && withdrawal.state.is_settled() && above {
                again.push(withdrawal);
            }
        }
        for mut withdrawal in again {
            withdrawal.state = WithdrawalState::Sent;
            withdrawal.history.push(Moment::now("looked at again after a deep reorganisation"));
            let holds: Vec<String> = withdrawal.holds().map(str::to_owned).collect();
            self.hold_what_is_free(&withdrawal, &holds)?;
            self.put(&withdrawal)?;
        }
        Ok(())
    }
}
