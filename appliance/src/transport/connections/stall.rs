//! A stream that fails where its peer dawdles: in the middle of a request's header, or when it reads nothing.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{Limits, activity::Activity};

/// `stream` with deadlines.
#[derive(Debug)]
pub(super) struct Deadlines<S> {
    stream: S,
    activity: Arc<Activity>,
    limits: Limits,
    /// HTTP/2 has other traffic between requests, and bounds of its own.
    header_counts: bool,
    header: Option<Header>,
    write: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Header {
    after: u64,
    timer: Pin<Box<Sleep>>,
}

impl<S> Deadlines<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>, limits: Limits, header_counts: bool) -> Self {
        Self { stream, activity, limits, header_counts, header: None, write: None }
    }

    /// The first byte after a request begins the next one's header.
    fn bytes_came(&mut self) {
        if self.header.is_some() || !self.header_counts {
            return;
        }
        if let Some(after) = self.activity.between_requests() {
            self.header = Some(Header { after, timer: Box::pin(sleep(self.limits.header)) });
        }
    }

    fn poll_header(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(header) = &mut self.header else { return Poll::Pending };
        if self.activity.between_requests() != Some(header.after) {
            self.header = None;
            return Poll::Pending;
        }
        header.timer.as_mut().poll(context).map(|()| timed_out("the request's header took too long"))
    }

    /// `done`, or an error where the peer has taken nothing for too long.
    fn poll_written<T>(&mut self, done: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.write = None;
            return done;
        }
        let limit = self.limits.write;
        let timer = self.write.get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(context).map(|()| Err(timed_out("the peer reads nothing")))
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Deadlines<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.bytes_came();
        }
        // Asked also when bytes came: one byte now and then does not buy more time.
        match self.poll_header(context) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => read,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deadlines<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_written(done, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(context);
        self.poll_written(done, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(context);
        self.poll_written(done, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.poll_written(done, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
