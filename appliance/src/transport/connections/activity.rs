//! What a connection is doing: the requests in progress on it, and since when nothing has happened.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep_until};

use super::Limits;

/// Counts the requests of one connection.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    in_progress: usize,
    begun: u64,
    changed: Instant,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { in_progress: 0, begun: 0, changed: Instant::now() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins; it ends when the result is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InProgress {
        let mut state = self.state();
        state.in_progress += 1;
        state.begun += 1;
        state.changed = Instant::now();
        InProgress(Arc::clone(self))
    }

    /// Number of requests so far, where none is in progress: the bytes that come now begin another.
    pub(super) fn between_requests(&self) -> Option<u64> {
        let state = *self.state();
        (state.in_progress == 0).then_some(state.begun)
    }

    /// Returns when the connection has been idle, or stuck, for as long as `limits` allow.
    pub(super) async fn until_over(&self, limits: &Limits) {
        loop {
            let state = *self.state();
            let allowed = if state.in_progress == 0 { limits.idle } else { limits.request };
            let deadline = state.changed + allowed;
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    }
}

/// A request in progress.
#[derive(Debug)]
pub(super) struct InProgress(Arc<Activity>);

impl InProgress {
    /// The response's body; the request is in progress until it is sent or given up.
    pub(super) fn until_sent(self, body: Body) -> Body {
        // The closure is dropped with the body, and holds this as long.
        Body::new(body.map_err(move |error| {
            let _held = &self;
            error
        }))
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_progress -= 1;
        state.changed = Instant::now();
    }
}
