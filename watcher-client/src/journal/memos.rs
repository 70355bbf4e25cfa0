//! Memos: on a chain whose keys have no children everybody pays to the key itself, and the memo says for whom.

use hsm_types::{KeyLabel, KeyPath};
use redb::ReadableTable;

use super::{Assigned, Journal, JournalError, Pages, decode, encode, tables};

impl Journal {
    /// Gives out the key's own address with the name as the memo; the same name gets the same ones, for ever.
    ///
    /// # Errors
    /// [`JournalError::Refused`] until the signer has told the address and deposits are looked for.
    pub fn assign_memo(&self, chain: &str, name: &str, key: &KeyLabel) -> Result<Assigned, JournalError> {
        self.write(|pages| {
            if let Some(known) = pages.memo(chain, name)? {
                return Ok(known);
            }
            let books = pages.chain(chain)?;
            // What comes before the first block that is looked at is nobody's deposit.
            let (Some(own), Some(_)) = (books.key, books.safe) else {
                return Err(JournalError::Refused(format!(
                    "no address of {chain} is ready: signer and node have to answer first"
                )));
            };
            let assigned = Assigned {
                name: name.to_owned(),
                chain: chain.to_owned(),
                address: own.address,
                key: KeyPath { label: key.clone(), child: None },
                memo: Some(name.to_owned()),
            };
            let bytes = encode(name, &assigned)?;
            pages.transaction.open_table(tables::MEMOS)?.insert((chain, name), bytes.as_slice())?;
            Ok(assigned)
        })
    }

    /// Memos given out on a chain, in their order, after one, at most `most`.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn memos(&self, chain: &str, after: Option<&str>, most: usize) -> Result<Vec<Assigned>, JournalError> {
        let table = self.read()?.open_table(tables::MEMOS)?;
        let after = after.map(|memo| format!("{memo}\0")).unwrap_or_default();
        let mut all = Vec::new();
        for found in table.range((chain, after.as_str())..)? {
            let (key, bytes) = found?;
            let (of, memo) = key.value();
            if of != chain || all.len() == most {
                break;
            }
            all.push(decode(memo, bytes.value())?);
        }
        Ok(all)
    }
}

impl Pages {
    /// What was given out with a memo.
    pub(super) fn memo(&self, chain: &str, memo: &str) -> Result<Option<Assigned>, JournalError> {
        let table = self.transaction.open_table(tables::MEMOS)?;
        let found = table.get((chain, memo))?;
        found.map(|bytes| decode(memo, bytes.value())).transpose()
    }
}
