//! Withdrawals of other journals, with what was signed for them. What their files say of a chain is looked up here.

use super::{EventKind, Journal, JournalError, Moment, Pages, Transaction, Withdrawal, WithdrawalState, tables};
use crate::chains::Signed;

/// What came of taking in a withdrawal of another machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Imported {
    /// Its signed transaction was not known here.
    New(Withdrawal),
    /// It was.
    Known(Withdrawal),
}

impl Journal {
    /// Takes in a signed transaction of a withdrawal that another machine had signed. Where the withdrawal is known, it
    /// must be the one that waits to be signed here.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] where it is not; see [`JournalError`].
    pub fn import(&self, from: &Withdrawal, signed: &Signed) -> Result<Imported, JournalError> {
        self.write(|pages| {
            let known = pages.find_withdrawal(&from.id)?;
            let has = |one: &Withdrawal| one.transactions.iter().any(|made| made.signed.as_ref() == Some(signed));
            match known {
                Some(known) if has(&known) => return Ok(Imported::Known(known)),
                Some(known) => {
                    let (id, chain) = (&from.id, &known.chain);
                    return Err(JournalError::Conflict(format!("{id} is known on {chain} with other transactions")));
                }
                None => {}
            }
            let mut withdrawal = from.clone();
            // What the chain did with them is looked up here.
            (withdrawal.state, withdrawal.wish, withdrawal.waiting) = (WithdrawalState::Signed, None, None);
            for transaction in &mut withdrawal.transactions {
                (transaction.sent, transaction.mined) = (false, None);
                pages.hold_all(from, transaction)?;
            }
            withdrawal.history.push(Moment::now("imported"));
            pages.put(&withdrawal)?;
            pages.tell_of(EventKind::WithdrawalSigned, &withdrawal)?;
            Ok(Imported::New(withdrawal))
        })
    }
}

impl Pages {
    fn hold_all(&mut self, withdrawal: &Withdrawal, transaction: &Transaction) -> Result<(), JournalError> {
        self.hold(withdrawal, &transaction.draft.holds)?;
        let Some(signed) = &transaction.signed else { return Ok(()) };
        let key = (withdrawal.chain.as_str(), signed.txid.as_str());
        let mut table = self.transaction.open_table(tables::TXIDS)?;
        let carried_out = table.insert(key, withdrawal.id.as_str())?.map(|other| other.value().to_owned());
        match carried_out.filter(|other| other != withdrawal.id.as_str()) {
            Some(other) => Err(JournalError::Conflict(format!("{} carries {other} out", signed.txid))),
            None => Ok(()),
        }
    }
}
