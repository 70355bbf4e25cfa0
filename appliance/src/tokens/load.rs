//! How busy a token is, and how fast: what requests are spread by.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Signatures asked of one token and not answered yet, and its pace.
#[derive(Debug, Default)]
pub(super) struct Load {
    outstanding: AtomicUsize,
    pace: Mutex<Option<Pace>>,
}

/// What a signature costs, and when that was seen.
#[derive(Clone, Copy, Debug)]
struct Pace {
    each: Duration,
    seen: Instant,
}

/// Signatures under way; they count until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay<'a> {
    load: &'a Load,
    signatures: usize,
    /// Those in front of them, and themselves.
    queued: usize,
    since: Instant,
}

/// What a signature is taken to cost before the first was made: a device's time, not a software token's.
const FIRST_PACE: Duration = Duration::from_millis(100);
const SHORTEST_DEADLINE: Duration = Duration::from_secs(10);
const LONGEST_DEADLINE: Duration = Duration::from_secs(60);
/// A token that needs so many times longer than it did of late is taken for hung.
const PATIENCE: u32 = 20;
/// Paces of like tokens differ by chance.
const MUCH_SLOWER: u32 = 4;
/// After each such time without work half of what is known of the pace is forgotten: a token that was slow once is tried
/// again.
const FORGET_HALF_IN: Duration = Duration::from_secs(5);

impl Load {
    /// When `signatures` more would be done, as far as the past tells, beside a token whose pace is `fastest`: what is not
    /// much slower than that is no slower. A token that hangs is expected later and later, as what it was asked piles up.
    pub(super) fn expected(&self, signatures: usize, fastest: Duration) -> Duration {
        let pace = self.pace();
        let pace = if pace <= fastest.saturating_mul(MUCH_SLOWER) { fastest } else { pace };
        self.queued(signatures, pace)
    }

    fn queued(&self, signatures: usize, pace: Duration) -> Duration {
        let queued = self.outstanding.load(Ordering::Relaxed).saturating_add(signatures);
        pace.saturating_mul(u32::try_from(queued).unwrap_or(u32::MAX))
    }

    /// After which an answer is given up.
    pub(super) fn deadline(&self, signatures: usize) -> Duration {
        self.queued(signatures, self.pace()).saturating_mul(PATIENCE).clamp(SHORTEST_DEADLINE, LONGEST_DEADLINE)
    }

    /// Counts signatures that are asked for now.
    pub(super) fn begin(&self, signatures: usize) -> UnderWay<'_> {
        let queued = self.outstanding.fetch_add(signatures, Ordering::Relaxed).saturating_add(signatures);
        UnderWay { load: self, signatures, queued, since: Instant::now() }
    }

    /// A signature took so long, alone: the pace begins there.
    pub(super) fn begin_at(&self, each: Duration) {
        *self.lock() = Some(Pace { each, seen: Instant::now() });
    }

    /// What a signature costs of late.
    pub(super) fn pace(&self) -> Duration {
        let Some(pace) = *self.lock() else { return FIRST_PACE };
        let idle = pace.seen.elapsed().as_secs() / FORGET_HALF_IN.as_secs();
        pace.each / 2_u32.pow(u32::try_from(idle.min(16)).unwrap_or(16))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pace>> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay<'_> {
    /// They were made: the pace follows, a quarter of the way.
    pub(super) fn done(self) {
        let each = self.since.elapsed() / u32::try_from(self.queued.max(1)).unwrap_or(u32::MAX);
        let mut pace = self.load.lock();
        let each = pace.map_or(each, |pace| (pace.each * 3 + each) / 4);
        *pace = Some(Pace { each, seen: Instant::now() });
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.load.outstanding.fetch_sub(self.signatures, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_counts_until_it_ends() {
        let load = Load::default();
        let first = load.begin(3);
        let second = load.begin(2);
        assert_eq!(load.expected(1, FIRST_PACE), FIRST_PACE * 6);
        drop(first);
        assert_eq!(load.expected(1, FIRST_PACE), FIRST_PACE * 3);
        second.done();
        assert!(load.pace() < FIRST_PACE, "the pace was seen");
        load.begin_at(Duration::from_millis(7));
        assert_eq!(load.expected(2, Duration::from_millis(1)), Duration::from_millis(14));
        assert_eq!(load.expected(2, Duration::from_millis(2)), Duration::from_millis(4));
    }

    #[test]
    fn a_deadline_grows_with_the_queue_and_has_its_bounds() {
        let load = Load::default();
        assert_eq!(load.deadline(1), SHORTEST_DEADLINE);
        assert_eq!(load.deadline(10), FIRST_PACE * 10 * PATIENCE);
        assert_eq!(load.deadline(100_000), LONGEST_DEADLINE);
    }
}
