//! The log store: 62 entries, each chained to the one before.

use std::collections::VecDeque;

use rand::{RngCore, rngs::OsRng};

use crate::yubihsm2::protocol::{Command, LOG_CAPACITY, LogEntries, LogEntry};

/// The log store of a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Log {
    pub(super) entries: VecDeque<LogEntry>,
    /// Number of the next entry.
    pub(super) next: u16,
    /// Digest of the entry before it, be it kept or not.
    pub(super) digest: [u8; 16],
    pub(super) unlogged_boots: u16,
    pub(super) unlogged_authentications: u16,
}

/// What happened to a log.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    /// First all entries up to this number were released.
    pub(super) released: Option<u16>,
    /// Then these came in.
    pub(super) taken: Vec<LogEntry>,
}

impl Changes {
    /// The log to which they happened; none where they cannot have.
    pub(super) fn apply(&self, mut log: Log) -> Option<Log> {
        if let Some(number) = self.released
            && !log.release(number)
        {
            return None;
        }
        self.taken.iter().for_each(|entry| log.take(*entry));
        Some(log)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.released.is_none() && self.taken.is_empty()
    }
}

/// What an entry says, before it has its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) command: u8,
    pub(super) length: u16,
    pub(super) session_key: u16,
    pub(super) target_key: u16,
    pub(super) second_key: u16,
    pub(super) result: u8,
}

impl Log {
    /// The log of a device just reset: one entry, chained to a random value nobody knows.
    pub(super) fn fresh() -> Self {
        let mut digest = [0; 16];
        OsRng.fill_bytes(&mut digest);
        let entries = VecDeque::new();
        let mut log = Self { entries, next: 1, digest, unlogged_boots: 0, unlogged_authentications: 0 };
        let (key, length) = (LogEntry::NO_KEY, u16::MAX);
        let reset = Event {
            command: LogEntry::RESET,
            length,
            session_key: key,
            target_key: key,
            second_key: key,
            result: 0xff,
        };
        log.append(reset, u32::MAX, false);
        log
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= LOG_CAPACITY
    }

    /// Appends an entry. In a full log it replaces the oldest, unless the log is to be read first.
    pub(super) fn append(&mut self, event: Event, tick: u32, keep_unread: bool) {
        if keep_unread && self.is_full() {
            return self.count_unlogged(event.command);
        }
        let Event { command, length, session_key, target_key, second_key, result } = event;
        let number = self.next;
        let digest = [0; 16];
        let mut entry = LogEntry { number, command, length, session_key, target_key, second_key, result, tick, digest };
        entry.digest = entry.digest_after(&self.digest);
        self.take(entry);
    }

    /// Takes an entry as it is. In a full log it replaces the oldest.
    pub(super) fn take(&mut self, entry: LogEntry) {
        if self.is_full() {
            self.entries.pop_front();
        }
        self.digest = entry.digest;
        self.next = entry.number.wrapping_add(1);
        self.entries.push_back(entry);
    }

    /// What happened since it was `earlier`; none where it became this one in another way.
    pub(super) fn since(&self, earlier: &Self) -> Option<Changes> {
        let first = self.entries.front().map(|entry| entry.number);
        let gone = earlier.entries.iter().take_while(|entry| Some(entry.number) != first).last();
        let taken = usize::from(self.next.wrapping_sub(earlier.next));
        let taken: Vec<LogEntry> = self.entries.range(self.entries.len().checked_sub(taken)?..).copied().collect();
        // The oldest are gone because they were released, or because others took their places.
        let either = [gone.map(|entry| entry.number), None].map(|released| Changes { released, taken: taken.clone() });
        either.into_iter().find(|changes| changes.apply(earlier.clone()).as_ref() == Some(self))
    }

    pub(super) fn append_boot(&mut self, keep_unread: bool) {
        let (command, session_key) = (LogEntry::BOOT, LogEntry::NO_KEY);
        let boot = Event { command, length: 0, session_key, target_key: 0, second_key: 0, result: 0 };
        self.append(boot, 0, keep_unread);
    }

    fn count_unlogged(&mut self, command: u8) {
        if command == LogEntry::BOOT {
            self.unlogged_boots = self.unlogged_boots.saturating_add(1);
        } else if [Command::CREATE_SESSION.0, Command::AUTHENTICATE_SESSION.0].contains(&command) {
            self.unlogged_authentications = self.unlogged_authentications.saturating_add(1);
        }
    }

    pub(super) fn read(&self) -> LogEntries {
        LogEntries {
            unlogged_boots: self.unlogged_boots,
            unlogged_authentications: self.unlogged_authentications,
            entries: self.entries.iter().copied().collect(),
        }
    }

    /// Frees the room of all entries up to the one of this number, and starts the counters of unlogged events again.
    /// False where there is no such entry.
    pub(super) fn release(&mut self, number: u16) -> bool {
        let Some(position) = self.entries.iter().position(|entry| entry.number == number) else { return false };
        self.entries.drain(..=position);
        (self.unlogged_boots, self.unlogged_authentications) = (0, 0);
        true
    }
}
