//! The one thread that decides and appends. No two decisions can race, and one sync serves a whole batch.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use appliance_wire::{Body, Entry, tree::Frontier};
use tokio::sync::watch;

use super::{
    ballast::{BALLAST_BYTES, Ballast},
    draft::Draft,
    entry_rate::EntryRate,
    evidence_files::EvidenceFiles,
    follower::Follow,
    intent::Attempt,
    job::{Job, Reply},
    journal::Journal,
    log::{Log, Tip},
    scrub::Progress,
};
use crate::{
    clock::{Clock, Moment},
    metrics::Metrics,
    policy::Policy,
    refusal::Refusal,
    state::{BindingKey, State},
};

mod admit;
mod allocate;
mod device_log;
mod install;
mod officers;
mod pending;
mod record;
mod unanchored;

pub(super) use admit::command_of;
pub use unanchored::AnchorDue;
pub(super) use unanchored::Unanchored;

pub(super) struct Writer {
    pub(super) jobs: Receiver<Job>,
    pub(super) journal: Journal,
    pub(super) evidence: EvidenceFiles,
    pub(super) frontier: Frontier,
    pub(super) state: State,
    pub(super) clock: Clock,
    pub(super) log: Arc<Log>,
    pub(super) policy: Arc<RwLock<Arc<Policy>>>,
    pub(super) follower: SyncSender<Follow>,
    /// Requests anywhere between decoding and answer.
    pub(super) under_way: Arc<AtomicUsize>,
    /// Signatures asked of tokens and not answered yet.
    pub(super) at_token: Arc<AtomicUsize>,
    pub(super) in_flight: HashMap<BindingKey, watch::Receiver<Option<Attempt>>>,
    /// Acceptances whose last attempt failed, with an entry that says so: the next attempt needs none.
    pub(super) settled: HashSet<u64>,
    pub(super) refusals: EntryRate,
    /// Allocations are entries, too, and long ones.
    pub(super) allocations: EntryRate,
    /// Why nothing may be accepted any more; set here, or by the follower.
    pub(super) broken: Arc<RwLock<Option<String>>>,
    pub(super) room_checked: Option<(Instant, Result<(), String>)>,
    pub(super) ballast: Ballast,
    pub(super) snapshot_at: u64,
    pub(super) unanchored: Unanchored,
    /// Ends with the writer.
    pub(super) scrub: Arc<Progress>,
    pub(super) metrics: Arc<Metrics>,
}

const GATHER_FOR: Duration = Duration::from_millis(2);
const LOOK_EVERY: Duration = Duration::from_micros(500);
/// As many as a software token makes at once; with fewer asked for, a session stands idle.
const TOKEN_BUSY: usize = 4;
const MOST_IN_A_BATCH: usize = 512;
const ROOM_CHECK_EVERY: Duration = Duration::from_secs(1);
pub(super) const SNAPSHOT_EVERY: u64 = 10_000;

impl Writer {
    /// Starts the thread. `followed` hangs up once everything is in the store and anchored.
    pub(super) fn spawn(self, followed: Receiver<()>) -> Result<(), Refusal> {
        let thread = thread::Builder::new().name("audit-writer".to_owned());
        thread.spawn(move || self.run(&followed)).map(|_| ()).map_err(Refusal::log_unavailable)
    }

    /// Runs until it is told to stop or nobody can ask any more.
    fn run(mut self, followed: &Receiver<()>) {
        let mut stopped = None;
        while stopped.is_none()
            && let Ok(first) = self.jobs.recv()
        {
            let batch = self.gather(first);
            let mut draft = Draft::new(self.moment(), self.state.size);
            let mut questions = Vec::new();
            for job in batch {
                match job {
                    Job::Query(question) => questions.push(question),
                    Job::Stop { reply } => stopped = Some(reply),
                    Job::Install { install, reply } => {
                        // A policy is a batch of its own: what came before is decided by the old one.
                        let before = std::mem::replace(&mut draft, Draft::new(self.moment(), self.state.size));
                        self.commit(before);
                        self.install(*install, reply);
                        draft = Draft::new(self.moment(), self.state.size);
                    }
                    job @ (Job::Admit { .. }
                    | Job::Deny { .. }
                    | Job::Allocate { .. }
                    | Job::Resume { .. }
                    | Job::Signed { .. }
                    | Job::Failed { .. }
                    | Job::Freeze { .. }
                    | Job::Act { .. }
                    | Job::Withdraw { .. }
                    | Job::Settle { .. }
                    | Job::Destroyed { .. }
                    | Job::DeviceLog { .. }
                    | Job::Anchored { .. }
                    | Job::Probe { .. }) => self.process(job, &mut draft),
                }
            }
            self.commit(draft);
            self.unanchored.tell(self.state.size);
            for question in questions {
                question(&self.state, self.moment());
            }
        }
        self.take_snapshot();
        self.scrub.stop();
        let Self { follower, .. } = self;
        drop(follower);
        let _ = followed.recv();
        if let Some(reply) = stopped {
            let _ = reply.send(Ok(()));
        }
    }

