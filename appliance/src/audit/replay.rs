//! The log under another policy: which decisions would have been others.

use std::{path::Path, sync::Arc};

use appliance_wire::{Accepted, Body, Denied, Entry, ProblemCode};

use super::{
    journal::{Lines, Next},
    read_entry::read_entry,
    verify::{Again, Finding, Past},
    writer::command_of,
};
use crate::{
    admission::{self, Application, Approval},
    clock::Moment,
    evidence::Facts,
    policy::Policy,
    state::{State, Usage, bindings_of, percent_everywhere},
};

/// What a replay came to.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Replay {
    /// Decisions taken again.
    pub decisions: u64,
    /// Refusals of which the log does not say enough to take them again.
    pub unknown: u64,
    /// Those that come out otherwise, in order.
    pub flips: Vec<Flip>,
}

/// A decision that would have been another.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Flip {
    /// The entry.
    pub index: u64,
    /// When, RFC 3339.
    pub time: String,
    /// Who asked.
    pub watcher: String,
    /// What.
    pub request_id: String,
    /// What the log says: `accepted`, or why it was refused.
    pub was: String,
    /// What the candidate says.
    pub would_be: String,
}

/// Replays the log in `directory` under `candidate`, as if it had been in force from the beginning: what it refuses is
/// not counted by its limits, what it accepts is.
///
/// # Errors
/// The log cannot be read.
pub fn replay(directory: &Path, candidate: Policy, progress: &dyn Fn(u64)) -> Result<Replay, Finding> {
    let unreadable = |error: std::io::Error| Finding::new(None, format!("log.jsonl: {error}"));
    let past = Past::new(Again::journal(directory).map_err(unreadable)?);
    let usage = Usage::new(&candidate);
    let state = State { policy: Some(Arc::new(candidate)), usage, ..State::default() };
    let mut replayer = Replayer { state, past, replay: Replay::default() };
    let mut lines = Lines::open(directory).map_err(unreadable)?;
    loop {
        let index = replayer.past.ends.len() as u64;
        let at = |reason: String| Finding::new(Some(index), reason);
        match lines.next().map_err(unreadable)? {
            Next::Line(bytes) => {
                let entry = read_entry(bytes).map_err(|error| at(error.to_string()))?;
                replayer.entry(&entry).map_err(at)?;
            }
            Next::Rest(_) => return Ok(replayer.replay),
        }
        replayer.past.ends.push(lines.position());
        if index.is_multiple_of(1_000) {
            progress(lines.position());
        }
    }
}

struct Replayer {
    /// As it would be under the candidate.
    state: State,
    past: Past,
    replay: Replay,
}

impl Replayer {
    fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        match &entry.body {
            Body::Key(key) => self.state.know_key(key),
            Body::Addresses(allocation) => self.state.addresses.allocate(allocation)?,
            Body::Accepted(accepted) => self.accepted(entry, accepted)?,
            Body::Denied(denied) => self.denied(entry, denied)?,
            Body::Boot(_)
            | Body::Genesis(_)
            | Body::Policy(_)
            | Body::Signed(_)
            | Body::Failed(_)
            | Body::Lapsed(_)
            | Body::Frozen(_)
            | Body::Token(_)
            | Body::Unfrozen(_)
            | Body::Recovered(_)
            | Body::Pending(_)
            | Body::Approved(_)
            | Body::Rejected(_)
            | Body::Withdrawn(_)
            | Body::Released(_)
            | Body::Clock(_) => {}
        }
        if let Some(percent) = percent_everywhere(&entry.body) {
            self.state.usage.charge_everywhere(percent, entry.elapsed);
        }
        self.past.bindings.extend(bindings_of(entry));
        Ok(())
    }

    fn accepted(&mut self, entry: &Entry, accepted: &Accepted) -> Result<(), String> {
        let command = command_of(accepted).map_err(|refusal| refusal.problem.detail)?;
        let facts = Facts::of(accepted);
        let approval = accepted.approval.as_ref().map(Approval::given);
        let application = Application { watcher: &accepted.watcher, command: &command, facts: &facts, approval };
        let variant = accepted.variant.clone();
        let again = admission::accept_again(&self.state, &self.past, &application, variant, Moment::of(entry)?);
        self.replay.decisions += 1;
        match again.map_err(|error| error.to_string())? {
            Ok(charges) => self.state.usage.charge(&charges, entry.elapsed),
            Err(refusal) => {
                let would_be = format!("{}: {}", refusal.code().name(), refusal.problem.detail);
                self.flip(entry, &accepted.watcher, accepted.request_id.as_str(), "accepted".to_owned(), would_be);
            }
        }
        Ok(())
    }

    /// Only what rules or limits refused can come out otherwise.
    fn denied(&mut self, entry: &Entry, denied: &Denied) -> Result<(), String> {
        let by_policy = [ProblemCode::Denied, ProblemCode::LimitExceeded].iter().any(|code| code.name() == denied.code);
        if !by_policy || matches!(denied.rule.as_deref(), Some("replacement" | "outputs")) {
            return Ok(());
        }
        let Some(asked) = &denied.asked else {
            self.replay.unknown += 1;
            return Ok(());
        };
        let again = admission::ask_again(&self.state, &self.past, &denied.watcher, asked, Moment::of(entry)?);
        self.replay.decisions += 1;
        if let Ok(charges) = again.map_err(|error| error.to_string())? {
            self.state.usage.charge(&charges, entry.elapsed);
            let was = format!("{}: {}", denied.code, denied.detail);
            self.flip(entry, &denied.watcher, denied.request_id.as_str(), was, "accepted".to_owned());
        }
        Ok(())
    }

    fn flip(&mut self, entry: &Entry, watcher: &str, request_id: &str, was: String, would_be: String) {
        self.replay.flips.push(Flip {
            index: entry.index,
            time: entry.time.clone(),
            watcher: watcher.to_owned(),
            request_id: request_id.to_owned(),
            was,
            would_be,
        });
    }
}
