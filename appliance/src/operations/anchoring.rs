//! The anchor in the token, kept while serving: read back before every writing, so that a second appliance on the same
//! token is noticed.

use std::{
    pin::pin,
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockWriteGuard},
    time::Duration,
};

use appliance_wire::Scope;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::Operations;
use crate::{
    audit::{Anchored, Log, NotAnchored, Opened, Run, Tip, TokenAnchor, UNANCHORED_PERCENT, compare, new_run},
    tokens::Tokens,
};

/// The anchor of one run.
#[derive(Debug)]
pub struct Anchoring {
    token: String,
    run: Run,
    /// The log as it was opened.
    opened: Tip,
    was_anchored: bool,
    held: Mutex<Held>,
    refused: OnceLock<NotAnchored>,
    written: RwLock<Written>,
}

/// The last writing of this run, and why the one after it failed.
#[derive(Debug, Default)]
struct Written {
    /// Entries it covers, and when.
    last: Option<(u64, Timestamp)>,
    failing: Option<String>,
}

/// How far the anchor reaches.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AnchorStatus {
    /// The token it is in.
    pub token: String,
    /// Entries it covers; none before the first writing of this run.
    pub size: Option<u64>,
    /// Seconds since it was written.
    pub age_s: Option<u64>,
    /// Whether there is anything beyond it that is worth a writing.
    pub is_behind: bool,
    /// Why it cannot be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
}

/// What the token holds, as far as is known.
#[derive(Debug)]
enum Held {
    /// It could not be asked yet, and the log was not held against it.
    Unread,
    /// One of these: two, where a writing was interrupted.
    Ours(Vec<Option<Vec<u8>>>),
    /// Something this run did not write.
    Foreign(String),
}

/// What the start found, for its `boot` entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FoundAnchor {
    /// Whether the token holds this run's anchor.
    pub is_written: bool,
    /// What is charged to every limit, in percent.
    pub charge_percent: Option<u8>,
}

const EVERY: Duration = Duration::from_secs(300);
/// After so long those who wait are told that the token is slow.
const PATIENCE: Duration = Duration::from_secs(8);
const AGAIN_AFTER: Duration = Duration::from_millis(250);

impl Anchoring {
    /// Holds the opened log against the anchor in `token`, and opens that for a new run. Where the token cannot be asked
    /// the start goes on, as if the last run had not ended in order; nothing is accepted before it could be.
    ///
    /// # Errors
    /// The log must not be gone on with; the system gives no randomness.
    pub async fn begin(tokens: &Tokens, token: &str, opened: &Opened) -> Result<(Self, FoundAnchor), String> {
        let run = new_run()?;
        let this = Self {
            token: token.to_owned(),
            run,
            opened: opened.log().tip(),
            was_anchored: opened.state().anchored,
            held: Mutex::new(Held::Unread),
            refused: OnceLock::new(),
            written: RwLock::default(),
        };
        let unknown = FoundAnchor { is_written: false, charge_percent: Some(UNANCHORED_PERCENT) };
        let found = match tokens.read_anchor(token).await {
            Ok(found) => found,
            Err(reason) => {
                tracing::warn!(reason, "the log's anchor cannot be read: nothing is accepted until it can");
                return Ok((this, unknown));
            }
        };
        let anchored = this.compare(found.as_deref(), opened.log()).map_err(|refused| refused.to_string())?;
        if anchored == Anchored::Perhaps {
            tracing::warn!(percent = UNANCHORED_PERCENT, "the last run did not end in order: every limit is charged");
        }
        let charge_percent = (anchored == Anchored::Perhaps).then_some(UNANCHORED_PERCENT);
        match this.write(tokens, found, this.opened, true).await {
            Ok(()) => Ok((this, FoundAnchor { is_written: true, charge_percent })),
            Err(reason) => {
                tracing::warn!(reason, "the log's anchor cannot be written: nothing is accepted until it can");
                Ok((this, unknown))
            }
        }
    }

