//! How busy a token is, and how fast: what requests are spread by.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// Signatures asked of one token and not answered yet, and its pace.
#[derive(Debug, Default)]
pub(super) struct Load {
    outstanding: AtomicUsize,
    /// Microseconds a signature, of late; 0 before the first.
    pace_us: AtomicU64,
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

impl Load {
    /// When `signatures` more would be done, as far as the past tells. A token that hangs is expected later and later, as
    /// what it was asked piles up.
    pub(super) fn expected(&self, signatures: usize) -> Duration {
        let queued = self.outstanding.load(Ordering::Relaxed).saturating_add(signatures);
        self.pace().saturating_mul(u32::try_from(queued).unwrap_or(u32::MAX))
    }

    /// After which an answer is given up.
    pub(super) fn deadline(&self, signatures: usize) -> Duration {
        self.expected(signatures).saturating_mul(PATIENCE).clamp(SHORTEST_DEADLINE, LONGEST_DEADLINE)
    }

    /// Counts signatures that are asked for now.
    pub(super) fn begin(&self, signatures: usize) -> UnderWay<'_> {
        let queued = self.outstanding.fetch_add(signatures, Ordering::Relaxed).saturating_add(signatures);
        UnderWay { load: self, signatures, queued, since: Instant::now() }
    }

    fn pace(&self) -> Duration {
        match self.pace_us.load(Ordering::Relaxed) {
            0 => FIRST_PACE,
            pace => Duration::from_micros(pace),
        }
    }
}

impl UnderWay<'_> {
    /// They were made: the pace follows, a quarter of the way.
    pub(super) fn done(self) {
        let queued = u64::try_from(self.queued.max(1)).unwrap_or(u64::MAX);
        let seen = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX) / queued;
        let before = self.load.pace_us.load(Ordering::Relaxed);
        let pace = if before == 0 { seen } else { before - before / 4 + seen / 4 };
        self.load.pace_us.store(pace.max(1), Ordering::Relaxed);
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
        assert_eq!(load.expected(1), FIRST_PACE * 6);
        drop(first);
        assert_eq!(load.expected(1), FIRST_PACE * 3);
        second.done();
        assert!(load.expected(1) < FIRST_PACE, "the pace was seen");
    }

    #[test]
    fn a_deadline_grows_with_the_queue_and_has_its_bounds() {
        let load = Load::default();
        assert_eq!(load.deadline(1), SHORTEST_DEADLINE);
        assert_eq!(load.deadline(10), FIRST_PACE * 10 * PATIENCE);
        assert_eq!(load.deadline(100_000), LONGEST_DEADLINE);
    }
}
