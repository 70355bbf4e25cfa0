//! What nobody reads of a body: thrown away, within bounds.
//!
//! A request is often refused before its body has come. hyper then closes the connection behind its answer, without a
//! word, and a client that keeps its connections would lose its next request.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use super::Limits;

/// A body whose rest is read when it is dropped.
pub(super) struct ReadToTheEnd {
    body: Body,
    /// The most that is thrown away.
    bytes: usize,
    /// Until when it is waited for.
    until: Instant,
}

impl ReadToTheEnd {
    pub(super) fn new(
        body: impl HttpBody<Data = Bytes, Error = hyper::Error> + Send + 'static,
        limits: &Limits,
    ) -> Self {
        // Twice what is taken, so that a client that sent too much learns so.
        Self { body: Body::new(body), bytes: 2 * limits.body_bytes, until: Instant::now() + limits.body }
    }
}

impl HttpBody for ReadToTheEnd {
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

impl Drop for ReadToTheEnd {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            return;
        }
        let rest = discard(mem::take(&mut self.body), self.bytes);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout_at(self.until, rest));
        }
    }
}

async fn discard(mut body: Body, mut left: usize) {
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}
