//! What happened at the signer, followed from an index on: pages, or a stream that is opened again where it breaks.

use std::ops::ControlFlow;

use appliance_wire::{Event, EventsAnswer, RequestId, RequestStatus, SignatureAnswer};
use rand::Rng;
use reqwest::Method;

use super::Client;
use crate::{
    Error,
    answer_check::check_answer,
    retry::{self, Decision, Setback},
};

impl Client {
    /// A page of this watcher's events after entry `after`, or from the first on. `next` is what to pass as `after`
    /// afterwards: store it together with what the events changed. Nothing of it is proven, as it carries no signature:
    /// [`Client::status`] gives those, verified.
    ///
    /// # Errors
    /// See [`Error`]; `not-found` where the signer's log ends before `after`.
    pub async fn events(&self, after: Option<u64>) -> Result<EventsAnswer, Error> {
        self.get(&path(after)).await
    }

    /// Tells each event after entry `after`, or from the first on, as it happens, until `on_event` breaks. A lost
    /// connection is opened again and goes on after the last event told, so none is left out and none told twice.
    ///
    /// # Errors
    /// Where connecting again cannot help: see [`Error`].
    pub async fn follow_events(
        &self,
        after: Option<u64>,
        mut on_event: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut after = after;
        let mut attempt = 0_u32;
        loop {
            let before = after;
            let ended = self.follow(&mut after, &mut on_event).await;
            let (decision, what) = match &ended {
                Ok(ControlFlow::Break(())) => return Ok(()),
                Ok(ControlFlow::Continue(())) => {
                    (retry::decide(Setback::Accepted(None), attempt), "the stream ended".to_owned())
                }
                Err(error @ Error::Refused(problem)) => {
                    (retry::decide(Setback::Problem(problem), attempt), error.to_string())
                }
                Err(error @ Error::Transport(broken)) => {
                    (retry::decide(Setback::Transport(broken), attempt), error.to_string())
                }
                Err(_) => (Decision::GiveUp, String::new()),
            };
            let Decision::Again(pause) = decision else { return ended.map(|_| ()) };
            let pause = retry::with_jitter(pause, rand::thread_rng().r#gen());
            if let Some(on_retry) = self.parts.options.on_retry {
                on_retry(&what, pause);
            }
            tokio::time::sleep(pause).await;
            attempt = if after == before { attempt.saturating_add(1) } else { 0 };
        }
    }

    /// One connection.
    async fn follow(
        &self,
        after: &mut Option<u64>,
        on_event: &mut impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut stream = self.transport().open_stream(&path(*after)).await?;
        while let Some(text) = stream.next().await? {
            let wrong = |what: String| Error::Unexpected { status: 101, what };
            let event = serde_json::from_str(&text).and_then(Event::read);
            // A later version's, of a kind that is not known here, is nobody's wait.
            let Some(event) = event.map_err(|error| wrong(format!("not an event of the API: {error}")))? else {
                continue;
            };
            if after.is_some_and(|after| event.index <= after) {
                return Err(wrong(format!("event {} after event {}", event.index, after.unwrap_or_default())));
            }
            *after = Some(event.index);
            if on_event(event).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Waits until officers have decided about a request that waits, by events from its entry on.
    ///
    /// # Errors
    /// As [`Client::follow_events`].
    pub async fn wait_for_officers(&self, id: &RequestId, pending: &SignatureAnswer) -> Result<(), Error> {
        let is_decided = |event: Event| {
            let decides = event.request_id.as_ref() == Some(id)
                && event.status.is_some_and(|status| status != RequestStatus::Pending);
            if decides { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.follow_events(pending.entry, is_decided).await
    }

    /// Takes a request back that waits for officers.
    ///
    /// # Errors
    /// See [`Error`]; `request-conflict` where it waits no more.
    pub async fn withdraw(&self, id: &RequestId) -> Result<SignatureAnswer, Error> {
        let reply = self.transport().exchange(Method::DELETE, &format!("/v1/signatures/{id}"), None).await?;
        let answer: SignatureAnswer = reply.json()?;
        check_answer(&answer, id, None, &self.parts.known_keys)?;
        Ok(answer)
    }
}

fn path(after: Option<u64>) -> String {
    after.map_or_else(|| "/v1/events".to_owned(), |after| format!("/v1/events?after={after}"))
}