    /// Waits a little for company. Not where none can come, because every request under way is here already; and not
    /// where a token would soon stand idle, because what waits here is what it would sign next.
    fn gather(&self, first: Job) -> Vec<Job> {
        let mut batch = vec![first];
        let deadline = Instant::now() + GATHER_FOR;
        while batch.len() < MOST_IN_A_BATCH {
            batch.extend(self.jobs.try_iter().take(MOST_IN_A_BATCH - batch.len()));
            let all_here = batch.len() >= self.under_way.load(Ordering::Relaxed);
            let token_hungry = self.at_token.load(Ordering::Relaxed) < TOKEN_BUSY;
            if all_here || token_hungry || Instant::now() >= deadline {
                break;
            }
            // Looking up now and then costs less than being woken for every job.
            thread::sleep(LOOK_EVERY);
        }
        batch
    }

    fn process(&mut self, job: Job, draft: &mut Draft) {
        match job {
            job @ Job::Admit { .. } => self.admit(draft, job),
            Job::Resume { accepted, reply } => self.resume(draft, accepted, reply),
            Job::Deny { watcher, request_id, content, refusal, reply } => {
                let refusal = self.denied(draft, &watcher, (request_id, content, None), refusal);
                settle(draft, reply, Ok(refusal));
            }
            Job::Allocate { allocation, policy, reply } => {
                let result = self.allocate(draft, allocation, policy);
                settle(draft, reply, result);
            }
            Job::Signed { intent, verified, reply } => self.signed(draft, intent, &verified, reply),
            Job::Failed { intent, failure, reply } => self.failed(draft, intent, &failure, reply),
            Job::Freeze { what, by, reason, reply } => self.freeze(draft, what, by, reason, reply),
            Job::Act { request, signatures, reply } => self.act(draft, &request, &signatures, reply),
            Job::Withdraw { watcher, request_id, reply } => self.withdraw(draft, watcher, request_id, reply),
            Job::Destroyed { key, reply } => {
                let result = self.destroyed(draft, &key);
                settle(draft, reply, result);
            }
            Job::Settle { reply } => {
                let result = self.settle_waiting(draft);
                settle(draft, reply, result);
            }
            Job::DeviceLog { reading, reply } => self.device_log(draft, *reading, reply),
            Job::Anchored { size, reply } => {
                match size {
                    Ok(size) => self.anchored(draft, size),
                    Err(reason) => self.not_anchored(reason),
                }
                settle(draft, reply, Ok(()));
            }
            Job::Probe { reply } => {
                let result = match self.writable() {
                    Ok(()) => self.journal.probe().map_err(Refusal::log_unavailable),
                    Err(refusal) => Err(refusal),
                };
                settle(draft, reply, result);
            }
            Job::Install { .. } | Job::Query(_) | Job::Stop { .. } => {}
        }
    }

