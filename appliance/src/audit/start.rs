//! From an opened log to a running writer: the boot entry first, then the threads.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::AtomicUsize,
        mpsc::{channel, sync_channel},
    },
    thread,
};

use appliance_wire::{Body, Boot, BootToken};

use super::{
    ballast::Ballast,
    draft::Draft,
    entry_rate::EntryRate,
    evidence_files::EvidenceFiles,
    follower::Follower,
    handle::Audit,
    open::Opened,
    writer::{Unanchored, Writer},
};
use crate::{clock::Clock, metrics::Metrics, policy::Policy, refusal::Refusal, state::State};

/// What a boot entry says beside the clock.
#[derive(Clone, Debug)]
pub struct BootFacts {
    /// SHA-256 of the program file.
    pub program_sha256: String,
    /// SHA-256 of the config file.
    pub config_sha256: String,
    /// The tokens found.
    pub tokens: Vec<BootToken>,
    /// Whether the token of the log holds an anchor of it.
    pub anchored: bool,
    /// What this start charges every limit, in percent.
    pub unanchored_percent: Option<u8>,
}

const MOST_WAITING: usize = 4_096;
const MOST_BATCHES_BEHIND: usize = 1_024;

impl Opened {
    /// Records the boot and starts the writer and what follows it.
    ///
    /// # Errors
    /// The boot entry cannot be written, or there is no policy.
    pub fn start(self, directory: &Path, facts: BootFacts, metrics: Arc<Metrics>) -> Result<Audit, Refusal> {
        let policy = self.state.policy.clone().ok_or_else(|| Refusal::log_unavailable("it has no policy"))?;
        let clock = clock(&self.state).map_err(Refusal::log_unavailable)?;
        self.raise_format().map_err(Refusal::log_unavailable)?;
        let Self { log, state, frontier, journal, anchor, cut_bytes, scrub, lock, .. } = self;
        let policy: Arc<RwLock<Arc<Policy>>> = Arc::new(RwLock::new(policy));
        let under_way = Arc::new(AtomicUsize::new(0));
        let at_token = Arc::new(AtomicUsize::new(0));
        let broken = Arc::new(RwLock::new(None));
        let (jobs, asked) = sync_channel(MOST_WAITING);
        let (follower_sender, messages) = sync_channel(MOST_BATCHES_BEHIND);
        let mut writer = Writer {
            jobs: asked,
            journal,
            evidence: EvidenceFiles::of(directory),
            frontier,
            snapshot_at: state.size,
            state,
            clock,
            log: Arc::clone(&log),
            policy: Arc::clone(&policy),
            follower: follower_sender,
            under_way: Arc::clone(&under_way),
            at_token: Arc::clone(&at_token),
            in_flight: HashMap::new(),
            settled: HashSet::new(),
            refusals: EntryRate::new(1_000, 20),
            allocations: EntryRate::new(1_000, 1),
            broken: Arc::clone(&broken),
            room_checked: None,
            ballast: Ballast::of(directory),
            unanchored: Unanchored::default(),
            scrub: scrub.progress(),
            metrics,
        };
        let (anchor_due, known_broken) = (Arc::clone(&writer.unanchored.due), Arc::clone(&broken));
        writer.record_boot(facts, cut_bytes)?;
        if let Err(error) = writer.ballast.make() {
            tracing::warn!(%error, "no ballast file: a full disk would leave no room to record a freeze");
        }
        let scrubbed = scrub.progress();
        let not_whole = Arc::clone(&broken);
        let finding = move |finding| *not_whole.write().unwrap_or_else(PoisonError::into_inner) = Some(finding);
        scrub.start(finding).map_err(Refusal::log_unavailable)?;
        let failed = Box::new(move |reason: String| {
            let advised = format!("{reason}; restart the appliance once the cause is mended");
            *broken.write().unwrap_or_else(PoisonError::into_inner) = Some(advised);
        });
        let follower = Follower { log: Arc::clone(&log), anchor, messages, failed };
        let (stopped, when_stopped) = channel();
        let spawned = thread::Builder::new().name("audit-follower".to_owned()).spawn(move || {
            follower.run();
            drop(lock);
            drop(stopped);
        });
        spawned.map_err(Refusal::log_unavailable)?;
        writer.spawn(when_stopped)?;
        Ok(Audit { jobs, log, policy, under_way, at_token, anchor_due, scrub: scrubbed, broken: known_broken })
    }
}

impl Writer {
    fn record_boot(&mut self, facts: BootFacts, cut_bytes: Option<u64>) -> Result<(), Refusal> {
        let boot = self.clock.boot();
        let mut draft = Draft::new(self.clock.now(), self.state.size);
        let body = Body::Boot(Boot {
            boot_id: boot.boot_id,
            boot_time: boot.boot_time,
            wall_offset: boot.wall_offset,
            program_sha256: facts.program_sha256,
            config_sha256: facts.config_sha256,
            tokens: facts.tokens,
            cut_bytes,
            anchored: facts.anchored,
            unanchored_percent: facts.unanchored_percent,
        });
        self.writable()?;
        self.push(&mut draft, body)?;
        // A batch that was torn at its end may have lost them.
        self.freeze_suspects(&mut draft, "the start", None)?;
        let (outcome, committed) = channel();
        draft.waiters.push(Box::new(move |durable| {
            let _ = outcome.send(durable);
        }));
        self.commit(draft);
        committed.recv().unwrap_or_else(|_| Err(Refusal::log_unavailable("the commit was lost")))
    }
}

/// The clock of a log: goes on from its last boot.
pub(super) fn clock(state: &State) -> std::io::Result<Clock> {
    Clock::resume(state.last_boot.as_ref(), state.elapsed, state.time)
}
