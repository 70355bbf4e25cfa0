//! What was accepted since the token's anchor: no more than a start after a rollback would charge. What goes beyond waits
//! at the writer until the anchor is written; one writing serves all who wait. Knows no token.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use appliance_wire::{Amount, ProblemCode};
use tokio::sync::Notify;

use super::{Draft, Writer, settle};
use crate::{
    audit::{
        intent::{Failure, Intent},
        job::{Job, Reply},
        standing::{Admission, Verdict},
        token_anchor::UNANCHORED_PERCENT,
    },
    policy::Policy,
    refusal::Refusal,
    state::Charge,
};

/// Where the writer says that the anchor should be written.
#[derive(Debug, Default)]
pub struct AnchorDue {
    /// Somebody waits for it, or there are many entries beyond it.
    needed: AtomicBool,
    /// There are entries beyond it that are worth a writing.
    behind: AtomicBool,
    changed: Notify,
}

impl AnchorDue {
    /// Waits until the anchor is needed.
    pub async fn needed(&self) {
        while !self.needed.load(Ordering::SeqCst) {
            self.changed.notified().await;
        }
    }

    /// Whether there is anything beyond it.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.behind.load(Ordering::SeqCst)
    }
}

/// Beyond the anchor.
#[derive(Default)]
pub(in crate::audit) struct Unanchored {
    pub(in crate::audit) due: Arc<AnchorDue>,
    /// Entries that the anchor covers. Before the first writing of this run nothing is accepted.
    reached: Option<u64>,
    /// The anchor must reach this size before anything more is accepted: a policy came in.
    must_reach: u64,
    /// Acceptances beyond it, by index, with what they count for.
    accepted: VecDeque<(u64, Vec<Charge>)>,
    sums: HashMap<(usize, String), Amount>,
    /// Acceptances too large for any share: nobody may sign them before the anchor covers them.
    large: BTreeSet<u64>,
    /// The last entry that is worth a writing. What devices write into their own logs is not: they note each writing.
    last: Option<u64>,
    /// Why the anchor cannot be written.
    down: Option<String>,
    held: Vec<Job>,
    /// Something else waits for it.
    wanted: bool,
    waiting: Vec<(Intent, Reply<Verdict>)>,
}

/// Whether an acceptance may be made now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Room {
    /// It may.
    Enough,
    /// It may, and must be anchored before it is signed: alone it is more than the share of a limit.
    OnlyThis,
    /// Not before the anchor covers what was accepted so far.
    AfterAnchor,
}

/// Entries beyond the anchor that make it due.
const MOST_BEYOND: u64 = 1_000;

impl Unanchored {
    pub(super) fn room(&self, charges: &[Charge], policy: &Policy) -> Room {
        if self.reached.is_none_or(|reached| reached < self.must_reach) {
            return Room::AfterAnchor;
        }
        let mut room = Room::Enough;
        for charge in charges {
            let share = policy.limits.get(charge.limit).map(|limit| limit.most().percent(UNANCHORED_PERCENT));
            let before = self.sums.get(&(charge.limit, charge.scope.clone())).copied().unwrap_or_default();
            let fits = before.checked_add(charge.amount).is_some_and(|sum| share.is_none_or(|share| sum <= share));
            match (fits, before == Amount::ZERO) {
                (true, _) => {}
                (false, true) => room = Room::OnlyThis,
                (false, false) => return Room::AfterAnchor,
            }
        }
        room
    }

    /// Counts an acceptance.
    pub(super) fn accept(&mut self, index: u64, charges: Vec<Charge>, room: Room) {
        if room == Room::OnlyThis {
            self.large.insert(index);
        }
        self.count(&charges);
        self.accepted.push_back((index, charges));
    }

    /// An entry was appended.
    pub(super) fn appended(&mut self, index: u64, is_worth_it: bool) {
        if is_worth_it {
            self.last = Some(index);
        }
    }

    /// Nothing more is accepted before the anchor covers so many entries.
    pub(super) fn must_reach(&mut self, size: u64) {
        self.must_reach = size;
    }

    /// Whether an acceptance waits for the anchor before it is signed.
    pub(super) fn is_uncovered(&self, index: u64) -> bool {
        self.reached.is_none() || self.large.contains(&index)
    }

    /// The anchor covers so many entries.
    fn reach(&mut self, size: u64) {
        self.reached = Some(size);
        self.down = None;
        self.wanted = false;
        self.accepted.retain(|(index, _)| *index >= size);
        self.large = self.large.split_off(&size);
        self.sums.clear();
        let accepted = std::mem::take(&mut self.accepted);
        accepted.iter().for_each(|(_, charges)| self.count(charges));
        self.accepted = accepted;
    }

