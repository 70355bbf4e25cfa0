//! A request that takes its connection over, as a WebSocket does: still counted, still bounded, and told of the stop.

use std::sync::Arc;

use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::activity::{Activity, InProgress};

/// Comes with each request that may take its connection over: those of HTTP/1.1.
#[derive(Clone, Debug)]
pub(in crate::transport) struct Takeover {
    pub(super) activity: Arc<Activity>,
    pub(super) taken: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl Takeover {
    /// The connection is taken over until the result is dropped. To be held before the request is answered: what comes
    /// then is no header of a next one.
    pub(in crate::transport) fn begin(self) -> Taken {
        Taken { _in_progress: self.activity.begin(), _taken: self.taken.token(), stop: self.stop }
    }
}

/// A connection that was taken over.
#[derive(Debug)]
pub(in crate::transport) struct Taken {
    _in_progress: InProgress,
    _taken: TaskTrackerToken,
    stop: CancellationToken,
}

impl Taken {
    /// When the listener stops: the stream must then end.
    pub(in crate::transport) fn stop(&self) -> &CancellationToken {
        &self.stop
    }
}
