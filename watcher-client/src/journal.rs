//! What the watcher has decided and seen, durable before anything is done about it.
//!
//! One file (`redb`), one process. Every method that writes is one transaction, on stable storage when it returns: a
//! process killed anywhere goes on from the last one. They take milliseconds: from async code call them by
//! [`Journal::off`]. What a transaction changed is an event in it, so nobody is told what a crash took back.

use std::{path::Path, sync::Arc};

use appliance_wire::Format;
use redb::{Database, ReadOnlyDatabase, ReadableDatabase, ReadableTable, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use crate::formats;

mod addresses;
mod chain_books;
mod deposit;
mod deposits;
mod error;
mod event;
mod import;
mod memos;
mod steps;
mod tables;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod view;
mod withdrawal;
mod withdrawals;

pub use self::{
    addresses::{Assigned, PoolStanding},
    chain_books::{Alarm, ChainBooks, KeyAddress},
    deposit::{Deposit, DepositState},
    deposits::{Counts, Observation},
    error::JournalError,
    event::{Event, EventKind, Subject},
    import::Imported,
    steps::{Drafted, Dropped, Next, Recorded, Undrafted},
    view::{TransactionView, WithdrawalView},
    withdrawal::{
        Mined, Moment, Purpose, Transaction, TransactionState, Waiting, Wish, Withdrawal, WithdrawalId, WithdrawalState,
    },
    withdrawals::{Creation, Filter},
};

/// Written into new files, and looked at before a file is opened for writing: a name, and the format's number.
const FORMAT: &[u8] = b"chancery watcher journal 1";
const NAME: &str = "chancery watcher journal ";

/// The journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    books: Arc<Books>,
}

#[derive(Debug)]
struct Books {
    database: Database,
    /// Number of the last event.
    last_event: watch::Sender<u64>,
}

impl Journal {
    /// Opens the file, and makes it where it is missing.
    ///
    /// # Errors
    /// [`JournalError::Held`] where another process has it; see [`JournalError`].
    pub fn open(file: &Path) -> Result<Self, JournalError> {
        look_before(file)?;
        let database = Database::create(file).map_err(|error| JournalError::opening(file, error))?;
        let (last_event, _) = watch::channel(0);
        let journal = Self { books: Arc::new(Books { database, last_event }) };
        journal.check_format(file)?;
        let last = journal.last_recorded_event()?;
        journal.books.last_event.send_replace(last);
        Ok(journal)
    }

    /// Runs a piece of work with the journal where it holds nobody up.
    ///
    /// # Errors
    /// Those of the work; [`JournalError::Stopped`] when the runtime ends.
    pub async fn off<T, F>(&self, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, JournalError> + Send + 'static,
    {
        let journal = self.clone();
        tokio::task::spawn_blocking(move || work(&journal)).await.map_err(|_| JournalError::Stopped)?
    }

    /// Tells of each new event: the number of the last one.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.books.last_event.subscribe()
    }

    /// Waits for its turn to write, and writes nothing: whoever is stuck while writing keeps everybody waiting.
    ///
    /// # Errors
    /// Nothing can be written any more.
    pub fn await_turn(&self) -> Result<(), JournalError> {
        Ok(self.books.database.begin_write()?.abort()?)
    }

    fn check_format(&self, file: &Path) -> Result<(), JournalError> {
        self.write(|pages| {
            let found = pages.read_bytes(tables::META, "format")?;
            let version = pages.read_bytes(tables::META, "version")?;
            check_format(file, found.as_deref(), version.as_deref())?;
            pages.make_tables()
        })
    }

    /// One transaction. What it leaves is durable when this returns, or it left nothing.
    fn write<T>(&self, work: impl FnOnce(&mut Pages) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let mut pages = Pages { transaction: self.books.database.begin_write()?, last_event: None, wakes: false };
        let done = work(&mut pages)?;
        let (last_event, wakes) = (pages.last_event, pages.wakes);
        pages.transaction.commit()?;
        if wakes {
            self.books.last_event.send_modify(|_| ());
        }
        if let Some(last_event) = last_event {
            // Of two transactions the later one may come here first.
            self.books.last_event.send_if_modified(|known| {
                let is_news = *known < last_event;
                *known = last_event.max(*known);
                is_news
            });
        }
        Ok(done)
    }

    fn read(&self) -> Result<redb::ReadTransaction, JournalError> {
        Ok(self.books.database.begin_read()?)
    }
}

/// Refuses a journal of a newer version while nothing of it is changed: opening for writing writes. What cannot be opened
/// for reading alone (it is not there, or was not closed in order, or another has it) is looked at once it is open.
fn look_before(file: &Path) -> Result<(), JournalError> {
    let Ok(database) = ReadOnlyDatabase::open(file) else { return Ok(()) };
    let reading = database.begin_read()?;
    let Ok(meta) = reading.open_table(tables::META) else { return Ok(()) };
    let (found, version) = (meta.get("format")?, meta.get("version")?);
    let bytes =
        |guard: &Option<redb::AccessGuard<'_, &'static [u8]>>| guard.as_ref().map(|guard| guard.value().to_vec());
    check_format(file, bytes(&found).as_deref(), bytes(&version).as_deref())
}

/// What `meta` says: a journal of this format or none yet.
fn check_format(file: &Path, found: Option<&[u8]>, version: Option<&[u8]>) -> Result<(), JournalError> {
    let Some(found) = found.filter(|found| *found != FORMAT) else { return Ok(()) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let number = text(found).strip_prefix(NAME).and_then(|number| number.parse().ok());
    let other = || JournalError::OtherFormat { file: file.to_owned() };
    let number = number.ok_or_else(other)?;
    let version = version.map_or_else(|| "of later".to_owned(), text);
    let newer = formats::check(&Format { number, version }).err().ok_or_else(other)?;
    Err(JournalError::Newer { file: file.to_owned(), newer })
}

/// An open transaction.
struct Pages {
    transaction: WriteTransaction,
    last_event: Option<u64>,
    /// Whether there is something to be done that is no event.
    wakes: bool,
}

impl Pages {
    fn make_tables(&self) -> Result<(), JournalError> {
        tables::make_all(&self.transaction)?;
        let mut meta = self.transaction.open_table(tables::META)?;
        meta.insert("format", FORMAT)?;
        Ok(())
    }

    fn read_bytes(&self, table: tables::Named, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        let table = self.transaction.open_table(table)?;
        let found = table.get(name)?;
        Ok(found.map(|bytes| bytes.value().to_vec()))
    }
}

fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, JournalError> {
    serde_json::from_slice(bytes).map_err(|error| JournalError::Damaged { what: format!("{what}: {error}") })
}

fn encode(what: &str, value: &impl Serialize) -> Result<Vec<u8>, JournalError> {
    serde_json::to_vec(value).map_err(|error| JournalError::Damaged { what: format!("{what}: {error}") })
}

/// Now, as the journal writes it: RFC 3339 in UTC, to the millisecond.
fn now() -> String {
    // Always three digits, so that times of this form are in order as texts.
    format!("{:.3}", jiff::Timestamp::now())
}