    /// Why the log must not be gone on with, where that was found only while serving.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.refused.get().map(ToString::to_string)
    }

    /// When this run wrote it last.
    #[must_use]
    pub fn written_at(&self) -> Option<Timestamp> {
        self.written.read().unwrap_or_else(PoisonError::into_inner).last.map(|(_, at)| at)
    }

    fn written(&self) -> RwLockWriteGuard<'_, Written> {
        self.written.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self, is_behind: bool) -> AnchorStatus {
        let written = self.written.read().unwrap_or_else(PoisonError::into_inner);
        let age = |at: Timestamp| u64::try_from(Timestamp::now().duration_since(at).as_secs()).unwrap_or(0);
        AnchorStatus {
            token: self.token.clone(),
            size: written.last.map(|(size, _)| size),
            age_s: written.last.map(|(_, at)| age(at)),
            is_behind,
            failing: written.failing.clone(),
        }
    }

    fn compare(&self, found: Option<&[u8]>, log: &Log) -> Result<Anchored, NotAnchored> {
        compare(found, log, self.opened, self.was_anchored, &self.token)
    }

    /// Writes over what was `found` there.
    async fn write(&self, tokens: &Tokens, found: Option<Vec<u8>>, at: Tip, is_open: bool) -> Result<(), String> {
        let anchor = TokenAnchor { size: at.size, root: at.root, run: self.run, is_open }.encode();
        *self.held.lock().await = Held::Ours(vec![found, Some(anchor.clone())]);
        tokens.write_anchor(&self.token, anchor.clone()).await?;
        *self.held.lock().await = Held::Ours(vec![Some(anchor)]);
        self.written().last = Some((at.size, Timestamp::now()));
        Ok(())
    }

    /// Whether this run may write over what was found. Else why not; the second appliance is new only once.
    async fn may_replace(&self, found: Option<&Vec<u8>>, log: &Log) -> Result<(), NotReplaced> {
        let mut held = self.held.lock().await;
        match &*held {
            Held::Unread => match self.compare(found.map(Vec::as_slice), log) {
                Ok(_) => Ok(()),
                Err(refused) => {
                    let reason = refused.to_string();
                    let _ = self.refused.set(refused);
                    Err(NotReplaced::Known(reason))
                }
            },
            Held::Ours(possible) if possible.iter().any(|possible| possible.as_ref() == found) => Ok(()),
            Held::Ours(_) => {
                let reason = format!(
                    "the anchor in token {} is not what this run wrote last: another appliance uses this token, or \
                     somebody changed it. Stop the other one; then start this one anew",
                    self.token
                );
                *held = Held::Foreign(reason.clone());
                Err(NotReplaced::Foreign(reason))
            }
            Held::Foreign(reason) => Err(NotReplaced::Known(reason.clone())),
        }
    }
}

/// Why an anchor is left as it is.
enum NotReplaced {
    /// Somebody else wrote it, and that is new.
    Foreign(String),
    /// As was found before, or the log must not be gone on with.
    Known(String),
}

impl Operations {
    /// Keeps the anchor near the log's end: at once where somebody waits for it, else every few minutes. Ends the
    /// appliance by `stop` where the token, once it can be asked, shows that the log must not be gone on with.
    pub async fn keep_anchoring(self: Arc<Self>, stop: CancellationToken) {
        let mut told = None;
        loop {
            let due = self.audit.anchor_due();
            let is_needed = tokio::time::timeout(EVERY, due.needed()).await.is_ok();
            if !is_needed && !due.is_behind() {
                continue;
            }
            let failed = self.anchor_and_tell().await.err();
            if failed != told {
                failed.iter().for_each(|reason| tracing::error!(reason, "the log's anchor was not written"));
                told.clone_from(&failed);
            }
            if self.anchoring.refused().is_some() {
                return stop.cancel();
            }
            if failed.is_some() {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }

    /// Writes the anchor for the durable log, and tells those who wait.
    ///
    /// # Errors
    /// Why it was not written.
    pub async fn anchor_and_tell(&self) -> Result<(), String> {
        let mut writing = pin!(self.anchor_now(true));
        let outcome = match tokio::time::timeout(PATIENCE, &mut writing).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let reason = format!("token {} has not answered for {} s", self.anchoring.token, PATIENCE.as_secs());
                self.anchoring.written().failing = Some(reason.clone());
                self.audit.anchored(Err(reason)).await;
                writing.await
            }
        };
        self.anchoring.written().failing = outcome.clone().err();
        self.audit.anchored(outcome.clone()).await;
        outcome.map(|_| ())
    }

    /// Says in the token that this run ended in order, with the log as it is. Nothing may be appended any more.
    pub(super) async fn close_anchor(&self) {
        if let Err(reason) = self.anchor_now(false).await {
            tracing::error!(reason, "the log's anchor stays open: the next start charges every limit");
        }
    }

    /// The number of entries it then covers.
    async fn anchor_now(&self, is_open: bool) -> Result<u64, String> {
        let (anchoring, log) = (&self.anchoring, self.audit.log());
        let tip = log.tip();
        let found = self.tokens.read_anchor(&anchoring.token).await?;
        match anchoring.may_replace(found.as_ref(), log).await {
            Ok(()) => {}
            Err(NotReplaced::Known(reason)) => return Err(reason),
            Err(NotReplaced::Foreign(reason)) => {
                let frozen = self.freeze_by(Scope::All, "token anchor".to_owned(), reason.clone()).await;
                if let Err(refusal) = frozen {
                    tracing::error!(detail = refusal.problem.detail, "frozen because of the token's anchor");
                }
                return Err(reason);
            }
        }
        anchoring.write(&self.tokens, found, tip, is_open).await.map(|()| tip.size)
    }
}
