//! The thread behind the writer: brings what is committed into the store, and only then moves the anchor.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use super::{anchor::AnchorFile, log::Log};

const MOST_ENTRIES_BEHIND: u64 = 1_000;
const LONGEST_BEHIND: Duration = Duration::from_millis(100);

/// What the writer tells.
#[derive(Debug)]
pub(super) enum Follow {
    /// This many entries were committed.
    Committed(u64),
}

pub(super) struct Follower {
    pub(super) log: Arc<Log>,
    pub(super) anchor: AnchorFile,
    pub(super) messages: Receiver<Follow>,
    /// Told once when the store or the anchor can no longer be written: the writer then stops accepting.
    pub(super) failed: Box<dyn FnOnce(String) + Send>,
}

impl Follower {
    /// Runs until the writer hangs up; then everything is in the store and anchored.
    pub(super) fn run(mut self) {
        // sled may panic on a damaged file, also long after it was opened.
        let followed = catch_unwind(AssertUnwindSafe(|| self.follow_all()));
        if let Err(reason) = followed.unwrap_or_else(|_| Err("writing the store: sled panicked".to_owned())) {
            tracing::error!(reason, "the store behind the audit log failed");
            (self.failed)(reason);
        }
    }

    fn follow_all(&mut self) -> Result<(), String> {
        while let Ok(Follow::Committed(mut behind)) = self.messages.recv() {
            let deadline = Instant::now() + LONGEST_BEHIND;
            while behind < MOST_ENTRIES_BEHIND {
                match self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                    Ok(Follow::Committed(more)) => behind += more,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            self.follow()?;
        }
        // A snapshot may have come with the last message.
        self.follow()
    }

    fn follow(&mut self) -> Result<(), String> {
        let tip = self.log.follow().map_err(|error| error.to_string())?;
        self.anchor.write(tip.size, &tip.root, tip.bytes).map_err(|error| format!("writing the anchor: {error}"))?;
        crate::testing_only::station("after-anchor");
        Ok(())
    }
}