    fn count(&mut self, charges: &[Charge]) {
        for charge in charges.iter().filter(|charge| charge.amount > Amount::ZERO) {
            let sum = self.sums.entry((charge.limit, charge.scope.clone())).or_default();
            *sum = sum.checked_add(charge.amount).unwrap_or(Amount::MAX);
        }
    }

    /// Tells whether the anchor is due, for a log of so many entries.
    pub(super) fn tell(&self, size: u64) {
        let reached = self.reached.unwrap_or(0);
        let behind = self.reached.is_none() || self.last.is_some_and(|last| last >= reached);
        let many = behind && size.saturating_sub(reached) >= MOST_BEYOND;
        let waited_for = self.wanted || !self.held.is_empty() || !self.waiting.is_empty();
        // Once it could not be written it is tried until it is: meanwhile all who would wait are refused.
        let is_late = self.reached.is_none() || reached < self.must_reach || self.down.is_some();
        let needed = waited_for || many || is_late;
        self.due.behind.store(behind, Ordering::SeqCst);
        self.due.needed.store(needed, Ordering::SeqCst);
        if needed {
            self.due.changed.notify_one();
        }
    }

    /// The refusal of what needs the anchor, while it cannot be written.
    pub(super) fn down(&self) -> Option<Refusal> {
        let unread = self.reached.is_none().then_some("it was not held against the log yet");
        self.down.as_deref().or(unread).map(unwritten)
    }

    /// Until the log was held against the anchor nothing may be added to it that loosens.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn has_begun(&self) -> Result<(), Refusal> {
        let unread = || unwritten(self.down.as_deref().unwrap_or("it was not held against the log yet"));
        self.reached.map(|_| ()).ok_or_else(unread)
    }

    /// Asks for the anchor, for what will look again.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    pub(super) fn hold(&mut self, job: Job) {
        self.held.push(job);
    }

    /// Refuses all who wait for an anchor.
    pub(super) fn refuse_all(&mut self, refusal: &Refusal) {
        for job in self.held.drain(..) {
            if let Job::Admit { command, reply, .. } = job {
                let _ = reply.send(Err(refusal.clone().of_request(command.request_id.as_str())));
            }
        }
        for (intent, reply) in self.waiting.drain(..) {
            let (reason, outcome_unknown) = (refusal.problem.detail.clone(), false);
            let failure = Failure { reason, outcome_unknown, retry_after_s: RETRY_AFTER_S };
            let _ = reply.send(Ok(Verdict::Unanchored(intent, failure)));
        }
    }
}

fn unwritten(reason: &str) -> Refusal {
    let detail = format!(
        "no anchor can be written into the token of the log ({reason}), and without it no more than \
         {UNANCHORED_PERCENT} % of a limit is accepted: put the same request again after Retry-After"
    );
    Refusal::new(ProblemCode::TokenUnavailable, detail).retry_after(RETRY_AFTER_S)
}

const RETRY_AFTER_S: u64 = 2;

impl Writer {
    /// Answers a request once the batch is durable, and, where the right to sign is the answer and the anchor must cover
    /// it first, once that is so.
    pub(super) fn settle_admission(
        &mut self,
        draft: &mut Draft,
        reply: Reply<Verdict>,
        result: Result<Admission, Refusal>,
    ) {
        match result {
            Ok(Admission::Granted(intent)) if self.unanchored.is_uncovered(intent.index) => {
                self.unanchored.waiting.push((intent, reply));
            }
            result => settle(draft, reply, result.map(Verdict::Admission)),
        }
    }

    /// The anchor covers so many durable entries: whoever waited for that goes on.
    pub(super) fn anchored(&mut self, draft: &mut Draft, size: u64) {
        self.unanchored.reach(size);
        for (intent, reply) in std::mem::take(&mut self.unanchored.waiting) {
            if intent.index < size {
                let _ = reply.send(Ok(Verdict::Admission(Admission::Granted(intent))));
            } else {
                self.unanchored.waiting.push((intent, reply));
            }
        }
        for job in std::mem::take(&mut self.unanchored.held) {
            self.process(job, draft);
        }
    }

    /// No anchor could be written.
    pub(super) fn not_anchored(&mut self, reason: String) {
        let refusal = unwritten(&reason);
        self.unanchored.down = Some(reason);
        self.unanchored.refuse_all(&refusal);
    }
}

#[cfg(test)]
mod tests;
