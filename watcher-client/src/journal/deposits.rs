//! Deposits in the journal: what a node shows is held against what was seen before.

use std::collections::HashMap;

use appliance_wire::Amount;
use redb::ReadableTable;

use super::{
    Deposit, DepositState, EventKind, Journal, JournalError, Pages, Purpose, Subject, WithdrawalId, decode, encode,
    tables,
};
use crate::chains::{Asset, Block, Own, OwnAddress, Sighting, Tip};

/// What was read of a chain at one moment.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The safe block that reading began after, and the last block read.
    pub after: Block,
    /// The last block read, which is the tip where `pending` is not none.
    pub to: Block,
    /// What those blocks pay us.
    pub found: Vec<Sighting>,
    /// What waits to be mined; none where it was not asked for.
    pub pending: Option<Vec<Sighting>>,
    /// The tip.
    pub tip: Tip,
    /// The new safe block: an ancestor of `to`, so many blocks deep as the config demands.
    pub safe: Option<Block>,
    /// How deep a deposit must be to be believed: the block of the deposit counts as 1.
    pub confirmations: u64,
}

/// How much there is to look at on a chain.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Deposits seen and not believed yet.
    pub pending_deposits: u64,
    /// Withdrawals not settled.
    pub open_withdrawals: u64,
    /// The one of them that was made first, and when (RFC 3339).
    pub oldest: Option<(WithdrawalId, String)>,
}

impl Journal {
    /// Holds what was read against what was seen before: new deposits are pending, deep ones creditable, those that are
    /// in no block any more removed. Seen twice is seen once.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn observe(
        &self,
        chain: &str,
        own: &Own,
        assets: &[Asset],
        observation: &Observation,
    ) -> Result<(), JournalError> {
        self.write(|pages| {
            let pending = observation.pending.iter().flatten();
            let seen: HashMap<&str, &Sighting> =
                pending.chain(&observation.found).map(|sighting| (sighting.id.as_str(), sighting)).collect();
            for deposit in pages.unsettled(chain)? {
                if !seen.contains_key(deposit.id.as_str()) && observation.looked_for(&deposit) {
                    pages.remove_deposit(deposit)?;
                }
            }
            for sighting in seen.values() {
                pages.see(chain, own, assets, observation, sighting)?;
            }
            pages.settle_deposits(chain, observation)?;
            pages.change_chain(chain, |books| {
                books.tip = Some(observation.tip.clone());
                if let Some(safe) = &observation.safe {
                    books.settle(safe);
                }
            })?;
            Ok(())
        })
    }

    /// Deposits by the last change to them, after a cursor, at most `most`.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn deposits(&self, chain: Option<&str>, after: u64, most: usize) -> Result<Vec<Deposit>, JournalError> {
        let transaction = self.read()?;
        let changes = transaction.open_table(tables::DEPOSIT_CHANGES)?;
        let table = transaction.open_table(tables::DEPOSITS)?;
        let mut all = Vec::new();
        for found in changes.range(after.saturating_add(1)..)? {
            let (_, key) = found?;
            let (of, id) = key.value();
            if chain.is_some_and(|chain| chain != of) {
                continue;
            }
            let Some(bytes) = table.get((of, id))? else { continue };
            all.push(decode(id, bytes.value())?);
            if all.len() == most {
                break;
            }
        }
        Ok(all)
    }

    /// How much there is to look at on a chain.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn counts(&self, chain: &str) -> Result<Counts, JournalError> {
        let transaction = self.read()?;
        let table = transaction.open_table(tables::DEPOSITS)?;
        let mut counts = Counts::default();
        for found in transaction.open_table(tables::UNSETTLED)?.range((chain, "")..)? {
            let (key, _) = found?;
            if key.value().0 != chain {
                break;
            }
            let Some(bytes) = table.get(key.value())? else { continue };
            let deposit: Deposit = decode(key.value().1, bytes.value())?;
            counts.pending_deposits += u64::from(deposit.state == DepositState::Pending);
        }
        for id in self.open_withdrawals(chain)? {
            counts.open_withdrawals += 1;
            let withdrawal = self.withdrawal(&id)?;
            let Some(made) = withdrawal.history.first() else { continue };
            // Times of one form are in order as texts.
            if counts.oldest.as_ref().is_none_or(|(_, since)| made.at < *since) {
                counts.oldest = Some((id, made.at.clone()));
            }
        }
        Ok(counts)
    }
}

