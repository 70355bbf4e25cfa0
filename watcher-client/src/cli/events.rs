//! `events`: what happened, as a list or as it happens.

use std::{
    io::{self, Write},
    ops::ControlFlow,
};

use appliance_wire::{Event, EventKind, RequestStatus};
use serde_json::Value;

use super::{
    Shown,
    failure::Failure,
    table::{row, table},
};
use crate::Client;

/// Page after page, to the end of the log.
pub(super) async fn list(client: &Client, after: Option<u64>) -> Result<Shown, Failure> {
    let mut page = client.events(after).await?;
    let mut events = std::mem::take(&mut page.events);
    while page.more {
        page = client.events(Some(page.next)).await?;
        events.append(&mut page.events);
    }
    page.events = events;
    let mut rows = vec![row(["index", "time", "event", "request", "status", ""])];
    rows.extend(page.events.iter().map(|event| words(event).to_vec()));
    let text = format!("{}go on with --after {}\n", table(&rows), page.next);
    Shown::new(text, &page)
}

/// A line for each, until it is stopped or nobody reads it.
pub(super) async fn follow(client: &Client, after: Option<u64>, json: bool) -> Result<Shown, Failure> {
    let mut written = Ok(());
    let tell = |event: Event| {
        let line = if json { serde_json::to_string(&event).unwrap_or_default() } else { words(&event).join("  ") };
        let mut out = io::stdout().lock();
        written = writeln!(out, "{}", line.trim_end()).and_then(|()| out.flush());
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    client.follow_events(after, tell).await?;
    written.map_err(|error| Failure::Failed(format!("writing: {error}")))?;
    Shown::new(String::new(), &Value::Null)
}

fn words(event: &Event) -> [String; 6] {
    let request = event.request_id.as_ref().map_or("-".to_owned(), ToString::to_string);
    let status = event.status.map_or("-".to_owned(), status);
    [event.index.to_string(), event.time.clone(), kind(event.kind), request, status, more(event)]
}

/// As the API writes it.
fn kind(kind: EventKind) -> String {
    plain(serde_json::to_value(kind))
}

fn status(status: RequestStatus) -> String {
    plain(serde_json::to_value(status))
}

fn plain(text: serde_json::Result<Value>) -> String {
    text.ok().and_then(|text| Some(text.as_str()?.to_owned())).unwrap_or_default()
}

fn more(event: &Event) -> String {
    let approvals = event.approvals.iter();
    let approvals = approvals.map(|one| format!("{} of {} officers ({})", one.given, one.wanted, one.because));
    let until = event.waits_until.iter().map(|until| format!("until {until}"));
    let by = event.replaced_by.iter().map(|by| format!("replaced by {by}"));
    let code = event.code.iter().cloned();
    let reason = event.reason.iter().cloned();
    let key = event.key.iter().map(|key| format!("key {key}"));
    let children = event.children.iter().map(|children| format!("{} children from {}", children.count, children.first));
    let what = event.what.iter().map(ToString::to_string);
    let parts: Vec<String> =
        approvals.chain(until).chain(by).chain(code).chain(reason).chain(key).chain(children).chain(what).collect();
    parts.join(", ")
}
