//! The log as a watcher's program follows it: what happened to its requests and to itself, by index, from anywhere on.
//!
//! Bounded work for every call, and never a signature: what is frozen gives its events all the same.

use std::sync::Arc;

use appliance_wire::{EventKind, EventsAnswer, ProblemCode, from_canonical};
use tokio::sync::Semaphore;

use super::Operations;
use crate::{
    audit::Log,
    policy::Policy,
    principal::{Peer, Principal},
    refusal::Refusal,
};

mod approvals;
mod event;
mod places;
mod stream;

use places::Places;
pub use stream::EventStream;

/// The most events of one call.
const MOST_EVENTS: usize = 100;
/// The most entries read for one call: some 0.1 s.
const MOST_READ: u64 = 10_000;
/// Calls that read at the same time: the rest of the processor signs.
const READ_AT_ONCE: usize = 2;
/// Calls of one watcher, and of all, that are read for or wait for that.
const CALLS: (usize, usize) = (8, 64);
/// Streams open at once, likewise.
const STREAMS: (usize, usize) = (8, 64);

/// What is shared by all who ask for events.
#[derive(Debug)]
pub(super) struct EventReaders {
    calls: Places,
    streams: Places,
    reading: Arc<Semaphore>,
}

impl Default for EventReaders {
    fn default() -> Self {
        let (calls, streams) = (Places::new(CALLS), Places::new(STREAMS));
        Self { calls, streams, reading: Arc::new(Semaphore::new(READ_AT_ONCE)) }
    }
}

impl Operations {
    /// The caller's events after entry `after`, or from the first on.
    ///
    /// # Errors
    /// `not-found` where the log has no such entry; `rate-limited`.
    pub async fn events(&self, peer: &Peer, after: Option<u64>) -> Result<EventsAnswer, Refusal> {
        let principal = self.principal(peer)?;
        let _place = self.event_readers.calls.take(principal.watcher())?;
        self.events_of(&principal, after).await
    }

    async fn events_of(&self, principal: &Principal, after: Option<u64>) -> Result<EventsAnswer, Refusal> {
        let log = Arc::clone(self.audit.log());
        let size = log.tip().size;
        let first = first_after(after, size)?;
        let whose = Whose::new(principal, self.audit.policy());
        let turn = Arc::clone(&self.event_readers.reading).acquire_owned().await.map_err(Refusal::log_unavailable)?;
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn; // also where nobody waits for it any more
            whose.page(&log, first, size)
        });
        let read = read.await;
        let mut page = read.map_err(Refusal::log_unavailable)??;
        if page.events.iter().any(|event| event.kind == EventKind::Approved) {
            self.count_approvals(principal, &mut page.events).await?;
        }
        Ok(page)
    }
}

/// The entry to begin with, in a log of `size`.
fn first_after(after: Option<u64>, size: u64) -> Result<u64, Refusal> {
    let first = after.map_or(0, |after| after.saturating_add(1));
    if first <= size {
        return Ok(first);
    }
    let detail = format!(
        "the log has {size} entries and none after {}: it went on from an older copy, or is another log. Look at your \
         requests, and follow from entry {} on",
        after.unwrap_or_default(),
        size.saturating_sub(1)
    );
    Err(Refusal::new(ProblemCode::NotFound, detail))
}

/// Whose events, and what is granted to it.
struct Whose {
    watcher: String,
    /// How canonical JSON names it as a member.
    named: String,
    policy: Arc<Policy>,
}

impl Whose {
    fn new(principal: &Principal, policy: Arc<Policy>) -> Self {
        let watcher = principal.watcher().to_owned();
        let named = format!("\"watcher\":{}", serde_json::Value::from(watcher.as_str()));
        Self { watcher, named, policy }
    }

    /// Entries from `first` on, of `size`.
    fn page(&self, log: &Log, first: u64, size: u64) -> Result<EventsAnswer, Refusal> {
        let end = size.min(first.saturating_add(MOST_READ));
        let mut events = Vec::new();
        let mut next = first;
        while next < end && events.len() < MOST_EVENTS {
            let bytes = log.bytes(next).map_err(Refusal::log_unavailable)?;
            if self.may_concern(&bytes) {
                let damaged = |error| Refusal::log_unavailable(format!("entry {next} is damaged: {error}"));
                events.extend(self.event(from_canonical(&bytes).map_err(damaged)?));
            }
            next += 1;
        }
        Ok(EventsAnswer { events, next: next.saturating_sub(1), more: next < size })
    }
}

#[cfg(test)]
mod tests;
