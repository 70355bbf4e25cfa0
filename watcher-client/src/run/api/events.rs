//! Events: a page, or a WebSocket that first catches up and then follows.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::{cursor, json, page};
use crate::run::{
    body::Asked,
    desk::Desk,
    problem::{ProblemCode, Refusal},
    stream::{self, Upgrade},
    words::{CursorQuery, WatcherEventsAnswer},
};

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Asked(asked): Asked<CursorQuery>,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, Refusal> {
    let after = cursor(asked.after)?;
    if asked.chain.is_some() {
        return Err(Refusal::malformed("events are of all chains: leave `chain` out"));
    }
    let most = page(asked.limit)?;
    if let Some(upgrade) = upgrade {
        let place = Arc::clone(&desk.streams).try_acquire_owned();
        let place = place.map_err(|_| {
            Refusal::new(ProblemCode::TooMany, "too many streams of events are open: close some, or read pages")
        })?;
        return Ok(stream::answer(upgrade, desk, after, place));
    }
    let events = desk.off(move |journal| journal.events(after, most)).await?;
    let next = events.last().map_or(after, |last| last.number);
    json(&WatcherEventsAnswer { events, next })
}
