//! Events as they happen: each look is a call of its own, so whoever is no watcher any more gets no further.

use std::{sync::Arc, time::Duration};

use appliance_wire::Event;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{first_after, places::Place};
use crate::{operations::Operations, principal::Peer, refusal::Refusal};

/// How often it is looked whether the caller is a watcher still, where nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What comes within so long is read together.
const GATHER: Duration = Duration::from_millis(20);

/// A watcher's events, followed.
#[derive(Debug)]
pub struct EventStream {
    operations: Arc<Operations>,
    peer: Peer,
    after: Option<u64>,
    growth: watch::Receiver<u64>,
    _place: Place,
}

impl Operations {
    /// The caller's events after entry `after`, or from the first on, without end.
    ///
    /// # Errors
    /// As [`Operations::events`].
    pub fn follow_events(self: &Arc<Self>, peer: Peer, after: Option<u64>) -> Result<EventStream, Refusal> {
        let principal = self.principal(&peer)?;
        first_after(after, self.audit.log().tip().size)?;
        let place = self.event_readers.streams.take(principal.watcher())?;
        let growth = self.audit.log().growth();
        Ok(EventStream { operations: Arc::clone(self), peer, after, growth, _place: place })
    }
}

impl EventStream {
    /// The events that follow, once there are some.
    ///
    /// # Errors
    /// `unauthenticated` as soon as the caller is no watcher any more; `audit-log-unavailable`.
    pub async fn next(&mut self) -> Result<Vec<Event>, Refusal> {
        loop {
            self.growth.mark_unchanged();
            let principal = self.operations.principal(&self.peer)?;
            let page = self.operations.events_of(&principal, self.after).await?;
            self.after = Some(page.next);
            if !page.events.is_empty() {
                return Ok(page.events);
            }
            if page.more {
                continue;
            }
            if let Ok(grown) = timeout(LOOK_EVERY, self.growth.changed()).await {
                grown.map_err(Refusal::log_unavailable)?;
                sleep(GATHER).await;
            }
        }
    }

    /// Whether the caller is a watcher still: to be asked before each event is sent.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub fn is_still_of_a_watcher(&self) -> Result<(), Refusal> {
        self.operations.authenticate(&self.peer).map(|_| ())
    }
}
