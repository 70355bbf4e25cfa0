//! Checkpoints: at most one a second, of durable sizes only, never a smaller one.

use std::{
    fmt::Display,
    fs,
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use appliance_wire::{Checkpoint, LogKey, UnsignedCheckpoint};
use jiff::Timestamp;

use super::Operations;
use crate::{audit::Log, own_file};

/// The newest checkpoint, also in the file `checkpoint` of the state directory.
#[derive(Debug)]
pub struct Checkpoints {
    key: LogKey,
    token: String,
    path: PathBuf,
    newest: RwLock<Option<Arc<Checkpoint>>>,
    /// When the newest was made, in seconds since 1970.
    newest_at: AtomicI64,
}

const AT_MOST_EVERY: Duration = Duration::from_secs(1);

impl Checkpoints {
    /// Reads the stored checkpoint, and refuses a log that does not reach it: it was signed once, so it was durable.
    ///
    /// # Errors
    /// The stored checkpoint is not of this log.
    pub fn open(state_directory: &std::path::Path, key: LogKey, token: String, log: &Log) -> Result<Self, String> {
        let path = state_directory.join("checkpoint");
        let damaged = |error: &dyn Display| {
            format!(
                "the checkpoint {} cannot be used: {error}. Bring a copy of it back; where there is none, hold the log \
                 against a checkpoint that a watcher keeps (`chancery audit verify --since`), and only then remove it",
                path.display()
            )
        };
        let note = own_file::read_text(&path).map_err(|error| damaged(&error))?;
        let newest = note.map(|note| Checkpoint::open(&note, &key)).transpose().map_err(|error| damaged(&error))?;
        if let Some(checkpoint) = &newest {
            let root = log.root(checkpoint.size()).map_err(|error| error.to_string())?;
            if root.as_ref() != Some(checkpoint.root()) {
                return Err(format!(
                    "a checkpoint of {} entries was signed, and the log does not begin with them: it was shortened or \
                     replaced. Bring the newest copy of the state directory back",
                    checkpoint.size()
                ));
            }
        }
        let written = fs::metadata(&path).and_then(|file| file.modified()).ok().and_then(|at| at.try_into().ok());
        let newest_at = AtomicI64::new(written.map_or(0, Timestamp::as_second));
        Ok(Self { key, token, path, newest: RwLock::new(newest.map(Arc::new)), newest_at })
    }

    /// The log key.
    #[must_use]
    pub fn key(&self) -> &LogKey {
        &self.key
    }

    /// The token that holds the log key.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The newest.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<Checkpoint>> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the newest was made.
    #[must_use]
    pub fn newest_at(&self) -> Option<Timestamp> {
        let seconds = self.newest_at.load(Ordering::Relaxed);
        self.newest().and_then(|_| Timestamp::from_second(seconds).ok())
    }

    fn keep(&self, checkpoint: Checkpoint) -> std::io::Result<()> {
        own_file::replace(&self.path, checkpoint.note().as_bytes())?;
        self.newest_at.store(Timestamp::now().as_second(), Ordering::Relaxed);
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(checkpoint));
        Ok(())
    }
}

impl Operations {
    /// Signs checkpoints for ever, as the log grows.
    pub async fn keep_checkpointing(self: Arc<Self>) {
        let mut tick = tokio::time::interval(AT_MOST_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(reason) = self.checkpoint_now().await {
                tracing::warn!(reason, "no checkpoint was made");
            }
        }
    }

    /// Signs a checkpoint of the durable log, where it has grown since the last.
    ///
    /// # Errors
    /// The token cannot sign, or the file cannot be written.
    pub async fn checkpoint_now(&self) -> Result<(), String> {
        let checkpoints = &self.checkpoints;
        let tip = self.audit.log().tip();
        if checkpoints.newest().is_some_and(|newest| newest.size() >= tip.size) {
            return Ok(());
        }
        let origin = checkpoints.key.origin().to_owned();
        let unsigned = UnsignedCheckpoint { origin, size: tip.size, root: tip.root };
        let checkpoint = self.tokens.sign_checkpoint(&checkpoints.token, &checkpoints.key, unsigned).await?;
        checkpoints.keep(checkpoint).map_err(|error| format!("{}: {error}", checkpoints.path.display()))
    }
}