impl Observation {
    /// Whether a deposit would have been found, were it still there.
    fn looked_for(&self, deposit: &Deposit) -> bool {
        match &deposit.block {
            // Up to the tip, a block above it is no block of the chain any more.
            Some(block) => {
                block.height > self.after.height && (block.height <= self.to.height || self.pending.is_some())
            }
            None => self.pending.is_some(),
        }
    }

    fn is_deep(&self, block: Option<&Block>) -> bool {
        block.is_some_and(|block| block.height.saturating_add(self.confirmations) <= self.tip.block.height + 1)
    }
}

impl Pages {
    fn unsettled(&self, chain: &str) -> Result<Vec<Deposit>, JournalError> {
        let index = self.transaction.open_table(tables::UNSETTLED)?;
        let table = self.transaction.open_table(tables::DEPOSITS)?;
        let mut all = Vec::new();
        for found in index.range((chain, "")..)? {
            let (key, _) = found?;
            if key.value().0 != chain {
                break;
            }
            if let Some(bytes) = table.get(key.value())? {
                all.push(decode(key.value().1, bytes.value())?);
            }
        }
        Ok(all)
    }

    fn find_deposit(&self, chain: &str, id: &str) -> Result<Option<Deposit>, JournalError> {
        let table = self.transaction.open_table(tables::DEPOSITS)?;
        let found = table.get((chain, id))?;
        found.map(|bytes| decode(id, bytes.value())).transpose()
    }

    fn see(
        &mut self,
        chain: &str,
        own: &Own,
        assets: &[Asset],
        observation: &Observation,
        sighting: &Sighting,
    ) -> Result<(), JournalError> {
        let deep = observation.is_deep(sighting.block.as_ref());
        let state = if deep { DepositState::Creditable } else { DepositState::Pending };
        let known = self.find_deposit(chain, &sighting.id)?;
        if let Some(mut deposit) = known {
            if deposit.state == state && deposit.block == sighting.block {
                return Ok(());
            }
            let told = deposit.state != state || deposit.block.is_none() != sighting.block.is_none();
            deposit.state = state;
            deposit.block.clone_from(&sighting.block);
            return self.put_deposit(deposit, told);
        }
        let (Some(owner), Some(asset)) =
            (own.find(&sighting.address), assets.iter().find(|asset| asset.name == sighting.asset))
        else {
            return Ok(());
        };
        if self.is_ours(chain, &sighting.txid, owner)? {
            return Ok(());
        }
        if let Some(child) = owner.path.child {
            // Somebody knows it: where nobody does here, a later copy of this journal gave it out.
            self.transaction.open_table(tables::POOL)?.remove((chain, child))?;
        }
        let deposit = Deposit {
            id: sighting.id.clone(),
            chain: chain.to_owned(),
            txid: sighting.txid.clone(),
            address: sighting.address.clone(),
            key: owner.path.clone(),
            assigned_to: self.customer(chain, owner, sighting)?,
            asset: asset.name.clone(),
            amount: units(sighting.amount, asset),
            memo: sighting.memo.clone(),
            state,
            block: sighting.block.clone(),
            cursor: 0,
        };
        self.put_deposit(deposit, true)
    }

    /// Whose a deposit is: by the child it came to, or by its memo where it came to the key itself.
    fn customer(&self, chain: &str, owner: &OwnAddress, sighting: &Sighting) -> Result<Option<String>, JournalError> {
        match (owner.path.child, &sighting.memo) {
            (Some(_), _) => self.assigned_to(chain, &sighting.address),
            (None, Some(memo)) => Ok(self.memo(chain, memo)?.map(|assigned| assigned.name)),
            (None, None) => Ok(None),
        }
    }

