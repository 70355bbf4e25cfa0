//! A request that is over: one line in the log, and the counts. What is told is what the appliance named itself.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use appliance_wire::ProblemCode;
use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use hyper::Method;

use super::problem::Refused;
use crate::{call_notes::CallNotes, metrics::NO_NAME, operations::Operations};

/// Which listener a request came by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Listener {
    Watcher,
    Admin,
    Monitor,
}

impl Listener {
    fn name(self) -> &'static str {
        match self {
            Self::Watcher => "watcher",
            Self::Admin => "admin",
            Self::Monitor => "monitor",
        }
    }
}

/// A request that was answered, or given up by who asked.
#[derive(Debug)]
pub(super) struct Served<'a> {
    /// Method and route: `PUT /v1/signatures/{request_id}`; never the path as it came.
    pub(super) call: &'a str,
    /// The answer's status; none where the caller left before it.
    pub(super) status: Option<u16>,
    pub(super) refused: Option<&'a Refused>,
    pub(super) notes: &'a CallNotes,
    pub(super) took: Duration,
}

/// A request under way. Dropped before it is finished, it is told as abandoned.
pub(super) struct UnderWay<T: Fn(&Served<'_>)> {
    call: String,
    notes: Arc<CallNotes>,
    begun: Instant,
    tell: T,
    is_told: bool,
}

impl<T: Fn(&Served<'_>)> UnderWay<T> {
    /// Takes the request's time; who serves it finds the notes in its extensions.
    pub(super) fn begin(request: &mut Request, tell: T) -> Self {
        let notes = Arc::new(CallNotes::default());
        request.extensions_mut().insert(Arc::clone(&notes));
        let route = request.extensions().get::<MatchedPath>().map_or(NO_NAME, MatchedPath::as_str);
        let call = format!("{} {route}", method(request.method()));
        Self { call, notes, begun: Instant::now(), tell, is_told: false }
    }

    /// It was answered so.
    pub(super) fn finish(mut self, response: &Response) {
        self.is_told = true;
        self.tell(Some(response.status().as_u16()), response.extensions().get());
    }

    fn tell(&self, status: Option<u16>, refused: Option<&Refused>) {
        let Self { call, notes, begun, tell, .. } = self;
        tell(&Served { call, status, refused, notes, took: begun.elapsed() });
    }
}

impl<T: Fn(&Served<'_>)> Drop for UnderWay<T> {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(None, None);
        }
    }
}

/// A caller may invent methods.
fn method(method: &Method) -> &str {
    let known = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::PATCH, Method::OPTIONS];
    if known.contains(method) { method.as_str() } else { NO_NAME }
}

/// The one call that spends.
const SIGN: &str = "PUT /v1/signatures/{request_id}";

impl Served<'_> {
    /// What it came to, in one word: the problem's code, where the request for signatures stands, or `ok`.
    fn outcome(&self) -> &'static str {
        match (self.status, self.refused) {
            (None, _) => "abandoned",
            (_, Some(refused)) => refused.code.name(),
            (_, None) => self.notes.outcome().unwrap_or("ok"),
        }
    }

    /// Counts it, and writes its line.
    pub(super) fn record(&self, operations: &Operations, listener: Listener) {
        if let Some(refused) = self.refused {
            operations.count_refusal(refused.code);
        }
        if listener == Listener::Watcher {
            operations.count_call(self.call, self.took);
        }
        if self.call == SIGN {
            let rule = self.refused.and_then(|refused| refused.rule.as_deref());
            operations.count_request(self.notes, self.outcome(), rule);
        }
        self.log(listener);
    }

    fn log(&self, listener: Listener) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    listener = listener.name(),
                    call = self.call,
                    watcher = self.notes.watcher(),
                    key = self.notes.key(),
                    request_id = self.notes.request_id(),
                    outcome = self.outcome(),
                    status = self.status,
                    ms = milliseconds(self.took),
                    "request"
                )
            };
        }
        let code = self.refused.map(|refused| refused.code);
        match code {
            // An attack or a broken watcher, and never quiet; a fault of ours.
            Some(ProblemCode::DigestMismatch | ProblemCode::Internal) => line!(error),
            // What is asked every few seconds would fill the disk.
            None if listener == Listener::Monitor || self.call.ends_with("/healthz") => line!(debug),
            _ => line!(info),
        }
    }
}

/// To a thousandth.
fn milliseconds(took: Duration) -> f64 {
    Duration::from_micros(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)).as_secs_f64() * 1_000.0
}