    /// Appends and syncs; publishes, then answers. Where the append fails nobody learns what was decided.
    pub(super) fn commit(&mut self, draft: Draft) {
        let entries = draft.published.entries.len() as u64;
        if entries > 0 {
            let appended = match self.broken_reason() {
                Some(reason) => Err(reason),
                None => self.write(&draft),
            };
            if let Err(reason) = appended {
                self.break_off(&reason);
                let refusal = Refusal::log_unavailable(reason);
                self.unanchored.refuse_all(&refusal);
                draft.waiters.into_iter().for_each(|waiter| waiter(Err(refusal.clone())));
                return;
            }
            crate::testing_only::station("after-sync");
            self.metrics.committed(entries);
            let mut published = draft.published;
            published.tip =
                Tip { size: self.frontier.size(), root: self.frontier.root(), bytes: self.journal.length() };
            self.log.publish(published);
            if self.state.size >= self.snapshot_at {
                self.take_snapshot();
            }
            let _ = self.follower.send(Follow::Committed(entries));
        }
        draft.waiters.into_iter().for_each(|waiter| waiter(Ok(())));
    }

    /// Evidence first: an entry that names it is never durable without it.
    fn write(&mut self, draft: &Draft) -> Result<(), String> {
        self.make_room();
        self.evidence.keep(&draft.evidence).map_err(|error| format!("writing evidence: {error}"))?;
        self.journal.append(&draft.lines).map_err(|error| format!("writing log.jsonl: {error}"))
    }

    /// Outcomes, freezes and the stop are written into the last room there is, and the store follows: a write that failed
    /// would end all writing until a restart.
    fn make_room(&mut self) {
        match self.ballast.give_way() {
            Ok(false) => {}
            Ok(true) => {
                self.room_checked = None;
                tracing::error!(
                    bytes = BALLAST_BYTES,
                    "the disk of the state directory is full: the ballast file was removed so that what happens can be \
                     recorded. Free space; the ballast is made again at the next start"
                );
            }
            Err(error) => tracing::error!(%error, "the disk of the state directory is full or unreadable"),
        }
    }

    fn take_snapshot(&mut self) {
        // After a failed append the state has what the log has not.
        if self.broken_reason().is_none() {
            self.log.keep_snapshot(self.state.size, self.state.snapshot(self.journal.length()));
            self.snapshot_at = self.state.size + SNAPSHOT_EVERY;
        }
    }

    /// Adds an entry to the batch. Outcomes and freezes are recorded also where the disk has too little room for new
    /// acceptances.
    pub(super) fn push(&mut self, draft: &mut Draft, body: Body) -> Result<Entry, Refusal> {
        if let Some(reason) = self.broken_reason() {
            return Err(Refusal::log_unavailable(reason));
        }
        let is_of_a_device = matches!(body, Body::Token(_));
        let entry = draft.push(&mut self.state, &mut self.frontier, body).map_err(|error| {
            self.break_off(&error.to_string());
            Refusal::log_unavailable(error)
        })?;
        self.unanchored.appended(entry.index, !is_of_a_device);
        Ok(entry)
    }

    /// Whether entries may be made now: nothing failed before, and the disk has room.
    pub(super) fn writable(&mut self) -> Result<(), Refusal> {
        if let Some(reason) = self.broken_reason() {
            return Err(Refusal::log_unavailable(reason));
        }
        let fresh = self.room_checked.as_ref().filter(|(at, _)| at.elapsed() < ROOM_CHECK_EVERY);
        let room = match fresh {
            Some((_, room)) => room.clone(),
            None => {
                let room = self.journal.room(0);
                self.room_checked = Some((Instant::now(), room.clone()));
                room
            }
        };
        room.map_err(Refusal::log_unavailable)
    }

    fn broken_reason(&self) -> Option<String> {
        self.broken.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends all writing until the next start, which reads back what the disk really holds.
    fn break_off(&self, reason: &str) {
        let mut broken = self.broken.write().unwrap_or_else(PoisonError::into_inner);
        if broken.is_none() {
            tracing::error!(reason, "the audit log can no longer be written: nothing more is signed until a restart");
            *broken = Some(format!("{reason}; restart the appliance once the cause is mended"));
        }
    }

    fn moment(&self) -> Moment {
        let now = self.clock.now();
        Moment { elapsed: now.elapsed.max(self.state.elapsed), ..now }
    }
}

/// Sends `result` once the batch is durable.
fn settle<T: 'static>(draft: &mut Draft, reply: Reply<T>, result: Result<T, Refusal>) {
    draft.waiters.push(Box::new(move |durable| {
        let _ = reply.send(durable.and(result));
    }));
}