    /// Whether a transaction of our own brings nothing new: a sweep, a top-up, change. A payout to one of our children is
    /// its owner's deposit.
    fn is_ours(&self, chain: &str, txid: &str, owner: &OwnAddress) -> Result<bool, JournalError> {
        let table = self.transaction.open_table(tables::TXIDS)?;
        let Some(id) = table.get((chain, txid))?.map(|id| id.value().to_owned()) else { return Ok(false) };
        let id = WithdrawalId::try_from(id).map_err(|what| JournalError::Damaged { what })?;
        let withdrawal = self.find_withdrawal(&id)?;
        let is_change = owner.path.child.is_none();
        Ok(withdrawal.is_some_and(|withdrawal| is_change || withdrawal.purpose != Purpose::Payout))
    }

    fn remove_deposit(&mut self, mut deposit: Deposit) -> Result<(), JournalError> {
        if deposit.state == DepositState::Removed {
            return Ok(());
        }
        deposit.state = DepositState::Removed;
        deposit.block = None;
        self.put_deposit(deposit, true)
    }

    /// Writes a deposit, with an event where others have to know.
    fn put_deposit(&mut self, mut deposit: Deposit, told: bool) -> Result<(), JournalError> {
        if told {
            let number = self.next_event()?;
            let mut changes = self.transaction.open_table(tables::DEPOSIT_CHANGES)?;
            changes.remove(deposit.cursor)?;
            changes.insert(number, (deposit.chain.as_str(), deposit.id.as_str()))?;
            drop(changes);
            deposit.cursor = number;
            let kind = match deposit.state {
                DepositState::Pending => EventKind::DepositPending,
                DepositState::Creditable => EventKind::DepositCreditable,
                DepositState::Removed => EventKind::DepositRemoved,
            };
            let chain = deposit.chain.clone();
            self.tell(kind, &chain, Subject::Deposit(Box::new(deposit.clone())))?;
        }
        let key = (deposit.chain.as_str(), deposit.id.as_str());
        let bytes = encode(&deposit.id, &deposit)?;
        self.transaction.open_table(tables::DEPOSITS)?.insert(key, bytes.as_slice())?;
        let mut unsettled = self.transaction.open_table(tables::UNSETTLED)?;
        if deposit.state == DepositState::Removed {
            // Where it comes again, it is found again.
            unsettled.remove(key)?;
        } else {
            unsettled.insert(key, ())?;
        }
        Ok(())
    }

    /// What is as deep as the safe block is not looked at again.
    fn settle_deposits(&mut self, chain: &str, observation: &Observation) -> Result<(), JournalError> {
        let Some(safe) = &observation.safe else { return Ok(()) };
        for deposit in self.unsettled(chain)? {
            let settled = deposit.block.as_ref().is_some_and(|block| block.height <= safe.height);
            if settled && deposit.state == DepositState::Creditable {
                self.transaction.open_table(tables::UNSETTLED)?.remove((chain, deposit.id.as_str()))?;
            }
        }
        Ok(())
    }

    /// Deposits above this height are looked at again. Reads all there are: deep reorganisations are rare.
    pub(super) fn reopen_deposits(&mut self, chain: &str, height: u64) -> Result<(), JournalError> {
        let mut again = Vec::new();
        for found in self.transaction.open_table(tables::DEPOSITS)?.range((chain, "")..)? {
            let (key, bytes) = found?;
            if key.value().0 != chain {
                break;
            }
            let deposit: Deposit = decode(key.value().1, bytes.value())?;
            if deposit.block.as_ref().is_some_and(|block| block.height > height) {
                again.push(deposit.id);
            }
        }
        let mut index = self.transaction.open_table(tables::UNSETTLED)?;
        for id in again {
            index.insert((chain, id.as_str()), ())?;
        }
        Ok(())
    }
}

fn units(amount: Amount, asset: &Asset) -> appliance_wire::Decimal {
    amount.to_decimal(asset.decimals)
}
