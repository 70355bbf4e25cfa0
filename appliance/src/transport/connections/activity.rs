//! What a connection is doing: the requests in progress on it, and since when nothing has happened.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::body::Body;
use hyper::body::{Bytes, Frame, SizeHint};
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

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_progress -= 1;
        state.changed = Instant::now();
    }
}

/// A response body; its request is in progress until it is sent or given up.
#[derive(Debug)]
pub(super) struct Tracked {
    body: Body,
    _in_progress: InProgress,
}

impl Tracked {
    pub(super) fn new(body: Body, in_progress: InProgress) -> Self {
        Self { body, _in_progress: in_progress }
    }
}

impl hyper::body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
