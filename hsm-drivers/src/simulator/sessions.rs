//! The sixteen sessions of a device.

use std::{collections::BTreeMap, time::Duration};

use super::principal::Principal;
use crate::yubihsm2::protocol::{
    SESSION_IDLE_SECONDS, SESSIONS,
    channel::card::{Channel, Handshake},
};

/// How far a session has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Offered; the host has shown nothing yet.
    Offered(Handshake),
    /// Open.
    Open(Channel),
    /// Taken by nobody.
    Abandoned,
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) stage: Stage,
    pub(super) principal: Principal,
    last_used: Duration,
}

/// All of them, by number.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<u8, Session>);

impl Sessions {
    /// The lowest number that is free.
    pub(super) fn free_number(&mut self, now: Duration) -> Option<u8> {
        self.forget_idle(now);
        (0..SESSIONS).find(|number| !self.0.contains_key(number))
    }

    pub(super) fn insert(&mut self, number: u8, stage: Stage, principal: Principal, now: Duration) {
        self.0.insert(number, Session { stage, principal, last_used: now });
    }

    /// A session in use; being looked for is a use.
    pub(super) fn use_one(&mut self, number: u8, now: Duration) -> Option<&mut Session> {
        self.forget_idle(now);
        let session = self.0.get_mut(&number)?;
        session.last_used = now;
        Some(session)
    }

    /// Takes a session out.
    pub(super) fn take(&mut self, number: u8, now: Duration) -> Option<Session> {
        self.forget_idle(now);
        self.0.remove(&number)
    }

    pub(super) fn forget(&mut self, number: u8) {
        self.0.remove(&number);
    }

    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }

    fn forget_idle(&mut self, now: Duration) {
        let idle = Duration::from_secs(SESSION_IDLE_SECONDS);
        self.0.retain(|_, session| now.saturating_sub(session.last_used) <= idle);
    }
}
